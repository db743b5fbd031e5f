"""LoRA on the matrix-factorization router: what it learns, what it leaves alone, and the files it leaves behind."""

import json
from dataclasses import replace

import numpy as np
import pytest

from core.errors import BundleError, NotEnoughLabels
from models.adaptation import FEWEST_LABELS, Recipe, adapt, load_adapter, merge, save_adapter
from models.factorization_fit import fit
from models.lora_training import MODULES, base_network, check_modules, exported, trained_network, untrained_network
from models.selection import ranking_gain
from models.shrinkage import STRENGTHS

PAIR = ("cheap", "dear")
D = 8
SHORT = Recipe(rank=4, max_epochs=40, weight_decay=10.0)


def rows(n, seed, direction):
    """Embeddings, and gaps that are 1 where the strong model alone is right: along `direction`."""
    rng = np.random.default_rng(seed)
    embeddings = rng.normal(size=(n, D)).astype(np.float32)
    needed = rng.random(n) < 1 / (1 + np.exp(-4 * embeddings @ direction))
    return embeddings, needed.astype(float)


GENERAL = np.eye(D)[0]
DOMAIN = np.eye(D)[1]  # nothing of it in the base's rows


@pytest.fixture(scope="module")
def base():
    embeddings, gap = rows(600, 0, GENERAL)
    return fit(embeddings, np.stack([1 - gap, np.ones(600)], axis=1), PAIR, l2=10.0)


@pytest.fixture(scope="module")
def labels():
    return rows(240, 1, DOMAIN)


@pytest.fixture(scope="module")
def adapter(base, labels):
    return adapt(base, *labels, pair=PAIR, recipe=SHORT)


def scores(router, embeddings):
    return router.score_embeddings(embeddings, weak="cheap", strong="dear")


def test_a_direction_that_the_base_never_saw_is_learned(base, adapter):
    embeddings, gap = rows(2000, 2, DOMAIN)

    before, after = (
        0.5 + ranking_gain(scores(router, embeddings), gap) / gap.sum() for router in (base, merge(base, adapter))
    )
    assert before < 0.55  # APGR; a coin has 0.5
    assert after > before + 0.1


def test_merging_without_torch_equals_peft_s_own_merged_module(base, labels):
    import torch

    embeddings, gap = labels
    features = (embeddings - base.center) * base.scale
    model = trained_network(base, features, (1 + gap) / 2, pair=PAIR, recipe=SHORT, on_epoch=lambda *_: None)
    tensors, config = exported(model)
    adapter = replace(adapt(base, *labels, pair=PAIR, recipe=SHORT), tensors=tensors, config=config)
    ours = merge(base, adapter)
    theirs = model.merge_and_unload()
    direction = torch.from_numpy((base.model_vectors[1] - base.model_vectors[0]).astype(np.float32))
    with torch.inference_mode():
        logits = theirs(torch.from_numpy(features.astype(np.float32)), direction).numpy()
    logits += base.model_biases[1] - base.model_biases[0]

    np.testing.assert_allclose(ours.text_projection, theirs.text_projection.weight.detach().numpy(), atol=1e-6)
    np.testing.assert_allclose(ours.classifier, theirs.classifier.weight.detach().numpy()[0], atol=1e-6)
    np.testing.assert_allclose(ours.text_bias, theirs.text_projection.bias.detach().numpy(), atol=1e-6)
    np.testing.assert_allclose(scores(ours, embeddings), 1 / (1 + np.exp(-logits)), atol=1e-6)


def test_before_training_the_update_is_nothing(base):
    import torch

    features = np.random.default_rng(0).normal(size=(5, D)).astype(np.float32)
    direction = torch.from_numpy((base.model_vectors[1] - base.model_vectors[0]).astype(np.float32))
    with torch.inference_mode():
        plain = base_network(torch, base)(torch.from_numpy(features), direction)
        wrapped = untrained_network(base, SHORT)(torch.from_numpy(features), direction)

    np.testing.assert_array_equal(plain.numpy(), wrapped.numpy())


def test_the_base_stays_as_it_was(base, labels):
    before = base.sha256
    adapt(base, *labels, pair=PAIR, recipe=replace(SHORT, max_epochs=3))

    assert base.sha256 == before


