"""How fast pairs are imported: `python -m benchmarks.label_import [--pairs 100000] [--json]`.

Pairs of sentences from the coding texts of labeling/phi/canaries.py, a number in each query so that no two are the
same; about one pair in a hundred gets a telephone number. A store on SQLite in a temporary folder. Inspecting is timed
with and without the search for identifiers, which has a time per pair of its own; the writing holds the store's lock.
CPU seconds of one thread, beside wall seconds: a busy machine shows in the second alone. The peak is of the process.
"""

import json
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # before numpy is imported

import click
import numpy as np

import labeling.tables  # noqa: F401 - declares tables
from core.store import create_tables, open_store
from labeling.content.identifiers import find_identifiers
from labeling.content.importing import write_pairs
from labeling.content.inspecting import ImportRules, inspect_pairs
from labeling.content.near_duplicates import near_pairs, shingles_of
from labeling.content.sources import Source, Tally
from labeling.phi.canaries import coding_texts

SEARCHED_PAIRS = 1000
"""Pairs on which the search for identifiers is timed."""

NEAR_TEXTS = 20_000

RULES = ImportRules(weak="small", strong="large", data_class="deidentified")


@contextmanager
def timed(figures: dict[str, Any], name: str) -> Iterator[None]:
    """Note CPU and wall seconds of what is done inside."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    figures[f"{name}_s"] = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}


def write_file(path: Path, n: int, rng: np.random.Generator) -> None:
    """A JSONL file of so many pairs."""
    sentences = [one for text in coding_texts("tuning") for one in text.text.split(". ")]
    with path.open("w", encoding="utf-8") as file:
        for number in range(n):
            query, weak, strong = (". ".join(rng.choice(sentences, size=k)) for k in (3, 2, 4))
            phone = f" Call {rng.integers(200, 999)}-555-0{number % 1000:03}." if rng.random() < 0.01 else ""
            row = {
                "id": f"pair-{number}",
                "query": f"Case {number}: {query}.{phone}",
                "domain": f"domain-{number % 20}",
                "stakes": "high" if number % 3 == 0 else "low",
                "answers": {"small": {"text": weak, "cost_usd": 0.001}, "large": {"text": strong, "cost_usd": 0.02}},
            }
            file.write(json.dumps(row) + "\n")


def measure(n_pairs: int, folder: Path) -> dict[str, Any]:
    """All figures."""
    path = folder / "pairs.jsonl"
    write_file(path, n_pairs, np.random.default_rng(0))
    source = Source((path,), weak="small", strong="large")
    figures: dict[str, Any] = {"pairs": n_pairs, "file_mb": path.stat().st_size / 1e6}
    entries = [entry for entry, _ in zip(source.entries(Tally()), range(NEAR_TEXTS), strict=False)]
    searched = entries[:SEARCHED_PAIRS]
    find_identifiers(searched[0].texts)
    cpu = time.process_time()
    for entry in searched:
        find_identifiers(entry.texts)
    ms = 1e3 * (time.process_time() - cpu) / len(searched)
    figures["search_ms_a_pair"] = ms
    figures["characters_a_pair"] = sum(len(text) for entry in searched for text in entry.texts) / len(searched)
    with timed(figures, f"near_duplicates_of_{len(entries)}_texts"):
        near_pairs([shingles_of(entry.pair.query.text) for entry in entries])
    del entries, searched
    engine = open_store(f"sqlite:///{folder / 'store.db'}")
    create_tables(engine)
    with timed(figures, "inspect"):
        inspection = inspect_pairs(engine, source, rules=RULES)
    searching = ms * n_pairs / 1e3
    figures["inspect_without_search_cpu_s"] = figures["inspect_s"]["cpu"] - searching
    with timed(figures, "write"):
        write_pairs(engine, source, inspection, by="benchmark", now=datetime.now(UTC), rules=RULES)
    with timed(figures, "import_again"):
        again = inspect_pairs(engine, replace(source), rules=RULES)
    engine.dispose()
    figures["held"] = len(inspection.report.held)
    figures["duplicates_the_second_time"] = again.report.n_duplicates
    figures["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return figures


@click.command()
@click.option("--pairs", type=click.IntRange(min=1), default=100_000, show_default=True, help="Pairs in the file.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def main(pairs: int, *, as_json: bool) -> None:
    """Time the import of a file."""
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(pairs, Path(folder))
    if as_json:
        click.echo(json.dumps(figures))
        return
    for name, value in figures.items():
        shown = f"{value['cpu']:.1f} CPU, {value['wall']:.1f} wall" if isinstance(value, dict) else f"{value:.6g}"
        click.echo(f"{name.replace('_', ' '):40} {shown}")


if __name__ == "__main__":
    main()
