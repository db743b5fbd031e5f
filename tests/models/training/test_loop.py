"""The loop: loss and gradients whatever the cut, learning, early stopping, the best weights, refusals."""

import logging
import subprocess
import sys

import numpy as np
import pytest
import torch

from core.errors import MissingExtra, TrainingError
from models.selection import ranking_gain
from models.training.loop import train
from models.training.network import Examples
from models.training.recipe import TrainingRecipe
from models.training.scoring import class_probabilities

RECIPE = TrainingRecipe(method="full", learning_rate=3e-3, tokens_per_step=256, tokens_at_once=4096, max_epochs=2)


def nothing():
    return Examples(input_ids=(), targets=np.zeros((0, 3)), weights=np.zeros(0), gap=np.zeros(0))


@pytest.fixture
def trained(tiny, tmp_path):
    """Trains a tiny network on 60 rows; settings that are not the recipe's own are `n`, `dev`, `network`, `folder`."""

    def run(*, n=60, dev=None, network=None, folder="run", on_step=lambda report: None, **changes):
        network = network or tiny.tiny_bert()
        recipe = TrainingRecipe(**{**vars(RECIPE), **changes})
        rows = nothing() if dev is None else dev
        return train(network, tiny.examples(n), rows, recipe, folder=tmp_path / folder, on_step=on_step)

    return run


def largest_difference(one, other):
    assert set(one.weights) == set(other.weights)
    return max(float(np.abs(one.weights[name] - other.weights[name]).max()) for name in one.weights)


@pytest.mark.parametrize("family", ["tiny_bert", "tiny_llama"])
def test_loss_and_gradient_are_those_of_the_whole_step_whatever_the_passes(tiny, trained, family):
    few = trained(network=getattr(tiny, family)(), folder="few", max_epochs=1)
    many = trained(network=getattr(tiny, family)(), folder="many", max_epochs=1, tokens_at_once=32)

    assert [r.loss for r in many.history] == pytest.approx([r.loss for r in few.history], rel=1e-5)
    assert [r.gradient_norm for r in many.history] == pytest.approx([r.gradient_norm for r in few.history], rel=1e-4)
    assert largest_difference(few, many) < 1e-4


def test_the_first_steps_loss_and_gradient_are_plain_torchs(tiny, trained):
    network = tiny.tiny_bert()
    rows = tiny.examples(60)
    history = trained(network=network, tokens_per_step=10**6, tokens_at_once=64, max_epochs=1).history

    fresh = tiny.tiny_bert()
    fresh.module.train()
    total = 0.0
    for ids, target, weight in zip(rows.input_ids, rows.targets, rows.weights, strict=True):
        logits = fresh.logits(torch.tensor(ids)[None], torch.ones(1, len(ids), dtype=torch.long))
        total = total - weight * (torch.tensor(target) * logits[0].log_softmax(-1)).sum()
    loss = total / rows.weights.sum()
    loss.backward()
    norm = torch.stack([w.grad.norm() for w in fresh.module.parameters() if w.grad is not None]).norm()

    assert len(history) == 1
    assert history[0].loss == pytest.approx(loss.item(), rel=1e-5)
    assert history[0].gradient_norm == pytest.approx(float(norm), rel=1e-4)


def test_a_launchers_own_number_of_accumulation_steps_divides_nothing(trained, monkeypatch):
    plain = trained(folder="plain", max_epochs=1)
    monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4")

    launched = trained(folder="launched", max_epochs=1)

    assert launched.history[0].gradient_norm == plain.history[0].gradient_norm
    assert largest_difference(plain, launched) == 0.0


def test_the_same_training_gives_the_same_weights_bit_for_bit_with_dropout(tiny, trained):
    one = trained(network=tiny.tiny_bert(dropout=0.2), folder="one")
    torch.manual_seed(99)
    torch.rand(7)
    two = trained(network=tiny.tiny_bert(dropout=0.2), folder="two")
    other_seed = trained(network=tiny.tiny_bert(dropout=0.2), folder="three", seed=1)

    assert largest_difference(one, two) == 0.0
    assert largest_difference(one, other_seed) > 1e-4


