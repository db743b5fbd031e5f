"""How fast the labeling server answers: `python -m benchmarks.labeling [--pairs 100000] [--json]`.

A store on SQLite with a queue of made-up pairs, `preceptor label serve` as a process of its own, and simulated experts
over HTTP on loopback. First each of a few experts opens the queue (a first offer, then the same pair again); then
all of them judge at once: open, think, send, open the next. Thinking times are exponential with the mean that is
printed; a person takes minutes, so the load is that of many more people. Client and server share the machine.
"""

import asyncio
import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import click
import httpx2
import numpy as np
import sqlalchemy as sa

from core.fingerprint import of_text
from core.items import ITEMS
from core.store import writing
from labeling.commands.options import engine_of
from labeling.queueing.experts import invite_expert
from labeling.queueing.places import add_pairs
from labeling.tables import ANSWERS, PAIRS
from web.guard import COOKIE
from web.sessions import csrf_token, open_session

SUBMIT_BAR_MS = 50.0
"""95 of 100 submits are faster, with 20 raters."""

OPEN_BAR_MS = 200.0
"""The queue opens faster, with 100,000 pairs."""

WORDS = [
    "fracture",
    "of",
    "the",
    "left",
    "wrist",
    "closed",
    "initial",
    "encounter",
    "after",
    "a",
    "fall",
    "on",
    "ice",
    "with",
    "mild",
    "swelling",
    "and",
    "no",
    "paresis",
]


def fill(engine: sa.Engine, n_pairs: int) -> None:
    """A queue of so many made-up pairs."""
    rng = random.Random(0)

    def text(n_words: int) -> str:
        return " ".join(rng.choice(WORDS) for _ in range(n_words))

    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    for start in range(0, n_pairs, 5_000):
        items, answers, pairs = [], [], []
        for number in range(start, min(start + 5_000, n_pairs)):
            item = {"id": f"task-{number}", "domain": "coding", "stakes": "high" if number % 3 == 0 else "low"}
            messages = json.dumps([{"role": "user", "content": f"Code number {number}: {text(40)}"}])
            items.append({**item, "messages": messages, "phi_state": "clean", "data_class": "synthetic"})
            items[-1]["imported_at"] = now
            ids = sorted(of_text(f"{number}/{model}") for model in ("small", "large"))
            for id_, model in zip(ids, ("small", "large"), strict=True):
                answer = {"id": id_, "item_id": item["id"], "model": model, "text": text(120), "names_a_model": False}
                answers.append(answer)
            pair = {"id": of_text(f"pair {number}"), "content_sha256": of_text(f"content {number}")}
            pair |= {"item_id": item["id"], "first_answer_id": ids[0], "second_answer_id": ids[1]}
            pairs.append({**pair, "weak": "small", "strong": "large"})
        with writing(engine) as connection:
            for table, rows in ((ITEMS, items), (ANSWERS, answers), (PAIRS, pairs)):
                connection.execute(table.insert(), rows)
            wanted = {pair["id"]: 1 + (n % 3 == 0) for n, pair in enumerate(pairs)}
            add_pairs(connection, list(wanted), wanted=wanted)


