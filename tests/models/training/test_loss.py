"""The loss is two sums that add up over any cut; it is what torch's own cross-entropy gives."""

import pytest
import torch

from models.training.loss import weighted_cross_entropy


def random_rows(n=12, classes=3):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(n, classes, generator=generator)
    targets = torch.rand(n, classes, generator=generator)
    return logits, targets / targets.sum(1, keepdim=True), torch.rand(n, generator=generator)


def test_sums_of_uneven_parts_are_the_sums_of_the_whole():
    logits, targets, weights = random_rows()

    whole = weighted_cross_entropy(logits, targets, weights)
    parts = [weighted_cross_entropy(logits[a:b], targets[a:b], weights[a:b]) for a, b in ((0, 1), (1, 4), (4, 12))]

    assert float(sum(part[0] for part in parts)) == pytest.approx(float(whole[0]), rel=1e-6)
    assert float(sum(part[1] for part in parts)) == pytest.approx(float(whole[1]), rel=1e-6)


def test_with_equal_weights_it_is_torchs_mean_cross_entropy():
    logits, targets, _ = random_rows()

    total, weight = weighted_cross_entropy(logits, targets, torch.ones(12))

    assert float(total / weight) == pytest.approx(float(torch.nn.functional.cross_entropy(logits, targets)), rel=1e-6)


def test_bf16_logits_are_summed_in_float32():
    logits, targets, weights = random_rows()

    total, _ = weighted_cross_entropy(logits.bfloat16(), targets, weights)

    assert total.dtype == torch.float32