def test_a_training_gives_random_numbers_and_threads_back_and_records_its_threads(tiny, trained):
    network = tiny.tiny_bert(dropout=0.2)
    n_threads = torch.get_num_threads()
    torch.manual_seed(5)
    expected = torch.rand(3).tolist()
    torch.manual_seed(5)

    result = trained(network=network, n=10, n_threads=n_threads + 1, max_epochs=1)

    assert torch.rand(3).tolist() == expected
    assert torch.get_num_threads() == n_threads
    assert result.facts.n_threads == n_threads + 1


@pytest.mark.parametrize("family", ["tiny_bert", "tiny_llama"])
def test_a_planted_rule_is_learnt_and_dev_rows_are_ranked_by_it(tiny, trained, family):
    network, dev = getattr(tiny, family)(), tiny.examples(100, seed=1)

    result = trained(network=network, n=300, dev=dev, learning_rate=1e-2, tokens_per_step=512, max_epochs=3)

    best_possible = ranking_gain(dev.gap, dev.gap)
    assert ranking_gain(class_probabilities(network, dev.input_ids)[:, 0], dev.gap) > 0.95 * best_possible
    assert result.history[-1].loss < 0.8 * result.history[0].loss


def test_the_network_holds_the_weights_of_the_best_evaluation(tiny, trained):
    network, dev = tiny.tiny_bert(), tiny.examples(40, seed=1)

    result = trained(network=network, dev=dev, learning_rate=2e-2, max_epochs=6, patience=100)

    evaluated = {report.step: report.dev for report in result.history if report.dev}
    best = max(evaluated, key=lambda step: (evaluated[step].ranking, -evaluated[step].loss))
    assert result.best_step == best
    assert max(step for step, dev in evaluated.items() if dev.is_best) == best
    score = ranking_gain(class_probabilities(network, dev.input_ids)[:, 0], dev.gap)
    assert score == pytest.approx(evaluated[best].ranking, abs=1e-6)
    own = dict(network.module.named_parameters())
    assert all(np.array_equal(own[name].detach().numpy(), value) for name, value in result.weights.items())


def test_training_stops_after_its_patience_and_says_so(tiny, trained):
    hopeless = tiny.examples(40, seed=1)
    hopeless = Examples(hopeless.input_ids, hopeless.targets[::-1], hopeless.weights, -hopeless.gap)

    result = trained(dev=hopeless, n=200, learning_rate=1e-2, max_epochs=10, patience=2)

    evaluations = [report.dev for report in result.history if report.dev]
    assert result.stopped_early
    assert [dev.is_best for dev in evaluations[-2:]] == [False, False]
    assert len(evaluations) < 10


def test_without_dev_rows_every_epoch_is_run_and_the_last_weights_stay(trained):
    result = trained(max_epochs=3)

    assert not result.stopped_early
    assert result.best_step == result.history[-1].step == result.history[-1].n_steps
    assert all(report.dev is None for report in result.history)


def test_a_listener_hears_of_every_step_in_order(trained):
    heard = []

    result = trained(on_step=heard.append)

    assert tuple(heard) == result.history
    assert [report.step for report in heard] == list(range(1, heard[0].n_steps + 1))
    assert {report.epoch for report in heard} == {1, 2}
    assert all(report.tokens_per_s > 0 for report in heard)


def test_a_row_of_weight_zero_moves_nothing(tiny, tmp_path):
    rows = tiny.examples(20)
    silent = Examples(rows.input_ids, rows.targets, np.r_[rows.weights[:19], 0.0], rows.gap)
    absurd = Examples(rows.input_ids, np.r_[rows.targets[:19], [[0, 0, 1]]], silent.weights, rows.gap)

    results = [
        train(tiny.tiny_bert(), given, nothing(), RECIPE, folder=tmp_path / str(number))
        for number, given in enumerate((silent, absurd))
    ]

    assert largest_difference(*results) == 0.0


def test_only_what_requires_a_gradient_is_trained(tiny, trained):
    network = tiny.tiny_bert()
    network.module.requires_grad_(requires_grad=False)
    network.module.classifier.requires_grad_()
    before = {name: weight.detach().clone() for name, weight in network.module.named_parameters()}

    result = trained(network=network)

    assert set(result.weights) == {"classifier.weight", "classifier.bias"}
    assert result.facts.n_trained == 3 * 16 + 3
    after = dict(network.module.named_parameters())
    changed = {name for name, weight in before.items() if not torch.equal(weight, after[name])}
    assert changed == {"classifier.weight", "classifier.bias"}


