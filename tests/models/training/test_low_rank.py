"""Low-rank updates in the loop: the base stays as it was, the update and the head learn, and they can be put back."""

import numpy as np
import pytest
import torch

from core.errors import SettingsError, TrainingError
from models.networks.spec import Lora
from models.networks.updates import put_update
from models.training.estimate import estimate
from models.training.loop import train
from models.training.recipe import TrainingRecipe
from models.training.scoring import class_probabilities
from models.training.weights import set_weights


def recipe(method, **changes):
    values = {"learning_rate": 1e-2, "tokens_per_step": 512, "max_epochs": 2, "lora_rank": 4, "lora_alpha": 8.0}
    return TrainingRecipe(method=method, **{**values, **changes})


@pytest.fixture
def updated(tiny):
    def build(method, **changes):
        network = tiny.tiny_llama()
        lora = Lora.of(recipe(method, **changes))
        network.module = put_update(network.module, lora, head=("score",), seed=0)
        return network

    return build


@pytest.mark.parametrize("method", ["lora", "rslora", "dora"])
def test_the_update_and_the_head_learn_and_the_base_stays_bit_for_bit(tiny, updated, tmp_path, method):
    network = updated(method)
    before = {name: weight.detach().clone() for name, weight in network.module.named_parameters()}

    result = train(network, tiny.examples(150), tiny.examples(30, seed=1), recipe(method), folder=tmp_path)

    after = dict(network.module.named_parameters())
    changed = {name for name, weight in before.items() if not torch.equal(weight, after[name])}
    assert changed == set(result.weights)
    assert {"lora_A", "lora_B", "modules_to_save"} <= {part for name in changed for part in name.split(".")}
    assert not any("base_layer" in name or "original_module" in name for name in changed)
    assert result.history[-1].loss < 0.9 * result.history[0].loss


def test_trained_weights_put_on_a_new_network_give_the_same_scores(tiny, updated, tmp_path):
    network, queries = updated("rslora"), tiny.examples(20, seed=2).input_ids
    result = train(network, tiny.examples(60), tiny.examples(20, seed=1), recipe("rslora"), folder=tmp_path)
    fresh = updated("rslora")
    assert not np.allclose(class_probabilities(fresh, queries), class_probabilities(network, queries), atol=1e-4)

    set_weights(fresh.module, result.weights)

    assert np.array_equal(class_probabilities(fresh, queries), class_probabilities(network, queries))


def test_weights_of_another_network_are_refused(tiny, updated, tmp_path):
    result = train(updated("lora"), tiny.examples(20), tiny.examples(5), recipe("lora"), folder=tmp_path)

    with pytest.raises(TrainingError, match="The network has no weight base_model"):
        set_weights(tiny.tiny_llama().module, result.weights)
    with pytest.raises(TrainingError, match=r"of shape \[4, 16\]"):
        set_weights(updated("lora", lora_rank=2).module, result.weights)


def test_a_module_that_no_layer_is_named_is_refused_and_not_passed_over(updated):
    with pytest.raises(SettingsError, match="target_modules names embed_out"):
        updated("lora", target_modules=("q_proj", "embed_out"))


def test_an_update_trains_few_parameters_and_the_estimate_says_so(tiny, updated):
    network = updated("lora")
    rows = tiny.examples(30)

    found = estimate(network, rows, rows, recipe("lora"))

    # Per layer: q, k, v, o of 16 x 16, gate and up of 16 -> 32, down of 32 -> 16; rank 4; and the head of 3 x 16.
    per_layer = 4 * (4 * (16 + 16) + 3 * (16 + 32))
    assert found.n_trained == 2 * per_layer + 3 * 16
    assert found.n_parameters == found.n_trained + sum(w.numel() for w in tiny.tiny_llama().module.parameters())
