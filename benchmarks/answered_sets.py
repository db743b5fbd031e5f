"""The public sets as judged weak answers: pair texts, whether each answer is wrong, and groups by question text.

| name | weak model | what the question holds | wrong |
|---|---|---|---|
| mirage | gpt-3.5-turbo-16k | question and options | not the gold letter |
| mmlu-pro medical, legal, finance | Llama-3.1-8B-Instruct | question and options | not the gold letter |
| tatqa | text-davinci-002, direct | table, paragraphs, question | not the gold number or text |
| tatqa numeric | the same | the same, arithmetic and count alone | the same |
| gsm8k | Mixtral-8x7B-Instruct | question | not the gold number (regraded) |

Neither gold answers nor other models' answers are in any text.
"""

import csv
import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from core.fingerprint import normalised_text, of_text
from models.pair_text import pair_text

LETTERS = "ABCDEFGHIJ"


@dataclass(frozen=True)
class Answered:
    """n judged weak answers of one set."""

    texts: list[str]
    """Pair texts."""
    questions: list[str]
    """The questions alone, as a router reads them."""
    wrong: Bool[np.ndarray, " n"]
    groups: Int[np.ndarray, " n"]
    """Hash of the normalised question text."""


def answered(data: Path, name: str) -> Answered:
    """The set `name` below the folder of the public sets."""
    rows = list(SETS[name](data))
    keys = [int(of_text(normalised_text(key))[:15], 16) for key, _, _, _ in rows]
    return Answered(
        [pair_text(question, answer) for _, question, answer, _ in rows],
        [question for _, question, _, _ in rows],
        np.array([not is_right for _, _, _, is_right in rows]),
        np.array(keys),
    )


Row = tuple[str, str, str, bool]
"""What groups it, the question, the weak answer, and whether that is right."""


def with_options(question: str, options: Mapping[str, str]) -> str:
    r"""A question with its options, a line each.

    >>> with_options("Which?", {"A": "one", "B": "two"})
    'Which?\nA. one\nB. two'
    """
    return "\n".join([question, *(f"{letter}. {text}" for letter, text in options.items())])


def _mirage(data: Path) -> Iterator[Row]:
    yield from _lettered(data / "mirage-medqa", "responses.jsonl.gz", "gpt-3.5-turbo-16k", "medical")


def _mmlu_pro(domain: str) -> Callable[[Path], Iterator[Row]]:
    def read(data: Path) -> Iterator[Row]:
        model = "Meta-Llama-3_1-8B-Instruct"
        yield from _lettered(data / "mmlu-pro-outcomes", "responses_llama31_8b_regulated.jsonl.gz", model, domain)

    return read


def _lettered(folder: Path, responses: str, model: str, domain: str) -> Iterator[Row]:
    said = {row["id"]: row["text"].get(model) for row in _lines(folder / responses)}
    for row in _lines(folder / "outcomes.jsonl.gz"):
        answer, graded = said.get(row["id"]), row["results"].get(model)
        if row["domain"] != domain or not isinstance(answer, str) or graded is None:
            continue
        options = row["options"]
        lettered = options if isinstance(options, dict) else dict(zip(LETTERS, options, strict=False))
        yield str(row["question"]), with_options(str(row["question"]), lettered), answer, bool(graded["correct"])


def _tatqa(*topics: str) -> Callable[[Path], Iterator[Row]]:
    def read(data: Path) -> Iterator[Row]:
        for row in _lines(data / "tatqa-2022" / "outcomes.jsonl.gz"):
            if topics and row["topic"] not in topics:
                continue
            graded = row["results"]["gpt3+direct"]
            question = f"{row['table']}\n{row['context']}\n\n{row['question']}"
            yield str(row["question"]), question, str(graded["text"]), bool(graded["correct"])

    return read


def _gsm8k(data: Path) -> Iterator[Row]:
    with gzip.open(data / "routellm" / "gsm8k_responses.csv.gz", "rt", encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            yield row["prompt"], row["prompt"], row["weak_response"], row["weak_correct_regraded"] == "True"


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


SETS: Mapping[str, Callable[[Path], Iterator[Row]]] = {
    "mirage": _mirage,
    "mmlu-pro medical": _mmlu_pro("medical"),
    "mmlu-pro legal": _mmlu_pro("legal"),
    "mmlu-pro finance": _mmlu_pro("finance"),
    "tatqa": _tatqa(),
    "tatqa numeric": _tatqa("arithmetic", "count"),
    "gsm8k": _gsm8k,
}
