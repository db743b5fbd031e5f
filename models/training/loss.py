"""The loss as two sums, so that a step's loss is one division, however the step was cut. Knows nothing of models."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def weighted_cross_entropy(
    logits: "torch.Tensor", targets: "torch.Tensor", weights: "torch.Tensor"
) -> tuple["torch.Tensor", "torch.Tensor"]:
    """Sum of weight times cross-entropy with soft targets, and the sum of weights.

    A mean over a micro-batch must not be formed: means of unequal parts do not average to the mean of the whole, which
    is how accumulation and several processes change a loss unnoticed. Add the sums of all parts, then divide once.

    Args:
        logits: shape (b, c); computed in float32 whatever comes in.
        targets: shape (b, c), rows sum to 1.
        weights: shape (b,), >= 0.

    >>> import torch
    >>> total, weight = weighted_cross_entropy(torch.zeros(2, 2), torch.tensor([[1, 0], [0.5, 0.5]]), torch.ones(2))
    >>> round(float(total / weight), 4)  # log 2
    0.6931
    """
    log_probabilities = logits.float().log_softmax(dim=-1)
    losses = -(targets * log_probabilities).sum(dim=-1)
    return (weights * losses).sum(), weights.sum()