def test_activations_recomputed_give_the_same_weights(tiny, trained):
    plain = trained(network=tiny.tiny_bert(dropout=0.2), folder="plain", max_epochs=1)
    saving = trained(network=tiny.tiny_bert(dropout=0.2), folder="saving", max_epochs=1, checkpoint_activations=True)

    assert largest_difference(plain, saving) < 1e-6


def test_a_network_that_cannot_recompute_activations_is_refused(trained):
    with pytest.raises(TrainingError, match="holds no transformers model that can"):
        trained(network=LinearNetwork(), checkpoint_activations=True)


def test_bf16_computes_in_bf16_and_trains_float32_weights(trained):
    in_fp32 = trained(folder="fp32", max_epochs=1)
    in_bf16 = trained(folder="bf16", max_epochs=1, precision="bf16")

    assert (in_fp32.facts.precision, in_bf16.facts.precision) == ("fp32", "bf16")
    assert {value.dtype for value in in_bf16.weights.values()} == {np.dtype(np.float32)}
    assert in_bf16.history[0].loss == pytest.approx(in_fp32.history[0].loss, rel=0.02)
    assert largest_difference(in_fp32, in_bf16) > 0.0


def test_weights_loaded_in_bf16_are_refused(tiny, trained):
    network = tiny.tiny_bert()
    network.module.to(torch.bfloat16)

    with pytest.raises(TrainingError, match=r"are torch\.bfloat16, .*Load the network with dtype=torch\.float32"):
        trained(network=network)


def test_a_frozen_network_is_refused(tiny, trained):
    network = tiny.tiny_bert()
    network.module.requires_grad_(requires_grad=False)

    with pytest.raises(TrainingError, match="No weight of the network requires a gradient"):
        trained(network=network)


def test_no_rows_are_refused(tiny, tmp_path):
    with pytest.raises(TrainingError, match="no example to train on"):
        train(tiny.tiny_bert(), nothing(), nothing(), RECIPE, folder=tmp_path)


def test_a_loss_that_is_not_finite_stops_the_training_before_it_moves_weights(tiny, trained):
    network = tiny.tiny_bert()
    with torch.no_grad():
        network.module.classifier.bias[0] = torch.nan
    before = network.module.bert.embeddings.word_embeddings.weight.detach().clone()

    with pytest.raises(TrainingError, match="The loss of step 1 is nan"):
        trained(network=network)

    assert torch.equal(before, network.module.bert.embeddings.word_embeddings.weight)


def test_a_finished_training_is_not_run_again(tiny, trained, caplog):
    first = trained(network=tiny.tiny_bert(), dev=tiny.examples(30, seed=1))
    heard = []
    with caplog.at_level(logging.INFO):
        again = trained(network=tiny.tiny_bert(), dev=tiny.examples(30, seed=1), on_step=heard.append)

    assert heard == []
    assert largest_difference(first, again) == 0.0
    assert again.history == first.history
    assert again.best_step == first.best_step
    assert again.facts.resumed_at == ()


def test_a_gradient_that_is_not_finite_stops_the_training_too(trained):
    class Network(LinearNetwork):
        def logits(self, input_ids, attention_mask):
            found = super().logits(input_ids, attention_mask)
            return found + (found - found.detach()).abs().sqrt()  # zero, with an infinite slope

    with pytest.raises(TrainingError, match=r"The loss of step 1 is 1\.\d+ and its gradient's norm (nan|inf)"):
        trained(network=Network())


def test_without_the_libraries_the_extra_to_install_is_named(tiny, trained, monkeypatch):
    network = tiny.tiny_bert()
    monkeypatch.setitem(sys.modules, "accelerate", None)

    with pytest.raises(MissingExtra, match=r"pip install 'preceptor\[train\]'"):
        trained(network=network)


def test_the_engine_is_imported_without_torch():
    program = "import sys, models.training.worker, models.training.loop, models.training.estimate, models.training.job"

    subprocess.run([sys.executable, "-c", f"{program}; sys.exit('torch' in sys.modules)"], check=True)


class LinearNetwork:
    """A network of no library: counts tokens, then one linear layer."""

    pad_id, padding_side = 0, "right"

    def __init__(self):
        torch.manual_seed(0)
        self.module = torch.nn.Linear(40, 3)

    def logits(self, input_ids, attention_mask):
        return self.module((torch.nn.functional.one_hot(input_ids, 40) * attention_mask[..., None]).sum(1).float())
