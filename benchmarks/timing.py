"""Times of several acts taken in turn, so that a busy neighbour slows all of them, and how they are printed."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

ROUNDS = 7


def in_turn(
    acts: Mapping[str, Callable[[], object]],
    *,
    repeats: Mapping[str, int] | None = None,
    rounds: int = ROUNDS,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Float[np.ndarray, " rounds"]]:
    """Seconds of each act by `clock`, per round; within a round the acts take turns."""
    repeats = repeats or {}
    taken: dict[str, list[float]] = {name: [] for name in acts}
    for act in acts.values():
        act()
    for _ in range(rounds):
        for name, act in acts.items():
            n = repeats.get(name, 1)
            start = clock()
            for _ in range(n):
                act()
            taken[name].append((clock() - start) / n)
    return {name: np.array(values) for name, values in taken.items()}


def milliseconds(seconds: Float[np.ndarray, " rounds"]) -> dict[str, float]:
    """Median and least of the rounds."""
    return {"median": 1e3 * float(np.median(seconds)), "min": 1e3 * float(seconds.min())}


def ratio(slow: Float[np.ndarray, " rounds"], fast: Float[np.ndarray, " rounds"]) -> float:
    """Median over rounds of slow / fast."""
    return float(np.median(slow / fast))


def lines_of(values: Mapping[str, Any], indent: int = 0) -> list[str]:
    """Figures for people, one a line; a time is its median and its least."""
    lines = []
    for name, value in values.items():
        if isinstance(value, Mapping) and set(value) != {"median", "min"}:
            lines += [f"{'  ' * indent}{name}", *lines_of(value, indent + 1)]
            continue
        shown = f"{value['median']:12.2f}   (min {value['min']:.2f})" if isinstance(value, Mapping) else f"{value:>12}"
        if isinstance(value, float):
            shown = f"{value:12.2f}" if value == 0 or abs(value) > 1e-3 else f"{value:12.1e}"
        lines.append(f"{'  ' * indent}{name:{56 - 2 * indent}} {shown}")
    return lines