def test_only_the_update_and_its_bias_are_trained(base):
    trained = {name for name, weight in untrained_network(base, SHORT).named_parameters() if weight.requires_grad}

    assert trained == {
        "base_model.model.text_projection.base_layer.bias",
        *(f"base_model.model.{module}.lora_{part}.default.weight" for module in MODULES for part in "AB"),
    }


def test_equal_arguments_give_equal_adapters_and_another_seed_another(base, labels, adapter):
    again = adapt(base, *labels, pair=PAIR, recipe=SHORT)
    other = adapt(base, *labels, pair=PAIR, recipe=replace(SHORT, seed=1))

    assert again.tensors.keys() == adapter.tensors.keys()
    assert all(np.array_equal(again.tensors[name], tensor) for name, tensor in adapter.tensors.items())
    assert not all(np.array_equal(other.tensors[name], tensor) for name, tensor in adapter.tensors.items())


def test_training_leaves_torch_s_random_state_and_threads_alone(base, labels):
    import torch

    state, n_threads = torch.random.get_rng_state(), torch.get_num_threads()
    adapt(base, *labels, pair=PAIR, recipe=replace(SHORT, max_epochs=2, n_threads=1))

    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.get_num_threads() == n_threads


def test_ties_count(base, labels):
    embeddings, gap = labels
    wins = 2 * gap - 1  # each row a win of one model
    alone = merge(base, adapt(base, embeddings, wins, pair=PAIR, recipe=SHORT))
    # The same rows once more, as ties: they pull toward a half.
    twice, with_ties = np.vstack([embeddings, embeddings]), np.concatenate([wins, np.zeros(len(wins))])
    beside = merge(base, adapt(base, twice, with_ties, pair=PAIR, recipe=SHORT))
    far_from_half = [float(np.abs(scores(router, embeddings) - 0.5).mean()) for router in (alone, beside)]

    assert far_from_half[1] < far_from_half[0] - 0.05


def test_a_row_of_weight_two_is_as_good_as_the_same_row_twice(base, labels):
    embeddings, gap = labels
    doubled = np.arange(len(gap)) % 3 == 0
    twice = np.concatenate([np.arange(len(gap)), np.flatnonzero(doubled)])
    chosen = replace(SHORT, weight_decay=None)
    weighted = adapt(base, embeddings, gap, pair=PAIR, recipe=SHORT, weights=np.where(doubled, 2.0, 1.0))
    repeated = adapt(base, embeddings[twice], gap[twice], pair=PAIR, recipe=SHORT)
    same_fold = np.concatenate([np.arange(len(gap)), np.flatnonzero(doubled)])
    by_weight = adapt(base, embeddings, gap, pair=PAIR, recipe=chosen, weights=np.where(doubled, 2.0, 1.0))
    by_rows = adapt(base, embeddings[twice], gap[twice], pair=PAIR, recipe=chosen, groups=same_fold)

    there, back = (merge(base, adapter).collapse(*PAIR) for adapter in (weighted, repeated))
    np.testing.assert_allclose(there.vector, back.vector, atol=1e-3 * np.abs(back.vector).max())
    np.testing.assert_allclose(
        [loss for _, loss in by_weight.held_out_losses], [loss for _, loss in by_rows.held_out_losses], rtol=1e-4
    )


def test_weights_decide_what_is_learned(base, labels):
    embeddings, gap = labels
    against = np.vstack([embeddings, embeddings]), np.concatenate([gap, 1 - gap])
    heavy, light = np.full(len(gap), 50.0), np.full(len(gap), 0.02)
    true, false = (
        merge(base, adapt(base, *against, pair=PAIR, recipe=SHORT, weights=np.concatenate(sides)))
        for sides in ((heavy, light), (light, heavy))
    )

    assert ranking_gain(scores(true, embeddings), gap) > ranking_gain(scores(base, embeddings), gap)
    assert ranking_gain(scores(false, embeddings), gap) < ranking_gain(scores(base, embeddings), gap)


def test_more_decay_stays_nearer_to_the_base(base, labels):
    moved = []
    for weight_decay in (1.0, 1_000.0, 1e6):
        adapted = merge(base, adapt(base, *labels, pair=PAIR, recipe=replace(SHORT, weight_decay=weight_decay)))
        moved.append(float(np.linalg.norm(adapted.collapse(*PAIR).vector - base.collapse(*PAIR).vector)))

    assert moved[0] > moved[1] > moved[2]
    assert moved[2] < 0.05 * moved[0]


