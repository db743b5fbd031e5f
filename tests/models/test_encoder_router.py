"""The router over an adapted encoder: scores, files, threads."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from safetensors import numpy as safetensors

from core.errors import BundleError
from models.encoder_adaptation import DomainLabels, adapt_encoder
from models.encoder_rehearsal import rehearse
from models.encoder_router import EncoderRouter
from models.encoder_training import EncoderRecipe
from models.encoders import EncoderSpec, load_encoder
from models.factorization_fit import fit
from models.families import Reading, files_of, router_from
from models.matrix_factorization import PairScorer
from models.minilm import minilm_folder
from models.router import Queries, Router

pytest.importorskip("peft")

RECIPE = EncoderRecipe(learning_rate=5e-2, head_learning_rate=2e-2, head_decay=1.0, max_epochs=6, batch_size=16)
WORDS = ["heart", "lung", "bone", "skin", "liver", "nerve", "blood", "brain"]


@pytest.fixture(scope="module")
def labels():
    """The strong model is needed where the text says `blood` or `heart` but not both."""
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, size=3)) for _ in range(240)]
    return DomainLabels(texts, np.array([float(("blood" in text) != ("heart" in text)) for text in texts]))


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    """A tiny encoder with random weights."""
    import torch
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("tiny-encoder")
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        BertModel(BertConfig(max_position_embeddings=64, vocab_size=30522, **sizes)).save_pretrained(folder)
    shutil.copy(minilm_folder() / "tokenizer.json", folder)
    return EncoderSpec(name=str(folder), runtime="torch", max_tokens=32)


@pytest.fixture(scope="module")
def router(spec, labels):
    vectors = load_encoder(spec).encode(labels.texts)
    base = fit(vectors, np.random.default_rng(1).integers(0, 2, size=(240, 2)).astype(float), ["w", "s"])
    return EncoderRouter.of(adapt_encoder(labels, base, ("w", "s"), spec=spec, recipe=RECIPE))


@pytest.fixture(scope="module")
def files(router):
    return files_of(router)


def no_vectors(texts):
    raise AssertionError("it reads the text itself")


def test_it_reads_the_text_itself_and_gives_the_formula_of_its_own_encoder(router, labels):
    texts = labels.texts[:7]
    scores = router.score(Queries(texts, no_vectors))

    vectors = router._encoder.encode(texts).astype(float)
    logits = vectors @ router.update.head.vector.astype(float) + router.update.head.intercept
    assert isinstance(router, Router)
    assert (router.family, router.dimension) == ("mf_encoder", None)
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-logits)), atol=1e-6)


def test_it_ranks_what_no_vector_alone_can(router, labels):
    scores = router.score_texts(labels.texts)

    assert router.update.best_epoch >= 1
    assert scores[labels.gap == 1].mean() > scores[labels.gap == 0].mean() + 0.3  # a tie is half a win, so 0.5 at most


def test_its_files_give_the_same_scores_and_the_same_files(router, files, labels):
    read = router_from("mf_encoder", files, Reading("w", "s"))

    assert np.array_equal(read.score(Queries(labels.texts, no_vectors)), router.score_texts(labels.texts))
    assert files_of(read) == files


def test_its_files_are_safetensors_json_and_pefts_own(files):
    assert sorted(files) == [
        "encoder.json",
        "head.safetensors",
        "update/adapter_config.json",
        "update/adapter_model.safetensors",
    ]


def test_threads_that_share_it_get_what_one_gets(router, labels):
    parts = [labels.texts[start : start + 10] for start in range(0, 240, 10)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(router.score_texts, parts))

    assert all(np.array_equal(found, router.score_texts(part)) for found, part in zip(together, parts, strict=True))


def test_what_is_not_finite_is_no_score(router):
    broken = replace(router.update, head=PairScorer(np.full(16, np.inf, dtype=np.float32), 0.0))

    assert np.isnan(EncoderRouter.of(broken).score_texts(["blood"])).all()


def test_texts_that_are_cut_are_counted(files):
    read = EncoderRouter.from_files(files)
    read.score_texts(["blood " * 40, "heart"])

    assert read.n_truncated == 1


def altered_record(files, **values):
    return files | {"encoder.json": json.dumps(json.loads(files["encoder.json"]) | values).encode()}


def altered_head(files, vector):
    return files | {"head.safetensors": safetensors.save({"vector": vector, "intercept": np.zeros(1)})}


@pytest.mark.parametrize(
    ("alter", "said"),
    [
        (lambda files: altered_record(files, encoder_sha256="0" * 64), "says 000000000000"),
        (lambda files: altered_record(files, base_encoder_sha256="0" * 64), "has hash .* with its base"),
        (lambda files: altered_record(files, format=2), "its format is 2, known is 1"),
        (lambda files: altered_head(files, np.zeros(3, dtype=np.float32)), r"shape \(3,\), .* gives 16 numbers"),
        (lambda files: altered_head(files, np.full(16, np.nan, dtype=np.float32)), "not finite"),
        (lambda files: {name: files[name] for name in files if name != "head.safetensors"}, "head.safetensors"),
        (lambda files: files | {"update/adapter_config.json": b"{}"}, "has hash .* with its base"),
    ],
)
def test_files_that_were_altered_are_refused(files, alter, said):
    with pytest.raises(BundleError, match=said):
        router_from("mf_encoder", alter(files), Reading("w", "s"))


def test_another_encoder_under_the_same_name_is_refused(files, spec, tmp_path):
    folder = shutil.copytree(spec.name, tmp_path / "encoder")
    weights = safetensors.load_file(folder / "model.safetensors")
    safetensors.save_file({name: tensor * 1.5 for name, tensor in weights.items()}, folder / "model.safetensors")
    record = json.loads(files["encoder.json"])
    moved = altered_record(files, spec=record["spec"] | {"name": str(folder)})

    with pytest.raises(BundleError, match="Install that encoder, or train on this one"):
        EncoderRouter.from_files(moved)


def test_a_rehearsal_counts_rows_steps_and_parameters(spec, labels):
    found = rehearse(labels, spec=spec, recipe=RECIPE)

    assert (found.n_rows, found.n_dev_rows) == (192, 48)
    assert found.n_tokens == 192 * 5  # three words between two special tokens
    assert found.n_steps == 6 * 12
    assert found.n_trained == 2 * 2 * 8 * 16 + 17  # query and value, A and B of rank 8, and the pair's vector
    assert found.peak_memory_bytes > 4 * found.n_parameters
    assert found.seconds > 0


def test_a_rehearsal_of_few_labels_says_that_the_vector_alone_is_moved(spec, labels):
    few = DomainLabels(labels.texts[:99], labels.gap[:99])
    found = rehearse(few, spec=spec, recipe=RECIPE)

    assert found.n_steps == 0
    assert found.lines() == ["rows          99, under 100: the pair's vector alone is moved; seconds"]
