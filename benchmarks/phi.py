"""What the PHI chain finds and leaves alone: `python -m benchmarks.phi [--words FILE] [--data DIR] [--json]`.

Canaries (labeling/phi/canaries.py) are planted in coding queries full of codes and eponyms: `held_out` names, streets,
towns and sentences, on which no rule was mended. A canary is found when all its letters and digits are covered, under
whatever kind. A code or eponym is kept when nothing of it is covered. A finding is right when it touches a canary.
Intervals are exact binomial ones over canaries; the lists are short, so figures of other lists differ by more.

`--words FILE` takes other words: {"people": {"US": [[given], [family]]}, "streets": [street], "cities": [town]}.
`--data DIR` adds the share of MedQA-like exam questions with any finding. Times are CPU times of one thread.
"""

import gzip
import importlib.util
import json
import os
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # before numpy is imported

import click
import numpy as np

from assurance.bounds import binomial_interval
from benchmarks.public_sets import as_dict, as_text, say
from labeling.phi.canaries import Planted, Vocabulary, coding_texts, planted, vocabulary
from labeling.phi.chain import Chain
from labeling.phi.gazetteer import GazetteerDetector
from labeling.phi.patterns import PatternDetector

DOCUMENT_CHARS, TIMED_DOCUMENTS = 1500, 60
CANARIES_PER_DOCUMENT = 3
"""Canaries in each timed document; in the texts of the recall figures too, which are a fifth as long."""

WITH_PRESIDIO = "+ Presidio"


def chains(spacy_model: Path | None) -> dict[str, Chain]:
    """Set-ups by name, from patterns alone to everything that is installed."""
    patterns, gazetteer = PatternDetector(), GazetteerDetector()
    found = {
        "patterns": Chain((patterns,), protects_codes=False),
        "+ gazetteer": Chain((patterns, gazetteer), protects_codes=False),
        "+ allow-list": Chain((patterns, gazetteer)),
    }
    if importlib.util.find_spec("presidio_analyzer") is not None:
        from labeling.phi.presidio import PresidioDetector

        found[WITH_PRESIDIO] = Chain((patterns, gazetteer, PresidioDetector(spacy_model)))
    return found


def measure(chain: Chain, items: Sequence[Planted]) -> dict[str, Any]:
    """Recall by kind, the share of codes and eponyms kept, and precision."""
    n: Counter[str] = Counter()
    hits: Counter[str] = Counter()
    n_findings = n_right = 0
    for item in items:
        findings = chain.find(item.text)
        covered = {at for finding in findings for at in range(finding.start, finding.end)}
        canaries: set[int] = set()
        for start, end, kind in item.spans:
            letters = {at for at in range(start, end) if item.text[at].isalnum()}
            n[kind] += 1
            hits[kind] += not letters & covered if kind == "keep" else letters <= covered
            canaries |= letters if kind != "keep" else set()
        n_findings += len(findings)
        n_right += sum(not canaries.isdisjoint(range(finding.start, finding.end)) for finding in findings)
    recall = {kind: {"n": n[kind]} | as_dict(binomial_interval(hits[kind], n[kind])) for kind in sorted(n)}
    kept = recall.pop("keep")
    return {"recall": recall, "kept": kept, "precision": as_dict(binomial_interval(n_right, n_findings))}


def milliseconds(chain: Chain, documents: Sequence[str]) -> dict[str, float]:
    """CPU time for one document: median, least and the 95th of a hundred."""
    chain.find(documents[0])
    times = []
    for document in documents:
        start = time.thread_time()
        chain.find(document)
        times.append(1e3 * (time.thread_time() - start))
    return {"median": float(np.median(times)), "least": min(times), "p95": float(np.quantile(times, 0.95))}


