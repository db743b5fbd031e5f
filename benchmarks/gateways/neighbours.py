"""Whether a slow request holds up others: fast requests alone and beside slow ones, in turns."""

import asyncio
from dataclasses import replace
from typing import Any

import numpy as np
import uvloop

from benchmarks.gateways.client import Sample, Target, load
from benchmarks.gateways.contest import percentiles, right_answers

N_BESIDE = 16
"""Clients that ask what is slow."""


def beside(fast: Target, slow: Target, *, rounds: int, requests: int) -> dict[str, Any]:
    """Latency of `fast` with one client, alone and while 16 clients ask `slow`; figures are medians over rounds."""
    alone, joined, others = [], [], []
    for _ in range(rounds):
        alone.append(percentiles(right_answers(_alone(fast, requests), "fast").latencies_s))
        sample, slow_sample = uvloop.run(_joined(fast, slow, requests))
        joined.append(percentiles(right_answers(sample, "beside slow").latencies_s))
        others.append(slow_sample.per_second)
    return {
        "alone": {name: float(np.median([one[name] for one in alone])) for name in alone[0]},
        "beside": {name: float(np.median([one[name] for one in joined])) for name in joined[0]},
        "slow_per_second": float(np.median(others)),
        "rounds": [{"alone": one, "beside": other} for one, other in zip(alone, joined, strict=True)],
    }


def throughput(target: Target, *, seconds: float) -> float:
    """Requests a second with 16 clients."""
    return right_answers(uvloop.run(load(target, n_clients=16, seconds=seconds)), "slow embedding").per_second


def with_model(target: Target, model: str) -> Target:
    """The same request for another model name."""
    return replace(target, body={**target.body, "model": model})


def _alone(fast: Target, requests: int) -> Sample:
    return uvloop.run(load(fast, n_clients=1, n_requests=requests))


async def _joined(fast: Target, slow: Target, requests: int) -> tuple[Sample, Sample]:
    """The fast requests of those moments in which slow ones are under way, from the first to the last."""
    begins = asyncio.create_task(load(slow, n_clients=N_BESIDE, stops=(stop := [])))
    await asyncio.sleep(0.3)
    sample = await load(fast, n_clients=1, n_requests=requests)
    stop.append("enough")
    return sample, await begins
