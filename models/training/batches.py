"""The plan of an epoch: which examples share an optimiser step, and how a step is cut into forward passes.

Numbers only, never tensors. A step is a random sample, as it would be without any concern for lengths; only inside a
step are examples sorted by length and put into passes of nearly equal ones. So little is padded, no gradient leans to
a length, and a step's examples are the same for one process and for eight, with accumulation or without.
Lengths count tokens, special ones included.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from core.errors import SettingsError

PASS_COST = 64
"""What starting one more forward and backward pass costs, in padded tokens computed meanwhile; about that of a CPU."""

PASS_COST_ON_GPU = 1024
"""The same for a GPU, which wants large passes."""

_ROWS_SCORED_TOGETHER = 256


@dataclass(frozen=True)
class MicroBatch:
    """Examples of one forward pass of one process, sorted by length."""

    rows: Int[np.ndarray, " b"]
    counts: bool = True
    """False: it repeats an example, with weight zero, so that every process runs as many passes."""


def epoch_steps(
    lengths: Int[np.ndarray, " n"], *, tokens_per_step: int, seed: int, epoch: int
) -> tuple[Int[np.ndarray, " b"], ...]:
    """Rows of each optimiser step of one epoch, in the order of training; every row is in exactly one step.

    Rows are shuffled by (seed, epoch) and cut where a step has its share of tokens. All steps get nearly the same
    number of tokens, at most `tokens_per_step` plus one text.

    Args:
        lengths: tokens of each example, at least 1.
        tokens_per_step: real tokens of one step.
        seed: of the whole training.
        epoch: from 0; each has its own order.

    >>> steps = epoch_steps(np.array([4, 4, 4, 4]), tokens_per_step=8, seed=0, epoch=0)
    >>> [len(step) for step in steps]
    [2, 2]
    """
    if len(lengths) == 0:
        return ()
    order = np.random.default_rng([seed, epoch]).permutation(len(lengths))
    ends = np.cumsum(lengths[order])
    n_steps = n_steps_of(lengths, tokens_per_step)
    middles = ends - lengths[order] / 2
    step_of_row = np.minimum((middles * n_steps / ends[-1]).astype(np.int64), n_steps - 1)
    return tuple(rows for rows in np.split(order, np.searchsorted(step_of_row, np.arange(1, n_steps))) if len(rows))


def n_steps_of(lengths: Int[np.ndarray, " n"], tokens_per_step: int) -> int:
    """Into how many steps an epoch is cut; fewer come out only where one text is longer than a step.

    >>> n_steps_of(np.array([4, 4, 4, 4]), 8), n_steps_of(np.array([4, 4, 4, 5]), 8)
    (2, 3)
    """
    return max(1, min(len(lengths), -(-int(lengths.sum()) // tokens_per_step)))


def micro_batches(
    rows: Int[np.ndarray, " b"],
    lengths: Int[np.ndarray, " n"],
    *,
    tokens_at_once: int,
    n_processes: int = 1,
    pass_cost: int = PASS_COST,
) -> tuple[tuple[MicroBatch, ...], ...]:
    """Per process its forward passes of one step: equally many, each of at most `tokens_at_once` padded tokens.

    Rows are sorted by length and cut where padded tokens plus `pass_cost` a pass are fewest (dynamic programming).
    Where the number of passes does not divide among the processes, the largest are halved; a process that is still
    left without examples repeats the shortest one, and the copy counts nothing. Passes that run at one time in
    several processes are of nearly equal size.

    Raises:
        SettingsError: an example is longer than `tokens_at_once`.

    >>> ((one, two),) = micro_batches(np.array([0, 1, 2]), np.array([5, 99, 6]), tokens_at_once=100)
    >>> one.rows.tolist(), two.rows.tolist()
    ([1], [0, 2])
    """
    if len(rows) == 0:
        return ((),) * n_processes
    ordered = rows[np.argsort(lengths[rows], kind="stable")]
    longest = int(lengths[ordered[-1]])
    if longest > tokens_at_once:
        raise SettingsError(
            f"A text has {longest} tokens and tokens_at_once is {tokens_at_once}. "
            f"Raise tokens_at_once to at least {longest}, or lower max_tokens."
        )
    pieces = np.split(ordered, _cheapest_cuts(lengths[ordered], tokens_at_once, pass_cost))
    pieces = _halved_until_even(pieces, lengths, n_processes)
    pieces.sort(key=lambda piece: -len(piece) * int(lengths[piece[-1]]))
    batches = [MicroBatch(piece) for piece in pieces]
    batches += [MicroBatch(ordered[:1], counts=False)] * (-len(batches) % n_processes)
    return tuple(tuple(batches[process::n_processes]) for process in range(n_processes))


def scoring_batches(
    lengths: Int[np.ndarray, " n"], *, tokens_at_once: int, n_processes: int = 1, pass_cost: int = PASS_COST
) -> Iterator[tuple[MicroBatch, ...]]:
    """All rows, sorted by length, as passes: yields one pass per process at a time. Refusals as `micro_batches`."""
    order = np.argsort(lengths, kind="stable")[::-1]
    for start in range(0, len(order), _ROWS_SCORED_TOGETHER):
        shares = micro_batches(
            order[start : start + _ROWS_SCORED_TOGETHER],
            lengths,
            tokens_at_once=tokens_at_once,
            n_processes=n_processes,
            pass_cost=pass_cost,
        )
        yield from zip(*shares, strict=True)


def padding_efficiency(lengths: Int[np.ndarray, " n"], batches: Sequence[Int[np.ndarray, " b"]]) -> float:
    """Real tokens over padded tokens, when each batch is padded to its longest row; 1 wastes nothing.

    >>> padding_efficiency(np.array([3, 4, 9]), [np.array([0, 1]), np.array([2])])  # 16 of 17
    0.9411764705882353
    """
    padded = sum(len(batch) * int(lengths[batch].max()) for batch in batches if len(batch))
    real = sum(int(lengths[batch].sum()) for batch in batches)
    return real / padded if padded else 1.0


def _cheapest_cuts(ordered: Int[np.ndarray, " b"], budget: int, pass_cost: int) -> list[int]:
    """Where to cut rows sorted by length, so that padded tokens plus `pass_cost` a piece are fewest."""
    n = len(ordered)
    cost = np.zeros(n + 1)
    start = np.zeros(n + 1, dtype=np.int64)
    for end in range(1, n + 1):
        longest = int(ordered[end - 1])
        first = max(0, end - budget // longest)
        candidates = cost[first:end] + (end - np.arange(first, end)) * longest
        best = int(np.argmin(candidates))
        start[end], cost[end] = first + best, candidates[best] + pass_cost
    cuts, end = [], n
    while start[end] > 0:
        end = int(start[end])
        cuts.append(end)
    return cuts[::-1]


def _halved_until_even(
    pieces: list[Int[np.ndarray, " p"]], lengths: Int[np.ndarray, " n"], n_processes: int
) -> list[Int[np.ndarray, " p"]]:
    pieces = list(pieces)
    while len(pieces) % n_processes:
        sizes = [len(piece) * int(lengths[piece[-1]]) if len(piece) > 1 else 0 for piece in pieces]
        largest = int(np.argmax(sizes))
        if sizes[largest] == 0:
            break
        piece = pieces.pop(largest)
        pieces += np.split(piece, [len(piece) // 2])
    return pieces