@contextmanager
def served(store_url: str) -> Iterator[str]:
    """`preceptor label serve` on this store; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["label", "serve", "--store", store_url, "--port", str(port)]
    process = subprocess.Popen([sys.executable, "-c", "from core.cli import main; main()", *words])
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


class Rater:
    """A simulated expert with an open session."""

    def __init__(self, engine: sa.Engine, number: int, url: str) -> None:
        name, now = f"Expert {number}", datetime.now(UTC)
        invite_expert(engine, name, by="lead", now=now)
        with writing(engine) as connection:
            self._token = open_session(connection, name, now=now)
        self._url, self._headers = f"{url}/judge", {"cookie": f"{COOKIE}={self._token}"}

    async def open(self, http: httpx2.AsyncClient) -> tuple[str, float]:
        """The page with the pair in hand, and the milliseconds it took."""
        start = time.perf_counter()
        answer = await http.get(self._url, headers=self._headers)
        taken = 1e3 * (time.perf_counter() - start)
        answer.raise_for_status()
        return answer.text, taken

    async def send(self, http: httpx2.AsyncClient, page: str) -> float:
        """Judge the pair of a page; the milliseconds until it was acknowledged."""
        form = page[page.index('<form class="judge"') :]
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
        fields |= {"csrf": csrf_token(self._token), "verdict": "both_acceptable", "active_ms": "60000"}
        start = time.perf_counter()
        answer = await http.post(self._url, data=fields, headers=self._headers)
        taken = 1e3 * (time.perf_counter() - start)
        if answer.headers.get("location") != "/judge?after=saved":
            raise RuntimeError(f"the judgement was not saved: {answer.status_code} {answer.headers.get('location')}")
        return taken


async def measure(raters: Sequence[Rater], *, n_each: int, think_s: float) -> dict[str, dict[str, float]]:
    """Times of first offers, of reloads, of submits and of next pages."""
    rng = random.Random(1)
    taken: dict[str, list[float]] = {name: [] for name in ("first offer", "reload", "submit", "next pair")}
    async with httpx2.AsyncClient(timeout=60, trust_env=False) as http:
        await http.get(f"{raters[0]._url}", follow_redirects=False)  # opens the connection; not signed in
        for rater in raters:
            taken["first offer"].append((await rater.open(http))[1])
            taken["reload"].append((await rater.open(http))[1])

        async def work(rater: Rater) -> None:
            page, _ = await rater.open(http)
            for _ in range(n_each):
                await asyncio.sleep(rng.expovariate(1 / think_s))
                taken["submit"].append(await rater.send(http, page))
                page, ms = await rater.open(http)
                taken["next pair"].append(ms)

        await asyncio.gather(*map(work, raters))
    return {name: summary(values) for name, values in taken.items()}


def summary(values: Sequence[float]) -> dict[str, float]:
    """Median, 95th percentile and largest."""
    p50, p95 = np.quantile(values, (0.5, 0.95))
    return {"n": len(values), "p50": round(float(p50), 1), "p95": round(float(p95), 1), "max": round(max(values), 1)}


def table(figures: Mapping[str, Any]) -> str:
    """The figures for people."""
    lines = [
        f"{figures['pairs']} pairs, {figures['raters']} raters, {figures['think_s']} s to think on average, "
        f"{figures['submits_a_second']:.1f} submits a second; load of the machine {figures['load']:.1f}",
        f"{'milliseconds':<14}{'n':>8}{'p50':>10}{'p95':>10}{'max':>10}",
    ]
    for name, one in figures["ms"].items():
        lines.append(f"{name:<14}{one['n']:>8}{one['p50']:>10.1f}{one['p95']:>10.1f}{one['max']:>10.1f}")
    lines.append(f"Bars: submit p95 under {SUBMIT_BAR_MS:g} ms, first offer under {OPEN_BAR_MS:g} ms.")
    return "\n".join(lines)


@click.command()
@click.option("--pairs", default=100_000, show_default=True, type=click.IntRange(1), help="Pairs in the queue.")
@click.option("--raters", default=20, show_default=True, type=click.IntRange(1), help="Simulated experts.")
@click.option("--submits", default=25, show_default=True, type=click.IntRange(1), help="Submits of each expert.")
@click.option("--think", "think_s", default=2.0, show_default=True, help="Mean seconds between page and submit.")
@click.option("--store", help="A store to keep; default: SQLite in a temporary folder.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(pairs: int, raters: int, submits: int, think_s: float, store: str | None, as_json: bool) -> None:
    """Measure the labeling server. Example: python -m benchmarks.labeling --json."""
    with tempfile.TemporaryDirectory() as folder:
        url = store or f"sqlite:///{Path(folder) / 'store.db'}"
        engine = engine_of({"store_url": url, "config": None})
        fill(engine, pairs)
        with served(url) as address:
            experts = [Rater(engine, number, address) for number in range(raters)]
            start = time.perf_counter()
            ms = asyncio.run(measure(experts, n_each=submits, think_s=think_s))
            taken = time.perf_counter() - start
        engine.dispose()
    figures = {
        "pairs": pairs,
        "raters": raters,
        "think_s": think_s,
        "submits_a_second": raters * submits / taken,
        "load": os.getloadavg()[0],
        "ms": ms,
    }
    click.echo(json.dumps(figures, indent=1) if as_json else table(figures))


if __name__ == "__main__":
    main()
