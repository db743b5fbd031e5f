"""A fine-tuned text router: it learns, it reads back from its files as it was, and its base is held once."""

import gc
import json
import logging
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save

from core.errors import BundleError, NotEnoughLabels
from models.networks.building import build_network
from models.networks.held import held_network
from models.networks.spec import describe
from models.router import Queries, Router
from models.text_router import TextRouter
from models.text_training import TextLabels, TextTraining, dev_rows, fine_tune
from models.training.recipe import TrainingRecipe

WORDS = np.array(["rash", "fever", "pain"])
"""The planted rule: which of the three a text holds is its class."""

CAUSAL = TrainingRecipe(
    method="rslora",
    lora_rank=8,
    lora_dropout=0.0,
    max_tokens=24,
    learning_rate=1e-2,
    max_epochs=8,
    patience=8,
    tokens_per_step=1024,
    tokens_at_once=1024,
)
BERT = TrainingRecipe(
    method="rslora",
    lora_rank=8,
    lora_dropout=0.0,
    max_tokens=16,
    learning_rate=5e-3,
    max_epochs=8,
    patience=8,
    tokens_per_step=128,
    tokens_at_once=128,
)


def labels(n, *, seed=0, swap=False):
    """n texts of the planted rule; `swap` gives the first two classes each other's words."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 3, size=n)
    words = WORDS[[1, 0, 2]] if swap else WORDS
    texts = [" ".join(rng.permutation([words[c], "the", "code"])) for c in classes]
    targets = np.eye(3)[classes]
    return TextLabels(texts, targets, np.ones(n), targets[:, 0], np.arange(n))


def accuracy(router, held_out):
    return float(np.mean(router.class_probabilities(held_out.texts).argmax(1) == held_out.targets.argmax(1)))


@pytest.fixture(scope="module")
def causal(tiny_llama, tmp_path_factory):
    torch.set_num_threads(1)
    spec = describe("causal_lm", str(tiny_llama), recipe=CAUSAL, instruction="A, B or C?")
    return fine_tune(spec, labels(240), TextTraining(CAUSAL, tmp_path_factory.mktemp("causal"))).router


@pytest.fixture(scope="module")
def bert(tiny_bert, tmp_path_factory):
    torch.set_num_threads(1)
    spec = describe("bert", str(tiny_bert), recipe=BERT)
    return fine_tune(spec, labels(240), TextTraining(BERT, tmp_path_factory.mktemp("bert"))).router


@pytest.mark.parametrize("family", ["causal", "bert"])
def test_a_planted_rule_is_learned(family, request):
    router = request.getfixturevalue(family)
    held_out = labels(120, seed=1)

    assert accuracy(router, held_out) >= 0.9  # a guess is right in one of three
    scores = router.score(Queries(held_out.texts, lambda texts: pytest.fail("no vector is asked for")))
    strong = held_out.targets[:, 0] == 1
    assert scores[strong].mean() > 0.8 > 0.2 > scores[~strong].mean()


@pytest.mark.parametrize("family", ["causal", "bert"])
def test_it_is_a_router_that_reads_no_vectors(family, request):
    router = request.getfixturevalue(family)

    assert isinstance(router, Router)
    assert router.family == {"causal": "causal_lm", "bert": "bert"}[family]
    assert router.dimension is None


@pytest.mark.parametrize("family", ["causal", "bert"])
def test_read_from_its_files_it_gives_the_same_scores_to_the_last_bit(family, request):
    router = request.getfixturevalue(family)
    texts = labels(30, seed=2).texts
    files = router.to_files()
    expected = router.score_texts(texts)

    again = TextRouter.from_files(files)

    assert sorted(files) == ["network.json", "update/adapter_config.json", "update/adapter_model.safetensors"]
    assert again.score_texts(texts).tolist() == expected.tolist()
    assert again.to_files() == files


def test_adapter_files_name_no_path_and_load_with_plain_peft_on_the_plain_base(causal, tiny_llama, tmp_path):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    files = causal.to_files()
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (tmp_path / name).write_bytes(files[f"update/{name}"])

    config = json.loads(files["update/adapter_config.json"])
    assert config["base_model_name_or_path"] is None
    assert str(tiny_llama) not in files["update/adapter_config.json"].decode()
    with pytest.warns(FutureWarning):  # PEFT asks transformers by an old name
        plain = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_llama), tmp_path).eval()
    row = causal._reader.ids(["rash the code"])[0]
    with torch.no_grad():
        logits = plain(torch.from_numpy(row)[None]).logits[0, -1, list(causal.spec.label_ids)]
    assert np.allclose(logits.softmax(-1).numpy(), causal.class_probabilities(["rash the code"])[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("family", ["causal", "bert"])
def test_merged_weights_score_as_base_and_update_do_and_need_no_base(family, request, tmp_path):
    adapter = request.getfixturevalue(family)
    recipe = {"causal": CAUSAL, "bert": BERT}[family]
    texts = labels(30, seed=2).texts

    merged = fine_tune(adapter.spec, labels(240), TextTraining(recipe, tmp_path, keep="merged")).router

    files = merged.to_files()
    assert merged.spec.base is None and merged.spec.lora is None
    assert not any(name.startswith("update") for name in files)
    assert np.allclose(merged.score_texts(texts), adapter.score_texts(texts), rtol=0, atol=1e-5)
    assert TextRouter.from_files(files).score_texts(texts).tolist() == merged.score_texts(texts).tolist()
    assert str(tmp_path).encode() not in b"".join(files.values())


@pytest.mark.parametrize("family", ["causal", "bert"])
def test_merged_on_loading_a_router_scores_alike_and_keeps_its_files(family, request):
    router = request.getfixturevalue(family)
    texts = labels(30, seed=2).texts
    files = router.to_files()

    merged = TextRouter.from_files(files, merge=True)

    assert merged._held is not router._held
    assert np.allclose(merged.score_texts(texts), router.score_texts(texts), rtol=0, atol=1e-5)
    assert merged.to_files() == files
    with merged._held.using(None, merged.spec) as network:
        assert not [name for name, _ in network.module.named_parameters() if "lora" in name]


def test_two_updates_share_one_base_and_each_gives_its_own_scores(causal, tmp_path):
    texts = labels(30, seed=3).texts
    before = causal.score_texts(texts)

    other = fine_tune(causal.spec, labels(240, swap=True), TextTraining(CAUSAL, tmp_path)).router

    alone = other.score_texts(texts)
    assert other._held is causal._held
    assert np.abs(alone - before).max() > 0.5
    for _ in range(2):
        assert causal.score_texts(texts).tolist() == before.tolist()
        assert other.score_texts(texts).tolist() == alone.tolist()


def test_two_versions_in_one_process_stay_apart_under_threads(causal, tmp_path):
    texts = labels(20, seed=3).texts
    other = fine_tune(causal.spec, labels(120, swap=True), TextTraining(CAUSAL, tmp_path)).router
    expected = {router: router.score_texts(texts).tolist() for router in (causal, other)}
    wrong = []

    def ask(router):
        for _ in range(10):
            if router.score_texts(texts).tolist() != expected[router]:
                wrong.append(router)

    threads = [threading.Thread(target=ask, args=(router,)) for router in (causal, other) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


def test_an_update_that_no_router_uses_leaves_the_shared_base(causal):
    held = causal._held
    with held.using(causal._update, causal.spec) as network:
        n_before = len(network.module.core.peft_config)

    second = TextRouter.from_files(causal.to_files())
    with held.using(second._update, second.spec) as network:
        assert len(network.module.core.peft_config) == n_before + 1
    expected = causal.score_texts(["rash"])
    with held.using(causal._update, causal.spec):
        del second
        gc.collect()  # while a thread computes with the network: this must neither wait nor pull a layer away
        assert len(network.module.core.peft_config) == n_before + 1

    assert causal.score_texts(["rash"]).tolist() == expected.tolist()
    assert len(network.module.core.peft_config) == n_before


def test_of_many_updates_on_one_base_each_is_written_as_it_was_read(causal):
    files = causal.to_files()

    many = [TextRouter.from_files(files) for _ in range(12)]

    assert all(router.to_files() == files for router in many)


def test_a_base_is_built_once_while_it_is_held(causal):
    built = []
    spec = causal.spec

    assert held_network(spec.held_sha256, "cpu", lambda: built.append(1)) is causal._held
    assert built == []


@pytest.mark.parametrize("family", ["causal", "bert"])
def test_adapting_a_router_starts_from_what_it_knows_and_leaves_it_as_it_was(family, request, tmp_path):
    router = request.getfixturevalue(family)
    recipe = {"causal": CAUSAL, "bert": BERT}[family]
    texts = labels(30, seed=4).texts
    before = router.score_texts(texts)

    recipe = replace(recipe, max_epochs=12, patience=12)
    swapped = fine_tune(router, labels(240, seed=5, swap=True), TextTraining(recipe, tmp_path)).router

    assert accuracy(swapped, labels(120, seed=6, swap=True)) >= 0.8
    assert router.score_texts(texts).tolist() == before.tolist()
    files = swapped.to_files()
    assert len(swapped.spec.before_sha256) == 1
    assert {name for name in files if name.startswith("before/")} == {
        "before/0/adapter_config.json",
        "before/0/adapter_model.safetensors",
    }
    assert TextRouter.from_files(files).score_texts(texts).tolist() == swapped.score_texts(texts).tolist()


@pytest.mark.parametrize("family", ["causal", "bert"])
def test_an_adaptation_that_has_learned_nothing_yet_scores_as_its_base(family, request, tmp_path):
    router = request.getfixturevalue(family)
    texts = labels(30, seed=4).texts
    still = TrainingRecipe(max_tokens=24, learning_rate=1e-30, max_epochs=1)

    adapted = fine_tune(router, labels(20), TextTraining(still, tmp_path)).router

    assert np.allclose(adapted.score_texts(texts), router.score_texts(texts), rtol=0, atol=1e-5)


def test_full_fine_tuning_keeps_whole_weights_and_can_be_adapted_by_an_update(tiny_bert, tmp_path):
    recipe = TrainingRecipe(
        method="full", max_tokens=16, learning_rate=1e-3, max_epochs=8, patience=8, tokens_per_step=128
    )
    spec = describe("bert", str(tiny_bert), recipe=recipe)

    full = fine_tune(spec, labels(240), TextTraining(recipe, tmp_path / "full")).router
    adapted = fine_tune(full, labels(240, swap=True), TextTraining(BERT, tmp_path / "adapted")).router

    assert accuracy(full, labels(120, seed=1)) >= 0.9
    assert accuracy(adapted, labels(120, seed=1, swap=True)) >= 0.8
    files = adapted.to_files()
    texts = labels(10, seed=7).texts
    expected = adapted.score_texts(texts).tolist()
    assert {name.partition("/")[0] for name in files} == {"network.json", "checkpoint", "update"}
    del adapted
    gc.collect()  # nobody holds the base any more: it is built from the files
    assert TextRouter.from_files(files).score_texts(texts).tolist() == expected


def test_an_interrupted_fine_tuning_ends_where_an_uninterrupted_one_does(tiny_bert, tmp_path):
    recipe = TrainingRecipe(max_tokens=16, max_epochs=2, tokens_per_step=128, steps_per_checkpoint=2)
    spec = describe("bert", str(tiny_bert), recipe=recipe)
    texts = labels(10, seed=7).texts

    def stop_at_5(report):
        if report.step == 5:
            raise KeyboardInterrupt

    whole = fine_tune(spec, labels(120), TextTraining(recipe, tmp_path / "whole"))
    with pytest.raises(KeyboardInterrupt):
        fine_tune(spec, labels(120), TextTraining(recipe, tmp_path / "cut"), on_step=stop_at_5)
    resumed = fine_tune(spec, labels(120), TextTraining(recipe, tmp_path / "cut"))

    assert resumed.trained.facts.resumed_at == (4,)
    assert resumed.router.score_texts(texts).tolist() == whole.router.score_texts(texts).tolist()


def test_a_score_that_is_not_finite_comes_out_nan(causal):
    files = causal.to_files()
    tensors = load(files["update/adapter_model.safetensors"])
    name = next(name for name in tensors if "lora_B" in name)
    tensors[name] = np.full_like(tensors[name], np.inf)

    broken = TextRouter.from_files({**files, "update/adapter_model.safetensors": save(tensors)})

    assert np.isnan(broken.score_texts(["rash", "pain"])).all()
    assert np.isfinite(causal.score_texts(["rash", "pain"])).all()


def test_no_text_and_an_empty_text_are_answered(causal, bert):
    for router in (causal, bert):
        assert router.score_texts([]).shape == (0,)
        assert np.isfinite(router.score_texts([""])).all()


def test_cut_texts_are_counted_and_logged_without_their_words(bert, caplog):
    router = TextRouter.from_files(bert.to_files())

    with caplog.at_level(logging.INFO):
        router.score_texts(["rash", "fever " * 20])

    assert router.n_truncated == 1
    assert "fever" not in caplog.text
    assert "1 of 2 texts were cut to 14 tokens." in caplog.text


def test_an_update_of_another_network_is_refused(causal, bert):
    files = {**causal.to_files()}
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        files[f"update/{name}"] = bert.to_files()[f"update/{name}"]

    with pytest.raises(BundleError, match="update does not fit"):
        TextRouter.from_files(files)


def test_a_base_that_is_no_longer_what_it_was_is_refused(tiny_deberta, tmp_path):
    from safetensors.torch import load_file, save_file

    for path in tiny_deberta.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    recipe = TrainingRecipe(max_tokens=16, max_epochs=1)
    spec = describe("bert", str(tmp_path), recipe=recipe)
    files = fine_tune(spec, labels(20), TextTraining(recipe, tmp_path / "run")).router.to_files()
    gc.collect()
    weights = load_file(tmp_path / "model.safetensors")
    weights["embeddings.word_embeddings.weight"][5] += 0.01
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(BundleError, match="Fetch the checkpoint that it was trained over"):
        TextRouter.from_files(files)


def test_an_altered_update_before_is_refused(causal, tmp_path):
    adapted = fine_tune(causal, labels(20), TextTraining(TrainingRecipe(max_tokens=24, max_epochs=1), tmp_path)).router
    files = adapted.to_files()
    del adapted
    gc.collect()
    tensors = load(files["before/0/adapter_model.safetensors"])
    name = next(iter(tensors))
    tensors[name] = tensors[name] + 1

    with pytest.raises(BundleError, match="missing or altered"):
        TextRouter.from_files({**files, "before/0/adapter_model.safetensors": save(tensors)})


def test_a_format_of_another_release_is_refused(causal):
    files = causal.to_files()
    record = json.loads(files["network.json"]) | {"format": 2}

    with pytest.raises(BundleError, match="its format is 2, known is 1"):
        TextRouter.from_files({**files, "network.json": json.dumps(record).encode()})


def test_dev_rows_keep_groups_whole():
    groups = np.array(["a", "a", "b", "c", "c", "c", "d"])

    is_dev = dev_rows(groups, share=0.5, seed=0)

    assert {g for g, dev in zip(groups, is_dev, strict=True) if dev}.isdisjoint(
        g for g, dev in zip(groups, is_dev, strict=True) if not dev
    )
    assert len(set(groups[is_dev])) == 2


def test_rows_of_one_group_alone_cannot_give_dev_rows():
    with pytest.raises(NotEnoughLabels, match="All 3 rows are of 1 group"):
        dev_rows(np.array(["a", "a", "a"]), share=0.15, seed=0)


def test_a_base_found_below_the_models_folder_is_the_same_base(tiny_bert, tmp_path, monkeypatch):
    (tmp_path / "models" / "encoder").mkdir(parents=True)
    for path in tiny_bert.iterdir():
        (tmp_path / "models" / "encoder" / path.name).write_bytes(path.read_bytes())
    record = describe("bert", str(tiny_bert), recipe=BERT).model_dump(mode="json") | {"base": "/not/here/encoder"}
    monkeypatch.setenv("PRECEPTOR_MODELS", str(tmp_path / "models"))

    assert build_network({"spec": record}).spec.base == "/not/here/encoder"


def test_importing_the_router_imports_no_torch():
    import subprocess
    import sys

    code = "import models.text_router, models.text_training, sys; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"


@pytest.mark.slow
def test_two_processes_build_one_network_from_its_record_and_train_it_as_one_does(tiny_llama, tmp_path):
    recipe = replace(CAUSAL, max_epochs=2)  # no dropout: each process throws its own dice
    spec = describe("causal_lm", str(tiny_llama), recipe=recipe, instruction="A, B or C?")
    texts = labels(30, seed=8).texts

    one = fine_tune(spec, labels(120), TextTraining(recipe, tmp_path / "one"))
    two = fine_tune(spec, labels(120), TextTraining(recipe, tmp_path / "two", processes=2))

    assert (one.trained.facts.n_processes, two.trained.facts.n_processes) == (1, 2)
    assert np.allclose(one.router.score_texts(texts), two.router.score_texts(texts), rtol=0, atol=1e-3)
