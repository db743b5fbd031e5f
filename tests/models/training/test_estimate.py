"""What `--dry-run` says: counts are exact, memory and time come from a measured pass, and nothing is moved."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.errors import TrainingError
from models.training.estimate import estimate
from models.training.loop import train
from models.training.network import Examples
from models.training.recipe import TrainingRecipe

RECIPE = TrainingRecipe(method="full", tokens_per_step=400, max_epochs=2)


def test_counts_are_those_of_the_training(tiny, tmp_path):
    rows, dev = tiny.examples(60), tiny.examples(10, seed=1)

    found = estimate(tiny.tiny_bert(), rows, dev, RECIPE, n_truncated=3)

    result = train(tiny.tiny_bert(), rows, dev, RECIPE, folder=tmp_path)
    assert found.n_steps == result.history[0].n_steps == 2 * found.n_steps_per_epoch
    assert found.n_trained == result.facts.n_trained == found.n_parameters
    assert (found.n_rows, found.n_dev_rows, found.n_truncated) == (60, 10, 3)
    assert found.n_tokens == sum(len(ids) for ids in rows.input_ids)
    assert 0.5 < found.padding_efficiency < 1.0


def test_estimating_moves_no_weight_and_leaves_no_gradient(tiny):
    network = tiny.tiny_bert(dropout=0.1)
    network.module.eval()
    before = {name: weight.clone() for name, weight in network.module.state_dict().items()}
    torch.manual_seed(1)
    expected = torch.rand(2).tolist()
    torch.manual_seed(1)

    estimate(network, tiny.examples(30), tiny.examples(5), RECIPE)

    assert all(torch.equal(before[name], weight) for name, weight in network.module.state_dict().items())
    assert all(weight.grad is None for weight in network.module.parameters())
    assert not network.module.training
    assert torch.rand(2).tolist() == expected


def test_a_frozen_base_is_counted_and_costs_no_gradient(tiny):
    whole = estimate(tiny.tiny_bert(), tiny.examples(30), tiny.examples(5), RECIPE)
    network = tiny.tiny_bert()
    network.module.requires_grad_(requires_grad=False)
    network.module.classifier.requires_grad_()

    head = estimate(network, tiny.examples(30), tiny.examples(5), RECIPE)

    assert (head.n_trained, head.n_parameters) == (3 * 16 + 3, whole.n_parameters)
    fixed = [found.peak_memory_bytes - found.activation_bytes for found in (whole, head)]
    assert fixed[0] - fixed[1] == 16 * (whole.n_trained - head.n_trained)
    assert head.activation_bytes < whole.activation_bytes / 2


class OneLayer:
    """A linear layer over one-hot tokens; autograd keeps its input (b x 64 floats) and the log-softmax (b x 3)."""

    pad_id, padding_side = 0, "right"

    def __init__(self):
        self.module = torch.nn.Linear(64, 3)

    def logits(self, input_ids, attention_mask):
        return self.module(torch.nn.functional.one_hot(input_ids[:, 0], 64).float())


def test_activations_are_counted_in_bytes():
    rows = Examples(
        input_ids=tuple(np.array([i]) for i in range(10)),
        targets=np.full((10, 3), 1 / 3),
        weights=np.ones(10),
        gap=np.zeros(10),
    )

    found = estimate(OneLayer(), rows, rows, replace(RECIPE, tokens_per_step=10))

    input_and_logits = 4 * 10 * (64 + 3)
    targets_and_weights = 4 * 10 * (3 + 1)
    assert input_and_logits <= found.activation_bytes <= input_and_logits + targets_and_weights + 4 * 10 * 3


def test_recomputing_activations_shows_as_less_memory(tiny):
    rows = tiny.examples(30)
    plain = estimate(tiny.tiny_bert(), rows, rows, RECIPE)

    saving = estimate(tiny.tiny_bert(), rows, rows, replace(RECIPE, checkpoint_activations=True))

    assert saving.activation_bytes < plain.activation_bytes / 2


def test_time_is_a_measured_speed_times_what_is_computed(tiny):
    rows, dev = tiny.examples(150), tiny.examples(5)
    found = estimate(tiny.tiny_llama(), rows, dev, RECIPE)

    # real tokens of all epochs at the measured speed; the dev rows' forward passes come on top
    training = RECIPE.max_epochs * found.n_tokens / found.tokens_per_s
    assert training <= found.seconds < 1.2 * training


def test_the_lines_say_each_figure_and_that_memory_and_time_are_estimates(tiny):
    text = "\n".join(estimate(tiny.tiny_bert(), tiny.examples(30), tiny.examples(5), RECIPE, n_truncated=2).lines())

    assert "30 to train on, 5 dev, 2 cut" in text
    assert "6,499 trained of 6,499 (100.00%)" in text
    assert text.count("estimated from one") == 2


def test_no_rows_are_refused(tiny):
    none = Examples(input_ids=(), targets=np.zeros((0, 3)), weights=np.zeros(0), gap=np.zeros(0))

    with pytest.raises(TrainingError, match="no example to train on"):
        estimate(tiny.tiny_bert(), none, none, RECIPE)
