"""What the deterministic recheck costs in time: `python -m benchmarks.recheck --data DIR [--rows 300] [--json]`.

Whole packs on real texts: medical coding on planted notes with their codes and on explanations of medical exams
(mirage), finance on questions over annual reports (tatqa) and on worked sums (gsm8k), law on planted passages with
quotes and on questions over regulations (indiafinbench). A time is of one answer through all checks of the pack,
after loading and after 50 others; `cpu` is the processor time of that thread, which a busy neighbour lengthens less.
The gateway's share is measured on one loop with the pack at high stakes and one without at low stakes, in the
process and in turns.
"""

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import asyncio
import gzip
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.answers_in_figures import gsm8k, tatqa
from benchmarks.faults import coding, wording
from core.call_record import CallRecord
from core.records import Query, Stakes, messages_of
from gateway.asking.upstream import Completion, Endpoint
from gateway.attempts import Models
from gateway.deciding import FixedBundles
from gateway.loop import Guard, RoutingLoop
from verifiers.assembling import Recheck
from verifiers.case import Case
from verifiers.chain import Check, run_chain
from verifiers.packs import checks_of
from verifiers.stakes.policy import StakesPolicy

WARM_UP = 50
"""Answers of each set that are rechecked first and not timed: patterns and tables are made ready on first use."""

WEAK_OF_INDIA = "llama-3-8b-instruct"
WEAK_OF_MIRAGE = "gpt-3.5-turbo-16k"


@click.command()
@click.option(
    "--data", type=click.Path(path_type=Path), envvar="PRECEPTOR_DATA", required=True, help="The public sets."
)
@click.option("--rows", default=300, show_default=True, help="Answers of each set.")
@click.option("--json", "as_json", is_flag=True, help="One object with every figure.")
def main(data: Path, rows: int, *, as_json: bool) -> None:
    """Measure and print."""
    result: dict[str, Any] = {}
    for pack, sets in sets_of(data).items():
        started = time.perf_counter()
        checks = checks_of(pack)
        loaded_s = time.perf_counter() - started
        result[pack] = {"load_s": loaded_s, "checks": len(checks)}
        for name, cases in sets.items():
            result[pack][name] = timed(checks, list(islice(cases, WARM_UP + rows)))
    result["gateway"] = asyncio.run(overhead(checks_of("medical_coding"), n_requests=rows))
    if as_json:
        click.echo(json.dumps(result))
        return
    for pack, values in result.items():
        click.echo(pack)
        for name, value in values.items():
            shown = (
                "  ".join(f"{key} {one:.2f}" for key, one in value.items() if not isinstance(one, dict))
                if isinstance(value, dict)
                else f"{value:.2f}"
            )
            click.echo(f"  {name:<26} {shown}")
            if isinstance(value, dict) and "slowest" in value:
                click.echo(f"  {'':<26} {value['slowest']}")


def sets_of(data: Path) -> dict[str, dict[str, Iterator[Case]]]:
    """Per pack, the sets of answers that it is timed on."""
    rng = np.random.default_rng(0)
    return {
        "medical_coding": {
            "planted notes": (one.clean for one in coding.seeded(rng, 60)),
            "mirage explanations": mirage(data),
        },
        "finance": {
            "tatqa": (row.case for row in tatqa(data)),
            "gsm8k": (row.case for row in gsm8k(data)),
        },
        "legal": {
            "planted passages": (one.clean for one in wording.seeded(rng, 40)),
            "indiafinbench": indiafinbench(data),
        },
    }


def mirage(data: Path) -> Iterator[Case]:
    """A weak model's reasoning about an exam question, as the answer."""
    questions: dict[str, str] = {}
    with gzip.open(data / "mirage-medqa" / "outcomes.jsonl.gz", "rt") as lines:
        for row in map(json.loads, lines):
            questions[row["id"]] = row["question"]
    with gzip.open(data / "mirage-medqa" / "responses.jsonl.gz", "rt") as lines:
        for row in map(json.loads, lines):
            answer = row["text"].get(WEAK_OF_MIRAGE)
            if answer and row["id"] in questions:
                yield _case(row["id"], questions[row["id"]], answer)


