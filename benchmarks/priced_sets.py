"""Public outcome sets with what every call cost, at stated list prices; and the table of these prices."""

import gzip
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from assurance.charged import Answered
from benchmarks.public_sets import TARGETS
from core.fingerprint import normalised_text, of_text

MOSTLY_ANSWERED = 0.99
"""A candidate answered at least this share of the rows; the rows that it did not are left out."""

CHARS_A_TOKEN = 4.0
"""Where a set gives characters and no tokens."""


class Price(NamedTuple):
    """US dollars a million tokens, and the public price list that says so."""

    usd_per_million_input: float
    usd_per_million_output: float
    price_list: str


PRICES = {
    "gpt-4o-mini": Price(0.15, 0.60, "OpenAI API, July 2024"),
    "o3-mini": Price(1.10, 4.40, "OpenAI API, January 2025"),
    "DeepSeek-V3": Price(0.27, 1.10, "DeepSeek API, no cache hit, February 2025"),
    "Llama-3.3-70B-Instruct-Turbo": Price(0.88, 0.88, "Together AI, December 2024"),
    "claude-3-5-haiku": Price(0.80, 4.00, "Anthropic API, December 2024"),
    "gpt-4o": Price(2.50, 10.00, "OpenAI API, August 2024"),
    "gemini-1.5-pro-002": Price(1.25, 5.00, "Google Gemini API, prompts up to 128k, October 2024"),
    "gemini-1.5-flash-002": Price(0.075, 0.30, "Google Gemini API, prompts up to 128k, October 2024"),
    "Meta-Llama-3_1-8B-Instruct": Price(0.18, 0.18, "Together AI, Turbo, July 2024"),
    "Meta-Llama-3_1-70B-Instruct": Price(0.88, 0.88, "Together AI, Turbo, July 2024"),
    "Mixtral-8x7B-Instruct-v0.1": Price(0.60, 0.60, "Together AI, 2024"),
    "Qwen1.5-72B-Chat": Price(0.90, 0.90, "Together AI, 2024"),
}
"""List prices at the time of the models; `--price` states another."""


@dataclass(frozen=True)
class PricedRows:
    """The rows of one set that weak, strong and every priced candidate answered; `text_key` groups equal questions.

    `size` is what is known of a question before anyone answers: tokens that it takes, and its number of options.
    """

    texts: list[str]
    topics: list[str]
    text_key: Int[np.ndarray, " n"]
    size: Float[np.ndarray, "n 2"]
    weak: Answered
    strong: Answered
    seconds: Mapping[str, Answered]
    disagrees: Mapping[str, Float[np.ndarray, " n"]]
    """Candidate -> 1 where its letter is not the weak model's."""

    @property
    def gap(self) -> Float[np.ndarray, " n"]:
        """Quality of the strong answer less that of the weak one."""
        return self.strong.quality - self.weak.quality

    @property
    def harm(self) -> Float[np.ndarray, " n"]:
        """1 where the weak answer is wrong and the strong one right."""
        return ((self.strong.quality > 0.5) & (self.weak.quality <= 0.5)).astype(float)


def load_priced(data: Path, target: str, prices: Mapping[str, Price]) -> PricedRows:
    """The rows of a target with real tokens where the set has them, else with characters as tokens.

    A question without a letter of the weak or the second model counts as disagreement.
    """
    one = TARGETS[target]
    with gzip.open(data / one.data / "outcomes.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    weak, strong = one.pair
    rows = [row for row in rows if row["domain"] == one.domain and {weak, strong} <= set(row["results"])]
    counts = Counter(name for row in rows for name in row["results"])
    candidates = sorted(
        name for name in set(prices) - {weak, strong} if counts[name] >= MOSTLY_ANSWERED * max(1, len(rows))
    )
    rows = [row for row in rows if set(candidates) <= set(row["results"])]
    texts = [str(row["question"]) for row in rows]
    return PricedRows(
        texts,
        [str(row.get("topic") or row["source"]) for row in rows],
        np.array([int(of_text(normalised_text(text))[:15], 16) for text in texts]),
        np.array([[_tokens(row, weak)[0], len(row["options"])] for row in rows], dtype=float),
        _answered(rows, weak, prices[weak]),
        _answered(rows, strong, prices[strong]),
        {name: _answered(rows, name, prices[name]) for name in candidates},
        {name: np.array([_differs(row, weak, name) for row in rows], dtype=float) for name in candidates},
    )


def _answered(rows: list[dict[str, Any]], model: str, price: Price) -> Answered:
    tokens = np.array([_tokens(row, model) for row in rows], dtype=float)
    usd = tokens @ np.array([price.usd_per_million_input, price.usd_per_million_output]) / 1e6
    return Answered(usd, np.array([float(row["results"][model]["correct"]) for row in rows]))


def _tokens(row: dict[str, Any], model: str) -> tuple[float, float]:
    result = row["results"][model]
    if result.get("in_tok") is not None and result.get("out_tok") is not None:
        return float(result["in_tok"]), float(result["out_tok"])
    options = row["options"]
    asked = str(row["question"]) + "".join(options.values() if isinstance(options, dict) else options)
    return len(asked) / CHARS_A_TOKEN, (result.get("out_chars") or 0) / CHARS_A_TOKEN


def _differs(row: dict[str, Any], weak: str, second: str) -> bool:
    one, other = row["results"][weak]["pred"], row["results"][second]["pred"]
    return one is None or other is None or one != other
