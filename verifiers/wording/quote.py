"""wording.quote: every quotation of the answer stands in the source, word for word.

Words are compared after normalising typography, so that curly quotes, line breaks, `[t]he` and ellipses make no
difference, and one changed word does. What is not there word for word never passes:

| found | outcome | reason |
|---|---|---|
| the same words | pass | in_source |
| nine words in ten, the others no number and no negation | cannot decide | changed_quote |
| nearly, with another number | fail | changed_number |
| nearly, with a negation dropped or put in | fail | changed_negation |
| an ellipsis that leaves out a negation and little else | cannot decide | elided_negation |
| nothing like it, and the source was supplied | fail | invented_quote |
| nothing like it, and only the query is known | cannot decide | no_source |

It does not see whether the quotation supports what the answer makes of it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from core.errors import MissingExtra
from verifiers.case import Case
from verifiers.chain import CheckOutcome, CheckResult, Price
from verifiers.wording.findings import (
    READ_CHARS,
    SOURCE_CHARS,
    Finding,
    failed,
    not_applicable,
    passed,
    undecided,
    unless_unread,
)
from verifiers.wording.quoted import Part, parts_of, quotations
from verifiers.wording.words import NEGATIONS, is_number, words_of

NEAR = 0.9
"""Share of a quotation's words that a passage must have, in order, to count as the one it was taken from."""

MEANT = 0.6
"""Above this share a passage is near enough to say what was changed in it."""

_REACH = {"nothing": 0, "inserted": 200, "ellipsis": 4000}
"""Characters of the source that may be left out between two parts of a quotation."""

_MAX_STARTS = 200
_MAX_COMPARED = 12


class QuoteCheck:
    """Finds quotations that the source does not hold word for word."""

    id = "wording.quote"
    price = Price.FREE

    def __init__(self, *, min_words: int = 3, required: bool = False) -> None:
        """Look at quotations of at least `min_words` words, and at shorter ones that hold a number.

        Args:
            min_words: shorter ones without a number are terms, not quotations.
            required: an answer without a quotation cannot be decided, instead of passing.

        Raises:
            MissingExtra: rapidfuzz is not installed.
        """
        try:
            import rapidfuzz  # noqa: F401
        except ImportError as error:
            raise MissingExtra("rapidfuzz", "legal", "Comparing quotations with their source") from error
        self._min_words = min_words
        self._required = required

    def judge(self, case: Case) -> CheckResult:
        """The worst that was found about any quotation."""
        quoted = [parts for text in quotations(case.answer[:READ_CHARS]) if self._is_checkable(parts := parts_of(text))]
        if not quoted:
            return unless_unread(not_applicable("no_quotes", self._required), case.answer).by(self.id)
        source = _Source.of(case)
        worst: Finding | None = None
        n_compared = 0
        for number, parts in enumerate(quoted):
            finding = source.exact(parts)
            if finding is None:
                n_compared += 1
                finding = source.nearly(parts) if n_compared <= _MAX_COMPARED else source.absent()
            if finding.severity > (worst.severity if worst else 0):
                worst = finding._replace(evidence={**finding.evidence, "n_quotes": len(quoted), "quote": number})
            if worst is not None and worst.outcome is CheckOutcome.FAIL:
                break
        return unless_unread(worst or passed("in_source", n_quotes=len(quoted)), case.answer).by(self.id)

    def _is_checkable(self, parts: Sequence[Part]) -> bool:
        words = [word for part in parts for word in part.words]
        return len(words) >= self._min_words or (len(words) >= 2 and any(map(is_number, words)))


class _Source(NamedTuple):
    """What quotations may come from: the supplied source and what was said in the query."""

    words: list[str]
    text: str
    is_supplied: bool

    @classmethod
    def of(cls, case: Case) -> "_Source":
        said = "\n\n".join(message.content for message in case.query.messages)
        is_supplied = case.source != case.query.text
        words = words_of(f"{case.source}\n\n{said}"[:SOURCE_CHARS])
        return cls(words, f" {' '.join(words)} ", is_supplied)

    def exact(self, parts: Sequence[Part]) -> Finding | None:
        """A finding when the parts stand in the source in this order, near one another; else None."""
        first = _run(parts[0])
        start = self.text.find(first)
        for _ in range(_MAX_STARTS):
            if start < 0:
                return None
            ends = start + len(first) - 1
            skipped: list[str] = []
            for part in parts[1:]:
                run = _run(part)
                found = self.text.find(run, ends, ends + _REACH[part.may_skip] + len(run) + 1)
                if found < 0:
                    break
                if part.may_skip == "ellipsis":
                    skipped.append(self.text[ends:found])
                ends = found + len(run) - 1
            else:
                return _elided(skipped)
            start = self.text.find(first, start + 1)
        return None

    def nearly(self, parts: Sequence[Part]) -> Finding:
        """What was changed in the passage that a quotation resembles most."""
        from rapidfuzz.distance import Levenshtein
        from rapidfuzz.fuzz import partial_ratio_alignment

        worst = None
        for part in parts:
            if _run(part) in self.text:
                continue
            if len(part.words) >= len(self.words):
                return self.absent()
            near = partial_ratio_alignment(part.words, self.words, score_cutoff=100 * MEANT)
            if near is None or near.score < 100 * MEANT:
                return self.absent()
            passage = self.words[near.dest_start : near.dest_end]
            changed = [
                words[at]
                for edit in Levenshtein.editops(part.words, passage)
                for words, at, tag in ((part.words, edit.src_pos, "insert"), (passage, edit.dest_pos, "delete"))
                if edit.tag != tag
            ]
            finding = _changed(changed, near.score / 100)
            if worst is None or finding.severity > worst.severity:
                worst = finding
        return worst or undecided("changed_quote", parts=len(parts))

    def absent(self) -> Finding:
        return failed("invented_quote") if self.is_supplied else undecided("no_source")


def _changed(words: Sequence[str], ratio: float) -> Finding:
    evidence = {"ratio": round(ratio, 3), "n_changed": len(words)}
    if any(word in NEGATIONS for word in words):
        return failed("changed_negation", **evidence)
    if any(map(is_number, words)):
        return failed("changed_number", **evidence)
    return undecided("changed_quote", **evidence) if ratio >= NEAR else failed("invented_quote", **evidence)


def _elided(skipped: Sequence[str]) -> Finding:
    for words in map(str.split, skipped):
        if len(words) <= 3 and any(word in NEGATIONS for word in words):
            return undecided("elided_negation")
    return passed("in_source")


def _run(part: Part) -> str:
    return f" {' '.join(part.words)} "