def indiafinbench(data: Path) -> Iterator[Case]:
    """A weak model's answer about a passage of a regulation."""
    with gzip.open(data / "indiafinbench" / "outcomes.jsonl.gz", "rt") as lines:
        for row in map(json.loads, lines):
            answer = row["results"][WEAK_OF_INDIA].get("text") or row["results"][WEAK_OF_INDIA].get("pred")
            if answer:
                yield _case(row["id"], row["question"], str(answer), source=row["context"])


def timed(checks: Sequence[Check], cases: Sequence[Case]) -> dict[str, Any]:
    """Milliseconds an answer, wall and processor, and each check's share of the whole."""
    wall_ms, cpu_ms, shares = [], [], Counter[str]()
    for case in cases[:WARM_UP]:
        run_chain(checks, case)
    for case in cases[WARM_UP:]:
        started, busy = time.perf_counter(), time.thread_time()
        verdict = run_chain(checks, case)
        wall_ms.append((time.perf_counter() - started) * 1e3)
        cpu_ms.append((time.thread_time() - busy) * 1e3)
        for result in verdict.results:
            shares[result.check] += result.elapsed_ms or 0.0
    total = sum(shares.values()) or 1.0
    return {
        "n": len(wall_ms),
        "mean_chars": float(np.mean([len(case.answer) for case in cases])),
        **{f"wall_p{q}_ms": float(np.percentile(wall_ms, q)) for q in (50, 95)},
        **{f"cpu_p{q}_ms": float(np.percentile(cpu_ms, q)) for q in (50, 95)},
        "slowest": {check: round(share / total, 2) for check, share in shares.most_common(3)},
    }


async def overhead(checks: tuple[Check, ...], *, n_requests: int) -> dict[str, float]:
    """What the recheck adds to a request in the process: medians of the same request at high and at low stakes."""
    guarded = {
        "with_recheck": (Recheck(checks), Guard(stakes=StakesPolicy(default=Stakes.HIGH))),
        "without": (Recheck(), Guard(stakes=StakesPolicy(default=Stakes.LOW))),
    }
    models = Models(Says("weak"), Says("strong"))  # type: ignore[arg-type]
    loops = {
        name: RoutingLoop(models=models, source=FixedBundles({}, recheck), guard=guard)
        for name, (recheck, guard) in guarded.items()
    }
    asked = [{"role": "user", "content": "Code this diagnosis in ICD-10-CM: Fear of women"}]
    taken: dict[str, list[float]] = {name: [] for name in loops}
    for turn in range(n_requests + 20):
        for name, loop in loops.items():
            started = time.perf_counter()
            reply = await loop.answer({"model": "weak", "messages": asked})
            if turn >= 20:
                taken[name].append((time.perf_counter() - started) * 1e3)
            assert reply.decision.answered_by == "weak", reply.decision.reasons
    medians = {f"{name}_p50_ms": float(np.median(values)) for name, values in taken.items()}
    added = np.array(taken["with_recheck"]) - np.array(taken["without"])
    return {**medians, "added_p50_ms": float(np.median(added)), "added_p95_ms": float(np.percentile(added, 95))}


class Says:
    """An upstream in the process that always gives the same code."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.endpoint = Endpoint(name=name, base_url="http://127.0.0.1:9/v1")

    async def complete(self, body: Any, *, max_attempts: int | None = None) -> Completion:  # noqa: ANN401 - a request
        """The completion."""
        message = {"role": "assistant", "content": "Code: F40.291"}
        body = {"choices": [{"message": message, "finish_reason": "stop"}]}
        return Completion(self.name, body, 0.0, 1.0, CallRecord(model=self.name))


def _case(identifier: str, question: str, answer: str, *, source: str | None = None) -> Case:
    query = Query(id=identifier, messages=messages_of(question))
    return Case(query=query, answer=answer, facts={} if source is None else {"source": source})


if __name__ == "__main__":
    main()
