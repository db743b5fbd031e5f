"""figures.derived: a numeric answer is one that its question's operation gives over the table or text of the source.

The question names an operation (change, percentage change, difference, average, sum, share, count, or a value to look
up), rows, columns and years. An answer that none of the values so derived confirms cannot be decided. It confirms by
numbers alone, and only questions about one number.
"""

import re
from decimal import Decimal

from verifiers.case import Case
from verifiers.chain import CheckResult, Price
from verifiers.figures.amounts import READ_CHARACTERS, Amount, agree
from verifiers.figures.asked import Question, Wanted, question_of
from verifiers.figures.bare import MOST_CHARACTERS, has_table, is_bare
from verifiers.figures.candidates import Candidate, candidates_of
from verifiers.figures.finding import Finding, conclude, number
from verifiers.figures.grounds import grounds_of
from verifiers.figures.reading import answer_amounts

_FALLS = re.compile(
    r"\b(?:decreas\w*|declin\w*|fell|fall|drop\w*|reduc\w*|lower|down|negative|loss)\b|\(\s*[$€£]?\s?[\d.,]+\s*\)", re.I
)
_POWERS = tuple(Decimal(10) ** power for power in (-9, -6, -3, 0, 3, 6, 9))


class Derived:
    """Passes when the derived values hold the answer's number to `tolerance`; otherwise it cannot be decided.

    It judges bare answers (one number in one sentence) to questions over a source with a table, and no others. A value
    that is only looked up must be the cell's, to the digits shown.

    `tolerance` is relative: 0.01 takes 20.1 for 20, as a reader who rounds does. With `signs: ignore` a fall of 5
    passes for a change of -5 stated without its sign.
    """

    id = "figures.derived"
    price = Price.FREE

    def __init__(self, *, required: bool = False, tolerance: float = 0.01, signs: str = "check") -> None:
        self._required = required
        self._tolerance = Decimal(str(tolerance))
        self._checks_signs = signs == "check"

    def judge(self, case: Case) -> CheckResult:
        """Pass when the number is derived, or the answer or the question is not about a number."""
        text = case.answer[:READ_CHARACTERS]
        question = question_of(case.query)
        stated = _stated(text)
        findings: list[Finding] = []
        n_checked = 0
        grounds = grounds_of(case)
        if stated is not None and not _is_year(question, stated) and has_table(grounds):
            n_checked = 1
            values = candidates_of(question, grounds)
            is_derived = any(self._agrees(stated, candidate, text, question.wanted) for candidate in values)
            if not is_derived:
                evidence = {
                    "operation": question.wanted.value,
                    "stated": number(stated.value),
                    "n_candidates": len(values),
                }
                findings.append(Finding("not_derived" if values else "no_operands", is_hard=False, evidence=evidence))
        return conclude(
            self.id, findings, n_checked=n_checked, nothing="no_number", required=self._required, text=case.answer
        )

    def _agrees(self, stated: Amount, candidate: Candidate, text: str, wanted: Wanted) -> bool:
        value = stated.shown
        if value > 0 and _FALLS.search(text):
            value = -value
        expected = candidate.value
        if not (candidate.is_signed and self._checks_signs):
            value, expected = abs(value), abs(expected)
        if (
            stated.unit != "percent"
            and stated.scale == 1
            and abs(value) < 10
            and abs(value - expected / 100) <= stated.step / 2
        ):
            return True
        is_ratio = stated.unit == "percent" or wanted in {Wanted.CHANGE, Wanted.SHARE}
        powers = (Decimal(1),) if is_ratio else _POWERS
        for power in powers:
            scaled = expected * power
            if wanted is Wanted.LOOKUP:
                if agree(abs(scaled), abs(value), stated.step):
                    return True
            elif abs(value - scaled) <= max(abs(scaled) * self._tolerance, Decimal("1e-9")):
                return True
        return False


def _stated(text: str) -> Amount | None:
    """The number of a bare answer, or the one that a bare calculation such as `16 - 12 = 4` ends in."""
    tail = text.rpartition("=")[2] if len(text) <= MOST_CHARACTERS else text
    amounts = answer_amounts(tail)
    if not is_bare(tail, amounts):
        return None
    return next((a for a in amounts if a.unit or a.step != 1 or not 1900 <= a.value <= 2100), None)


def _is_year(question: Question, stated: Amount) -> bool:
    return (
        1900 <= stated.value <= 2100
        and stated.step == 1
        and not stated.unit
        and bool(
            re.search(
                r"\b(?:which|what|in what) (?:fiscal )?year\b|\bwhen\b|\bwhich (?:fiscal )?years?\b",
                question.text,
                re.I,
            )
        )
    )
