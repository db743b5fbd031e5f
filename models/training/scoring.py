"""Class probabilities of many queries: length-sorted batches, inference mode, the order restored. Trains nothing."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64, Int

from models.training.batches import PASS_COST, PASS_COST_ON_GPU, scoring_batches
from models.training.network import CLASSES, ClassNetwork

if TYPE_CHECKING:
    import torch

TOKENS_AT_ONCE = 16_384
"""Padded tokens of one forward pass when only scores are wanted."""


def class_probabilities(
    network: ClassNetwork, input_ids: Sequence[Int[np.ndarray, " t"]], *, tokens_at_once: int = TOKENS_AT_ONCE
) -> Float64[np.ndarray, "n c"]:
    """Probability of each class, per query, in the order given; NaN throughout a row that is not finite.

    A row depends on the queries beside it in its batch only in the last bits of float32.

    Args:
        network: it stays in the mode it was in, training or evaluation.
        input_ids: token ids of each query, not padded.
        tokens_at_once: padded tokens of one forward pass; a longer query gets a pass of its own.
    """
    with evaluating(network):
        logs = log_probabilities(network.logits, network, input_ids, tokens_at_once=tokens_at_once)
    return np.asarray(np.exp(logs))


def log_probabilities(
    forward: Callable[["torch.Tensor", "torch.Tensor"], "torch.Tensor"],
    network: ClassNetwork,
    input_ids: Sequence[Int[np.ndarray, " t"]],
    *,
    tokens_at_once: int,
    process: tuple[int, int] = (0, 1),
) -> Float64[np.ndarray, "n c"]:
    """Log-probabilities of this process's share of the queries, zeros elsewhere: all processes' results add up.

    Args:
        forward: `network.logits`, or what a launcher made of it.
        network: padding id and side.
        input_ids: all queries, the same in every process.
        tokens_at_once: as in `class_probabilities`.
        process: this process's number and how many there are.
    """
    import torch

    lengths = lengths_of(input_ids)
    index, n_processes = process
    device = device_of(network)
    result: Float64[np.ndarray, "n c"] | None = None
    with torch.no_grad():  # not inference_mode: what a model caches in it (rotary tables) could not be trained on
        for passes in scoring_batches(
            lengths,
            tokens_at_once=max(tokens_at_once, int(lengths.max(initial=1))),
            n_processes=n_processes,
            pass_cost=pass_cost_of(device),
        ):
            batch = passes[index]
            logits = forward(*padded(network, input_ids, batch.rows, device=device))
            logs = logits.cpu().double().log_softmax(dim=-1).numpy()
            if result is None:
                result = np.zeros((len(input_ids), logs.shape[1]))
            if batch.counts:
                result[batch.rows] = np.where(np.isfinite(logs).all(axis=1, keepdims=True), logs, np.nan)
    return np.zeros((0, len(CLASSES))) if result is None else result


def padded(
    network: ClassNetwork,
    input_ids: Sequence[Int[np.ndarray, " t"]],
    rows: Int[np.ndarray, " b"],
    *,
    device: "torch.device",
) -> tuple["torch.Tensor", "torch.Tensor"]:
    """Token ids and attention mask of some queries, each of shape (b, t), padded on the network's side."""
    import torch

    chosen = [input_ids[row] for row in rows]
    longest = max(len(ids) for ids in chosen)
    tokens = np.full((len(chosen), longest), network.pad_id, dtype=np.int64)
    mask = np.zeros((len(chosen), longest), dtype=np.int64)
    for at, ids in enumerate(chosen):
        place = slice(longest - len(ids), None) if network.padding_side == "left" else slice(None, len(ids))
        tokens[at, place], mask[at, place] = ids, 1
    return torch.from_numpy(tokens).to(device), torch.from_numpy(mask).to(device)


def lengths_of(input_ids: Sequence[Int[np.ndarray, " t"]]) -> Int[np.ndarray, " n"]:
    """Tokens of each query."""
    return np.array([len(ids) for ids in input_ids], dtype=np.int64)


def device_of(network: ClassNetwork) -> "torch.device":
    """Where the network's weights are."""
    return next(network.module.parameters()).device


def pass_cost_of(device: "torch.device") -> int:
    """What starting one more pass costs there, in padded tokens."""
    return PASS_COST if device.type == "cpu" else PASS_COST_ON_GPU


@contextmanager
def evaluating(network: ClassNetwork) -> Iterator[None]:
    """Dropout off; the mode that was on before returns afterwards."""
    was_training = network.module.training
    network.module.eval()
    try:
        yield
    finally:
        network.module.train(was_training)
