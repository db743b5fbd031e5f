"""Servers measured in turns, so that a busy neighbour slows all of them: latency, first event, load, processor time.

Within a round every server answers the same kind of load before the next kind begins, in an order that moves on by one
each round. A figure is the median over rounds; what a gateway adds is its figure less the direct one of the same round.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import uvloop

from benchmarks.gateways.client import Sample, Target, load
from benchmarks.gateways.servers import Server

DIRECT = "direct"


@dataclass(frozen=True)
class Contender:
    """A server under test, and what it is asked."""

    name: str
    target: Target
    stream: Target
    server: Server | None = None
    """None: the stub itself."""


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    rounds: int
    requests: int
    """With one client, a round."""
    seconds: float
    """With several clients, a round."""
    clients: Sequence[int]


def measure(contenders: Sequence[Contender], size: Size) -> dict[str, dict[str, list[dict[str, float]]]]:
    """Per contender and kind of load (`latency`, `stream`, `clients_16` ...) one dictionary of figures a round.

    Raises:
        RuntimeError: a server gave a wrong answer; a benchmark with failures says nothing.
    """
    found: dict[str, dict[str, list[dict[str, float]]]] = {one.name: {} for one in contenders}
    for one in contenders:  # first requests pay for what is made once
        _figures(one, one.target, n_clients=1, n_requests=20)
        _figures(one, one.target, n_clients=max(size.clients), seconds=min(1.0, size.seconds))
        _figures(one, one.stream, n_clients=1, n_requests=5)
    for turn in range(size.rounds):
        order = [*contenders[turn % len(contenders) :], *contenders[: turn % len(contenders)]]
        kinds: dict[str, Mapping[str, Any]] = {
            "latency": {"n_clients": 1, "n_requests": size.requests},
            "stream": {"n_clients": 1, "n_requests": max(10, size.requests // 2)},
            **{f"clients_{n}": {"n_clients": n, "seconds": size.seconds} for n in size.clients},
        }
        for kind, how in kinds.items():
            for one in order:
                figures = _figures(one, one.stream if kind == "stream" else one.target, **how)
                found[one.name].setdefault(kind, []).append(figures)
    return found


def added(of: Sequence[Mapping[str, float]], direct: Sequence[Mapping[str, float]], name: str) -> float:
    """Median over rounds of what a figure is above the direct one."""
    return float(np.median([ours[name] - theirs[name] for ours, theirs in zip(of, direct, strict=True)]))


def median(of: Sequence[Mapping[str, float]], name: str) -> float:
    """Median over rounds."""
    return float(np.median([figures[name] for figures in of]))


def ratio(of: Sequence[Mapping[str, float]], to: Sequence[Mapping[str, float]], name: str) -> float:
    """Median over rounds of one's figure over the other's."""
    return float(np.median([ours[name] / theirs[name] for ours, theirs in zip(of, to, strict=True)]))


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99 in ms."""
    values = np.percentile(np.asarray(seconds) * 1e3, (50, 95, 99))
    return dict(zip(("p50_ms", "p95_ms", "p99_ms"), (round(float(value), 3) for value in values), strict=True))


def right_answers(sample: Sample, name: str) -> Sample:
    """The sample, where every answer was right.

    Raises:
        RuntimeError: one was not.
    """
    if sample.faults or not sample.latencies_s:
        raise RuntimeError(f"{name}: {len(sample.faults)} wrong answers, the first: {sample.faults[:1]}")
    return sample


def _figures(one: Contender, target: Target, **how: Any) -> dict[str, float]:  # noqa: ANN401 - load's own
    before = one.server.cpu_s() if one.server else 0.0
    sample = right_answers(uvloop.run(load(target, **how)), one.name)
    taken = (one.server.cpu_s() if one.server else 0.0) - before
    return {
        **percentiles(sample.latencies_s),
        "first_p50_ms": percentiles(sample.first_s)["p50_ms"],
        "per_second": round(sample.per_second, 1),
        "cpu_ms": round(taken / len(sample.latencies_s) * 1e3, 3),
        "n": float(len(sample.latencies_s)),
    }
