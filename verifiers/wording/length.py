"""wording.length: the answer is neither too short nor too long, and does not go round in circles.

Circles are a word three times running (`is is is`), a phrase three times running, and a sentence four times anywhere.
Rows of a table, code and numbers may repeat.
"""

import re
from collections import Counter

import numpy as np

from verifiers.case import Case
from verifiers.chain import CheckResult, Price
from verifiers.wording.findings import READ_CHARS, Finding, failed, passed, unless_unread
from verifiers.wording.words import normal_text

_CODE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_TABLE_ROW = re.compile(r"^[^\n]*(?:\|[^\n]*\||\t[^\n]*\t)[^\n]*$", re.MULTILINE)
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*|\d+(?:[.,]\d+)*|[.;:!?\n]+")
_SENTENCE_END = re.compile(r"[.!?]\s+|\n+")
_MAY_REPEAT = frozenset(("very", "ha", "blah", "bla", "no", "yes", "na", "x", "n", "o", "xx", "xxx", "a", "b"))

_MAX_RUNS = 20
_COPIES = 3
"""How often a phrase stands in a loop at the least, and so each of its words."""

LONGEST_LOOP = 30
"""Words of the longest phrase whose running repetition is looked for."""


class LengthCheck:
    """Finds answers of the wrong length, and answers that repeat themselves."""

    id = "wording.length"
    price = Price.FREE

    def __init__(self, *, min_words: int = 0, max_words: int | None = None) -> None:
        """Take `min_words` to `max_words` words; None sets no upper limit."""
        self._min_words = min_words
        self._max_words = max_words

    def judge(self, case: Case) -> CheckResult:
        """Whether the length is as asked, and nothing repeats."""
        n_words = len(case.answer.split())
        if n_words < self._min_words:
            return failed("too_few_words", n_words=n_words, min_words=self._min_words).by(self.id)
        if self._max_words is not None and n_words > self._max_words:
            return failed("too_many_words", n_words=n_words, max_words=self._max_words).by(self.id)
        text = normal_text(_TABLE_ROW.sub("\n", _CODE.sub("\n", case.answer[:READ_CHARS])))
        finding = _loop(text) or _echo(text) or passed("fits", n_words=n_words)
        return unless_unread(finding, case.answer).by(self.id)


def _loop(text: str) -> Finding | None:
    """A phrase of 1 to `LONGEST_LOOP` words that follows itself twice, found in one pass a length."""
    words = _WORD.findall(text)
    repeated = sum(n for n in Counter(words).values() if n >= _COPIES)
    numbers: dict[str, int] = {}
    ids = np.array([numbers.setdefault(word, len(numbers)) for word in words], dtype=np.int64)
    for period in range(1, min(LONGEST_LOOP, repeated // _COPIES) + 1):
        differs = ids[period:] != ids[:-period]
        if len(differs) - np.count_nonzero(differs) < 2 * period:
            continue  # too few words return after so many for a run of them
        breaks = np.flatnonzero(np.append(differs, True))
        starts = np.append(0, breaks[:-1] + 1)
        for start in starts[breaks - starts >= 2 * period][:_MAX_RUNS]:
            if _is_loop(words[start : start + period], period):
                return failed("repeated_text", period_words=period)
    return None


def _is_loop(repeated: list[str], period: int) -> bool:
    """Whether three copies of a phrase are a fault: one word that is not for emphasis, two words or more of prose."""
    phrase = [word for word in repeated if word[0].isalpha()]
    if not phrase:
        return False
    if period == 1:
        return phrase[0] not in _MAY_REPEAT and len(phrase[0]) > 1
    return len(phrase) >= 4 or (len(phrase) >= 2 and len(phrase) == period)


def _echo(text: str) -> Finding | None:
    """A sentence of five words or more that stands four times."""
    sentences = Counter(
        sentence for piece in _SENTENCE_END.split(text) if len((sentence := " ".join(piece.split())).split()) >= 5
    )
    most = max(sentences.values(), default=0)
    return failed("repeated_text", n_times=most) if most >= 4 else None
