"""The public outcome sets as rows, and how benchmarks print figures. Where the sets come from: docs/benchmarks.md."""

import gzip
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from jaxtyping import Float, Int

from assurance.bootstrap import Interval
from core.fingerprint import normalised_text, of_text

BASE_PAIR = ("Meta-Llama-3_1-8B-Instruct", "gemini-1.5-pro-002")


@dataclass(frozen=True)
class Target:
    """A domain of one set, a pair of its models, and smaller numbers of labels to try as well."""

    data: str
    pair: tuple[str, str]
    domain: str
    fewer_labels: tuple[int, ...] = ()


TARGETS = {
    "tatqa": Target("tatqa-2022", ("gpt3+direct", "codex+pot"), "finance", fewer_labels=(100,)),
    "mmlu-pro finance": Target("mmlu-pro-outcomes", BASE_PAIR, "finance"),
    "mmlu-pro medical": Target("mmlu-pro-outcomes", BASE_PAIR, "medical"),
    "mmlu-pro legal": Target("mmlu-pro-outcomes", BASE_PAIR, "legal"),
    "medagents": Target("medagents-medqa", ("gpt-4o-mini", "o3-mini"), "medical"),
    "mirage": Target("mirage-medqa", ("gpt-3.5-turbo-16k", "gpt-4-32k"), "medical"),
}


@dataclass(frozen=True)
class Rows:
    """Rows of one domain with both models' quality; `text_key` is the hash of the normalised text."""

    texts: list[str]
    topics: list[str]
    text_key: Int[np.ndarray, " n"]
    quality: Float[np.ndarray, "n 2"]

    def without(self, keys: Int[np.ndarray, " m"]) -> "Rows":
        """The rows whose text is not among `keys`."""
        kept = np.flatnonzero(~np.isin(self.text_key, keys))
        return Rows(
            [self.texts[i] for i in kept], [self.topics[i] for i in kept], self.text_key[kept], self.quality[kept]
        )


def load_rows(folder: Path, pair: tuple[str, str], domain: str) -> Rows:
    """The rows of `domain` that both models of `pair` answered."""
    with gzip.open(folder / "outcomes.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    rows = [row for row in rows if row["domain"] == domain and all(model in row["results"] for model in pair)]
    texts = [str(row["question"]) for row in rows]
    return Rows(
        texts,
        [str(row.get("topic") or row["source"]) for row in rows],
        np.array([int(of_text(normalised_text(text))[:15], 16) for text in texts]),
        np.array([[float(row["results"][model]["correct"]) for model in pair] for row in rows]),
    )


def as_dict(interval: Interval) -> dict[str, float]:
    """An interval as JSON."""
    return {"estimate": interval.estimate, "low": interval.low, "high": interval.high}


def as_text(interval: Mapping[str, float], sign: str = "") -> str:
    """An interval as a table shows it."""
    return f"{interval['estimate']:{sign}.3f} [{interval['low']:{sign}.3f}, {interval['high']:{sign}.3f}]"


def say(message: str) -> None:
    """Tell of progress, on a terminal alone."""
    if sys.stderr.isatty():
        click.echo(message, err=True)


data_option = click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=lambda: os.environ.get("PRECEPTOR_DATA"),
    required=True,
    help="Folder that holds the sets.  [default: $PRECEPTOR_DATA]",
)
seeds_option = click.option(
    "--seeds", "n_seeds", default=5, show_default=True, type=click.IntRange(2, 50), help="Seeds, and folds."
)
cache_option = click.option("--cache", type=click.Path(path_type=Path), help="Where embeddings are kept.")