def test_without_a_named_decay_cross_validation_chooses_one_and_says_how_each_did(base, labels):
    chosen = adapt(base, *labels, pair=PAIR, recipe=replace(SHORT, weight_decay=None, max_epochs=2))
    losses = dict(chosen.held_out_losses)

    assert tuple(losses) == STRENGTHS
    assert chosen.weight_decay == min(losses, key=losses.get)


def test_progress_is_told_epoch_by_epoch(base, labels):
    told = []
    adapt(
        base,
        *labels,
        pair=PAIR,
        recipe=replace(SHORT, max_epochs=3),
        on_step=lambda done, total: told.append((done, total)),
    )

    assert told == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("n", "gap", "said"),
    [
        (FEWEST_LABELS - 1, 1.0, f"{FEWEST_LABELS - 1} labels, {FEWEST_LABELS - 1} of which tell"),
        (FEWEST_LABELS, 0.0, f"{FEWEST_LABELS} labels, 0 of which tell"),
    ],
)
def test_too_few_labels_or_none_that_tells_the_models_apart_are_refused(base, n, gap, said):
    with pytest.raises(NotEnoughLabels, match=said):
        adapt(base, np.zeros((n, D)), np.full(n, gap), pair=PAIR, recipe=SHORT)


def test_a_model_that_the_base_does_not_know_is_refused_by_name(base, labels):
    with pytest.raises(BundleError, match="does not know a model named 'gpt-9'"):
        adapt(base, *labels, pair=("cheap", "gpt-9"), recipe=SHORT)


def test_an_adapter_does_not_merge_into_another_base(base, adapter):
    other = replace(base, model_biases=base.model_biases + 1e-12)

    with pytest.raises(BundleError, match=f"belongs to base {base.sha256[:12]}, not to {other.sha256[:12]}"):
        merge(other, adapter)


def test_an_adapter_that_lacks_a_tensor_is_refused(base, adapter):
    tensors = {name: tensor for name, tensor in adapter.tensors.items() if "classifier.lora_B" not in name}

    with pytest.raises(BundleError, match="lacks the tensor"):
        merge(base, replace(adapter, tensors=tensors))


def test_the_files_round_trip_to_the_bit_and_name_no_path(adapter, tmp_path):
    save_adapter(adapter, tmp_path / "adapter")
    again = load_adapter(tmp_path / "adapter")

    assert sorted(path.name for path in (tmp_path / "adapter").iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "training.json",
    ]
    assert replace(again, tensors={}) == replace(adapter, tensors={})
    assert all(np.array_equal(again.tensors[name], tensor) for name, tensor in adapter.tensors.items())
    for path in (tmp_path / "adapter").iterdir():
        assert str(tmp_path).encode() not in path.read_bytes()


def test_peft_itself_reads_the_files(base, adapter, tmp_path):
    import peft
    import torch

    save_adapter(adapter, tmp_path)
    model = peft.PeftModel.from_pretrained(base_network(torch, base), tmp_path)
    merged = model.merge_and_unload()

    np.testing.assert_allclose(
        merged.text_projection.weight.detach().numpy(), merge(base, adapter).text_projection, atol=1e-6
    )


@pytest.mark.parametrize("name", ["training.json", "adapter_config.json", "adapter_model.safetensors"])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff"], ids=["missing", "empty", "no fields", "no text"])
def test_a_missing_or_damaged_file_is_refused(adapter, tmp_path, name, content):
    save_adapter(adapter, tmp_path)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)

    with pytest.raises(BundleError, match="cannot be read"):
        load_adapter(tmp_path)


def test_a_module_that_got_no_update_is_named(base):
    model = untrained_network(base, SHORT)

    with pytest.raises(ValueError, match="no module named attention, output; it updates classifier, text_projection"):
        check_modules(model, (*MODULES, "output", "attention"))


def test_the_files_are_json_and_safetensors_alone(adapter, tmp_path):
    save_adapter(adapter, tmp_path)

    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["target_modules"] == sorted(MODULES)
    assert config["r"] == 4
    assert (tmp_path / "adapter_model.safetensors").read_bytes()[8:9] == b"{"  # a header of JSON, no pickle