def flagged_share(chain: Chain, data: Path) -> dict[str, Any]:
    """Exam questions with any finding: they hold hardly an identifier, so nearly each is a false alarm."""
    with gzip.open(data / "mirage-medqa" / "outcomes.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = [str(json.loads(line)["question"]) for line in lines]
    kinds: Counter[str] = Counter()
    flagged = 0
    for text in texts:
        found = chain.kinds_of([text])
        flagged += bool(found)
        kinds.update(found.keys())
    return {"n": len(texts), "questions_by_kind": dict(kinds)} | as_dict(binomial_interval(flagged, len(texts)))


def _documents(words: Vocabulary, rng: np.random.Generator) -> list[str]:
    """Documents of 1,500 characters with a few canaries among many codes."""
    bodies = coding_texts("held_out")
    documents = []
    for _ in range(TIMED_DOCUMENTS):
        order = rng.permutation(len(bodies))
        joined = " ".join(bodies[i].text for i in order) + " " + " ".join(text.text for text in coding_texts("tuning"))
        documents.append(
            planted([joined[:1400]], rng, words=words, per_text=CANARIES_PER_DOCUMENT)[0].text[:DOCUMENT_CHARS]
        )
    return documents


def _words(path: Path | None) -> Vocabulary:
    held_out = vocabulary("held_out")
    if path is None:
        return held_out
    values = json.loads(path.read_text(encoding="utf-8"))
    people = {country: (given, family) for country, (given, family) in values["people"].items()}
    return Vocabulary(people, values["streets"], values["cities"], held_out.sentences)


@click.command()
@click.option("--documents", "n_documents", default=1000, show_default=True, type=click.IntRange(18))
@click.option("--seed", default=11, show_default=True)
@click.option("--words", "words_file", type=click.Path(exists=True, path_type=Path), help="Other names and places.")
@click.option("--spacy-model", type=click.Path(exists=True, path_type=Path), help="Folder of a pipeline, for Presidio.")
@click.option("--data", envvar="PRECEPTOR_DATA", type=click.Path(exists=True, path_type=Path), help="Public sets.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(
    n_documents: int, seed: int, words_file: Path | None, spacy_model: Path | None, data: Path | None, as_json: bool
) -> None:  # fmt: skip
    """Measure the chain on planted canaries. Example: python -m benchmarks.phi --documents 200 --json."""
    rng = np.random.default_rng(seed)
    words = _words(words_file)
    bodies = coding_texts("held_out")
    items = planted(
        [bodies[i % len(bodies)] for i in range(n_documents)], rng, words=words, per_text=CANARIES_PER_DOCUMENT
    )
    documents = _documents(words, rng)
    setups = {}
    for name, chain in chains(spacy_model).items():
        say(f"{name} ...")
        setups[name] = measure(chain, items) | {"ms": milliseconds(chain, documents)}
    figures: dict[str, Any] = {"documents": n_documents, "seed": seed, "setups": setups}
    if data is not None:
        figures["exam_questions"] = flagged_share(Chain(), data)
    click.echo(json.dumps(figures, indent=1) if as_json else _table(figures))


def _table(figures: dict[str, Any]) -> str:
    setups = figures["setups"]
    lines = [
        f"{figures['documents']} texts, {CANARIES_PER_DOCUMENT} canaries each; a generated smoke set, no recall claim"
    ]
    lines.append(f"{'wholly covered':16}" + "".join(f"{name:>23}" for name in setups) + f"{'n':>7}")
    for kind in setups["patterns"]["recall"]:
        cells = "".join(f"{as_text(figure['recall'][kind]):>23}" for figure in setups.values())
        lines.append(f"{kind:16}{cells}{setups['patterns']['recall'][kind]['n']:7}")
    for row in ("kept", "precision"):
        lines.append(f"{row:16}" + "".join(f"{as_text(figure[row]):>23}" for figure in setups.values()))
    for row in ("median", "least", "p95"):
        lines.append(f"{'ms, ' + row:16}" + "".join(f"{figure['ms'][row]:23.1f}" for figure in setups.values()))
    if exams := figures.get("exam_questions"):
        lines.append(f"exam questions with a finding: {as_text(exams)} of {exams['n']}, {exams['questions_by_kind']}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
