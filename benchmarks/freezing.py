"""How long a freeze and the exports of a large version take, and how much memory.

    python -m benchmarks.freezing --judgements 100000 [--json]

A SQLite store is filled with pairs, judgements of two experts and their ledger events, then frozen, opened again, lost
and written again, frozen without news, and exported. Made-up texts of about 400 characters an answer.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import json
import random
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import sqlalchemy as sa

from core.fingerprint import canonical_json, of_text
from core.ledger import EVENTS
from core.ledger_check import GENESIS, event_hash
from core.moments import timestamp
from core.store import create_tables, open_store, writing
from labeling.frozen.exports import ExportTerms, export_version
from labeling.frozen.freezing import freeze
from labeling.frozen.versions import open_version
from labeling.judging.submitting import judgements_where, ledger_details
from labeling.queueing.experts import invite_expert
from labeling.tables import ANSWERS, ASSIGNMENTS, ITEMS, JUDGEMENTS, PAIRS, QUEUE, stands

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
EXPERTS = ("Dana Ruiz", "Lee Okafor")
VERDICTS = ("first_better", "second_better", "both_acceptable", "neither_acceptable")
WORDS = ("acute", "chronic", "otitis", "media", "left", "right", "knee", "gout", "fracture", "sequela", "initial")


@click.command()
@click.option("--judgements", "n", default=100_000, show_default=True, help="Judgements; two to a pair.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def main(n: int, *, as_json: bool) -> None:
    """Measure freezing and exporting."""
    with tempfile.TemporaryDirectory() as place:
        figures = measure(Path(place), n)
    if as_json:
        click.echo(json.dumps(figures))
        return
    for name, value in figures.items():
        click.echo(f"{name:28} {value:>12,.1f}" if isinstance(value, float) else f"{name:28} {value:>12,}")


def measure(place: Path, n: int) -> dict[str, float | int]:
    """Every figure; seconds unless the name says otherwise."""
    engine = open_store(f"sqlite:///{place / 'store.db'}")
    create_tables(engine)
    fill(engine, n // 2)
    figures: dict[str, float | int] = {"judgements": n, "pairs": n // 2}

    def timed(name: str, do: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever it returns
        begin = time.perf_counter()
        found = do()
        figures[f"{name} s"] = round(time.perf_counter() - begin, 2)
        return found

    timed("freeze", lambda: freeze(engine, "large", place, by="lead", now=NOW))
    timed("freeze again, no news", lambda: freeze(engine, "large", place, by="lead", now=NOW))
    timed("open, checked", lambda: open_version(engine, "large@1", place))
    shutil.rmtree(place / "large@1")
    timed("written again and opened", lambda: open_version(engine, "large@1", place))
    for form in ("outcomes", "trl", "hf"):
        terms = ExportTerms(form)
        timed(f"export {form}", lambda: export_version(engine, "large@1", terms, folder=place, by="lead", now=NOW))  # noqa: B023 - called at once
    size = sum(path.stat().st_size for path in (place / "large@1").iterdir())
    figures["folder MB"] = round(size / 1e6, 1)
    figures["peak memory MB"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3, 1)
    engine.dispose()
    return figures


def fill(engine: sa.Engine, n_pairs: int) -> None:
    """Pairs that both experts judged, one in ten of them for audit."""
    rng, at = random.Random(7), timestamp(NOW)
    for name in EXPERTS:
        invite_expert(engine, name, by="lead", now=NOW)
    items, answers, pairs, queue, assignments, judgements = ([] for _ in range(6))
    for number in range(n_pairs):
        item = f"q{number:06}"
        text = canonical_json([{"role": "user", "content": f"{number} {_text(rng, 100)}"}])
        common = {"domain": "ear", "stakes": rng.choice(("low", "high")), "stratum": None, "reference": None}
        items.append(
            {"id": item, "messages": text, **common, "group_key": f"g{number // 3}", "topic": None}
            | {"phi_state": "clean", "data_class": "synthetic", "imported_at": at}
        )
        ids = sorted(of_text(f"{item}/{model}") for model in ("cheap", "dear"))
        answers += [
            {"id": one, "item_id": item, "model": model, "text": _text(rng, 400), "names_a_model": False}
            | {"cost_usd": 0.01, "latency_ms": None}
            for one, model in zip(ids, ("cheap", "dear"), strict=True)
        ]
        pair = of_text(item)
        pairs.append(
            {"id": pair, "content_sha256": of_text(f"{item} content"), "item_id": item, "first_answer_id": ids[0]}
            | {"second_answer_id": ids[1], "weak": "cheap", "strong": "dear"}
        )
        stream = "audit" if number % 10 == 0 else "plain"
        queue.append({"pair_id": pair, "stream": stream, "priority": 0.0, "wanted": 2, "n_taken": 2, "is_open": False})
        truth = rng.choice(VERDICTS)
        for place, expert in enumerate(EXPERTS):
            verdict = truth if rng.random() < 0.85 else rng.choice(VERDICTS)
            key = f"{number:06}-{place}"
            assignments.append(
                {"id": key, "expert": expert, "pair_id": pair, "purpose": "work", "occasion": 0, "stratum": "ear"}
                | {"turn": number, "side_seed": 7, "swapped": bool(number % 2), "offered_at": at, "lease_until": None}
                | {"holds_place": True, "is_waiting": False}
            )
            mark = {"both_acceptable": True, "neither_acceptable": False}.get(verdict)
            judgements.append(
                {"id": key, "assignment_id": key, "revision": 0, "pair_id": pair, "expert": expert, "purpose": "work"}
                | {"verdict": verdict, "strength": None, "first_acceptable": mark, "second_acceptable": mark}
                | {"swapped": bool(number % 2), "reason": "", "reason_codes": "[]", "guideline_version": None}
                | {"active_ms": 40_000, "wall_ms": 60_000, "at": at}
            )
    tables = (ITEMS, ANSWERS, PAIRS, QUEUE, ASSIGNMENTS, JUDGEMENTS)
    with writing(engine) as connection:
        for table, rows in zip(tables, (items, answers, pairs, queue, assignments, judgements), strict=True):
            connection.execute(table.insert(), rows)
        _tell(connection)


def _tell(connection: sa.Connection) -> None:
    """The ledger's event of every judgement, chained to those before."""
    last = connection.execute(sa.select(EVENTS.c.seq, EVENTS.c.hash).order_by(EVENTS.c.seq.desc()).limit(1)).first()
    seq, previous = (last.seq, last.hash) if last else (0, GENESIS)
    rows = []
    for judgement in judgements_where(connection, stands()):
        seq += 1
        event = {"seq": seq, "at": timestamp(NOW), "actor": judgement.expert, "action": "judge.submit"}
        event |= {"subject": judgement.id, "details": ledger_details(judgement)}
        chained = event_hash(previous, event)
        rows.append({**event, "details": canonical_json(event["details"]), "prev_hash": previous, "hash": chained})
        previous = chained
    connection.execute(EVENTS.insert(), rows)


def _text(rng: random.Random, n_chars: int) -> str:
    return " ".join(rng.choices(WORDS, k=n_chars // 8))


if __name__ == "__main__":
    main()
