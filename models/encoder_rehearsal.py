"""What adapting an encoder would take: rows, steps, parameters, memory and time, from one timed step. Keeps no weight.

Time is that of one warm step of rows of middle length, multiplied up by tokens; memory is weights, gradients, AdamW's
moments, the copy of the best epoch, and what autograd keeps for that step, scaled to the longest text. Other work on
the machine, and what libraries keep for themselves (about 0.4 GB), are not in them.
"""

import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from models.encoder_adaptation import DEV_FOLDS, FEWEST_LABELS, DomainLabels
from models.encoder_training import EncoderRecipe, TrainableEncoder, Training, TrainingRows
from models.encoders import EncoderSpec
from models.matrix_factorization import MatrixFactorization, PairScorer
from models.selection import grouped_folds

_FORWARD_SHARE = 1 / 3
"""Of a step, what scoring the same rows takes."""


@dataclass(frozen=True)
class EncoderEstimate:
    """An adaptation before it is started. Steps and seconds are of all epochs; it may stop earlier."""

    n_rows: int
    n_dev_rows: int
    n_truncated: int
    n_tokens: int
    """Of all rows to train on, once."""
    n_steps: int
    """0: too few labels to hold some out, so the vector alone is moved, which takes seconds."""
    n_trained: int
    n_parameters: int
    peak_memory_bytes: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Every figure by name."""
        return asdict(self)

    def lines(self) -> list[str]:
        """What `--dry-run` prints."""
        if not self.n_steps:
            return [f"rows          {self.n_rows:,}, under {FEWEST_LABELS}: the pair's vector alone is moved; seconds"]
        return [
            f"rows          {self.n_rows:,} to train on, {self.n_dev_rows:,} dev, {self.n_truncated:,} cut",
            f"tokens        {self.n_tokens:,}",
            f"steps         at most {self.n_steps:,}",
            f"parameters    {self.n_trained:,} trained of {self.n_parameters:,}",
            f"memory        {self.peak_memory_bytes / 1e9:.2f} GB on the CPU, estimated from one step",
            f"time          at most {self.seconds:,.0f} s, estimated from one timed step",
        ]


def rehearse(labels: DomainLabels, *, spec: EncoderSpec, recipe: EncoderRecipe) -> EncoderEstimate:
    """What `adapt_encoder` with these arguments will take.

    Raises:
        NotEnoughLabels: there are fewer groups than `DEV_FOLDS`.
        BundleError, MissingExtra: as `adapt_encoder`.
    """
    n, encoder = len(labels.gap), TrainableEncoder(spec, n_threads=recipe.n_threads)
    ids = [encoder.ids(text) for text in labels.texts]
    lengths = np.array([len(row) for row in ids])
    training = Training(encoder, _nothing_learned(encoder.dimension), _no_direction(encoder.dimension), recipe)
    trained = [weight for group in training.optimizer.param_groups for weight in group["params"]]
    n_trained = sum(weight.numel() for weight in trained)
    n_parameters = sum(weight.numel() for weight in training.model.parameters()) + encoder.dimension + 1
    if n < FEWEST_LABELS:
        return EncoderEstimate(
            n_rows=n,
            n_dev_rows=0,
            n_truncated=encoder.n_truncated,
            n_tokens=int(lengths.sum()),
            n_steps=0,
            n_trained=encoder.dimension + 1,
            n_parameters=n_parameters,
            peak_memory_bytes=4 * n_parameters,
            seconds=0.0,
        )
    seen = grouped_folds(n, n_folds=DEV_FOLDS, seed=recipe.seed, groups=labels.groups) != 0
    by_length = np.argsort(lengths, kind="stable")
    size = min(recipe.batch_size, n)
    start = (n - size) // 2
    middle = by_length[start : start + size]
    rows = TrainingRows(ids, np.zeros(n), np.ones(n))
    seconds, kept_bytes = _timed(training, rows, middle)
    per_token = seconds / (size * int(lengths[middle].max()))
    dev_tokens = float(lengths[~seen].sum()) * (recipe.max_epochs + 1)
    computed = float(lengths[seen].sum()) * recipe.max_epochs + _FORWARD_SHARE * (dev_tokens + float(lengths.sum()))
    return EncoderEstimate(
        n_rows=int(seen.sum()),
        n_dev_rows=int((~seen).sum()),
        n_truncated=encoder.n_truncated,
        n_tokens=int(lengths[seen].sum()),
        n_steps=recipe.max_epochs * -(-int(seen.sum()) // recipe.batch_size),
        n_trained=n_trained,
        n_parameters=n_parameters,
        peak_memory_bytes=4 * n_parameters + 16 * n_trained + int(kept_bytes * lengths.max() / lengths[middle].max()),
        seconds=computed * per_token,
    )


def _timed(training: Training, rows: TrainingRows, chosen: np.ndarray) -> tuple[float, int]:
    """Seconds of the second of two steps over the rows, and the bytes that autograd kept for it, weights left out."""
    own = {weight.untyped_storage().data_ptr() for weight in training.model.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: Any) -> Any:  # noqa: ANN401 - a torch tensor
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    seconds = 0.0
    with training.torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        for _ in range(2):
            kept.clear()
            start = time.perf_counter()
            training.epoch(rows, chosen, 1)
            seconds = time.perf_counter() - start
    return seconds, sum(kept.values())


def _nothing_learned(dimension: int) -> MatrixFactorization:
    return MatrixFactorization(
        model_names=("weak", "strong"),
        model_vectors=np.zeros((2, 1)),
        model_biases=np.zeros(2),
        text_projection=np.zeros((1, dimension)),
        text_bias=np.zeros(1),
        classifier=np.zeros(1),
        center=np.zeros(dimension),
        scale=1.0,
    )


def _no_direction(dimension: int) -> PairScorer:
    return PairScorer(np.zeros(dimension, dtype=np.float32), 0.0)
