import json
import shutil
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from core.errors import BundleError, DataError, NotEnoughLabels
from models.encoder_adaptation import AdaptedEncoder, DomainLabels, adapt_encoder
from models.encoder_training import EncoderRecipe
from models.encoders import EncoderSpec, load_encoder
from models.factorization_fit import fit
from models.minilm import minilm_folder
from models.shrinkage import choose_strength, move_from

pytest.importorskip("peft")

WORDS = ["heart", "lung", "bone", "skin", "liver", "nerve", "blood", "brain"]
QUICK = EncoderRecipe(learning_rate=5e-2, head_learning_rate=2e-2, head_decay=1.0, max_epochs=6, batch_size=16)


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    """A tiny encoder with random weights."""
    import torch
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("encoder")
    config = BertConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        vocab_size=30522,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        BertModel(config).save_pretrained(folder)
    shutil.copy(minilm_folder() / "tokenizer.json", folder)
    return EncoderSpec(name=str(folder), runtime="torch", max_tokens=32)


@pytest.fixture(scope="module")
def labels():
    """The strong model is needed where the text says `blood` or `heart` but not both: no vector alone ranks that."""
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, size=3)) for _ in range(240)]
    return DomainLabels(texts, np.array([float(("blood" in text) != ("heart" in text)) for text in texts]))


@pytest.fixture(scope="module")
def base(spec, labels):
    """A base that learned from noise."""
    embeddings = load_encoder(spec).encode(labels.texts)
    return fit(embeddings, np.random.default_rng(1).integers(0, 2, size=(240, 2)).astype(float), ["w", "s"])


@pytest.fixture(scope="module")
def update(spec, labels, base):
    return adapt_encoder(labels, base, ("w", "s"), spec=spec, recipe=QUICK)


def test_training_ranks_the_held_out_rows_better_than_the_vector_alone(update):
    assert update.best_epoch >= 1
    assert update.held_out_gains[update.best_epoch] == max(update.held_out_gains)
    assert max(update.held_out_gains) > update.held_out_gains[0] + 1.0


def test_the_loaded_update_scores_as_the_network_did_when_it_was_kept(update, labels):
    from models.encoder_adaptation import DEV_FOLDS
    from models.selection import grouped_folds, ranking_gain

    held_out = grouped_folds(240, n_folds=DEV_FOLDS, seed=0) == 0
    vectors = AdaptedEncoder(update).encode([text for text, held in zip(labels.texts, held_out, strict=True) if held])

    gain = ranking_gain(update.head.score(vectors), labels.gap[held_out])
    assert gain == pytest.approx(update.held_out_gains[update.best_epoch], abs=1e-6)


def test_the_adapted_encoder_has_a_hash_of_its_own_and_other_vectors(update, spec, labels):
    base, adapted = load_encoder(spec), AdaptedEncoder(update)

    assert adapted.sha256 == update.encoder_sha256 != base.sha256
    assert np.abs(adapted.encode(labels.texts[:5]) - base.encode(labels.texts[:5])).max() > 1e-3


def vector_alone(spec, labels, base, weights=None):
    """The pair's vector as the labels move it over the base encoder."""
    vectors = load_encoder(spec).encode(labels.texts)
    features = (vectors.astype(float) - base.center) * base.scale
    prior = base.collapse("w", "s").vector.astype(float) / base.scale
    targets = (1 + labels.gap) / 2
    strength, _ = choose_strength(features, targets, prior, weights=weights, groups=labels.groups)
    moved, _ = move_from(features, targets, prior, strength=strength, weights=weights)
    return moved * base.scale


def test_an_update_of_zero_is_the_base_encoder_under_the_vector_that_all_labels_moved(spec, labels, base):
    none = adapt_encoder(labels, base, ("w", "s"), spec=spec, recipe=replace(QUICK, max_epochs=0))

    assert none.best_epoch == 0
    np.testing.assert_allclose(none.head.vector, vector_alone(spec, labels, base), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(
        AdaptedEncoder(none).encode(labels.texts[:5]), load_encoder(spec).encode(labels.texts[:5]), atol=1e-6
    )


def test_labels_that_teach_the_encoder_nothing_leave_it_as_it_was(spec, labels, base):
    # one word decides: the vector alone ranks the held-out rows as well as it can be done
    told = replace(labels, gap=np.array([float("blood" in text) for text in labels.texts]))
    kept = adapt_encoder(told, base, ("w", "s"), spec=spec, recipe=replace(QUICK, max_epochs=2))

    assert kept.best_epoch == 0
    np.testing.assert_allclose(
        AdaptedEncoder(kept).encode(labels.texts[:5]), load_encoder(spec).encode(labels.texts[:5]), atol=1e-6
    )


def test_too_few_labels_for_held_out_rows_move_the_vector_alone(spec, labels, base):
    few = DomainLabels(labels.texts[:99], labels.gap[:99])
    kept = adapt_encoder(few, base, ("w", "s"), spec=spec, recipe=QUICK)

    assert (kept.best_epoch, kept.held_out_gains, kept.n_labels) == (0, (), 99)
    np.testing.assert_allclose(kept.head.vector, vector_alone(spec, few, base), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("n", [40, 100])
def test_a_row_of_weight_two_teaches_what_the_same_row_twice_does(spec, labels, base, n):
    # of 100 labels the encoder is trained; full batches and shares of groups make the two trainings the same problem
    recipe = replace(QUICK, max_epochs=1, batch_size=200, head_decay=10.0)
    texts, gap, groups = labels.texts[:n], labels.gap[:n], np.arange(n)
    weights = np.where(gap > 0, 2.0, 1.0)
    twice = np.repeat(np.arange(n), weights.astype(int))
    weighed = DomainLabels(texts, gap, groups, weights)
    repeated = DomainLabels([texts[i] for i in twice], gap[twice], groups[twice])
    one, other = (adapt_encoder(told, base, ("w", "s"), spec=spec, recipe=recipe) for told in (weighed, repeated))
    plain = adapt_encoder(replace(weighed, weights=None), base, ("w", "s"), spec=spec, recipe=recipe)

    difference = np.abs(one.head.vector - other.head.vector).max()
    assert difference < 0.05 * np.abs(one.head.vector - plain.head.vector).max()
    assert one.held_out_gains == pytest.approx(other.held_out_gains, abs=1e-4)
    assert one.best_epoch == other.best_epoch


def test_it_stops_when_patience_is_spent(spec, labels, base):
    told = replace(labels, gap=np.array([float("blood" in text) for text in labels.texts]))
    gains = []
    adapt_encoder(
        told,
        base,
        ("w", "s"),
        spec=spec,
        recipe=replace(QUICK, max_epochs=9, patience=1),
        on_epoch=lambda epoch, gain: gains.append(gain),
    )

    trained = gains[1:]
    assert 2 <= len(trained) < 9
    assert all(after > before for before, after in pairwise(trained[:-1]))
    assert trained[-1] <= trained[-2]


def test_the_files_are_pefts_and_name_no_path_of_this_machine(update, spec):
    config = json.loads(update.files["adapter_config.json"])

    assert sorted(config["target_modules"]) == ["query", "value"]
    assert config["use_rslora"] is True
    assert spec.name not in update.files["adapter_config.json"].decode()
    assert spec.name.encode() not in update.files["adapter_model.safetensors"]


def test_equal_arguments_give_equal_bytes(spec, labels, base):
    recipe = replace(QUICK, max_epochs=1)
    first, second = (adapt_encoder(labels, base, ("w", "s"), spec=spec, recipe=recipe) for _ in range(2))

    assert first.files == second.files
    assert np.array_equal(first.head.vector, second.head.vector)
    assert first.encoder_sha256 == second.encoder_sha256


def test_an_update_of_another_encoder_is_refused(update):
    with pytest.raises(BundleError, match="update belongs to encoder 000000000000"):
        AdaptedEncoder(replace(update, base_encoder_sha256="0" * 64))


def test_a_base_that_reads_other_vectors_is_refused(spec, labels):
    other = fit(np.eye(3), np.array([[0.0, 1.0]] * 3), ["w", "s"])

    with pytest.raises(BundleError, match=r"reads vectors of 3 numbers, .* gives 16"):
        adapt_encoder(labels, other, ("w", "s"), spec=spec, recipe=QUICK)


def test_too_few_labels_are_refused_with_their_number(spec, labels, base):
    few = DomainLabels(labels.texts[:19], labels.gap[:19])

    with pytest.raises(NotEnoughLabels, match="has 19 labels"):
        adapt_encoder(few, base, ("w", "s"), spec=spec, recipe=QUICK)


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ({"gap": np.full(240, 2.0)}, "outside"),
        ({"weights": np.zeros(240)}, "not above 0"),
        ({"weights": np.ones(7)}, "240 gaps and 7 weights"),
    ],
)
def test_labels_that_are_none_are_refused_with_their_fault(spec, labels, base, wrong, fault):
    with pytest.raises(DataError, match=fault):
        adapt_encoder(replace(labels, **wrong), base, ("w", "s"), spec=spec, recipe=QUICK)
