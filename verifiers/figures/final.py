"""figures.final: the final number of a worked answer is one that its working came to. It needs working to judge.

An answer that breaks off inside an equation is not decided either.
"""

import re
from collections.abc import Sequence
from decimal import Decimal

from verifiers.case import Case
from verifiers.chain import CheckResult, Price
from verifiers.figures.amounts import READ_CHARACTERS, Amount, agree, amounts_of
from verifiers.figures.equations import Equation, equations_of
from verifiers.figures.finding import Finding, conclude, number

_MARKER = re.compile(
    r"(?:####\s*|\\boxed\s*\{|\b(?:final |correct )?answer(?:\s+is|\s*:|\s+would be)\s*:?\s*"
    r"|(?:^|[.!?]\s)\s*(?:therefore|thus|hence|so|in total|overall|in conclusion)\b[^\n]*?(?=[-$€£]?\d))",
    re.I | re.M,
)
_CUT_OFF = re.compile(r"(?:<<[^<>]*|[=+*/×÷]|\s-)\s*[$€£]?\s*$")
_RESULT = re.compile(r"[=≈≥≤<>]\s*([-$€£\d][^\n=]{0,30})")
_FACTORS = tuple(
    Decimal(text) for text in ("1", "100", "0.01", "1000", "0.001", "1000000", "0.000001", "60", "12", "-1")
)


class FinalAnswer:
    """Fails when the stated final number is none that the working came to; undecided where the text breaks off."""

    id = "figures.final"
    price = Price.FREE

    def __init__(self, *, required: bool = False) -> None:
        self._required = required

    def judge(self, case: Case) -> CheckResult:
        """Pass when the final number follows from an equation of the answer, or none is worked."""
        text = case.answer[:READ_CHARACTERS]
        equations = equations_of(text)
        findings: list[Finding] = []
        stated = _final(text)
        if _CUT_OFF.search(text.rstrip()):
            findings.append(Finding("breaks_off", is_hard=False, evidence={"n_equations": len(equations)}))
        elif equations and stated is not None and not (_follows(stated, equations) or _is_a_result(stated, text)):
            evidence = {"stated": number(stated.value), "last_result": number(equations[-1].stated)}
            findings.append(Finding("final_not_from_working", is_hard=True, evidence=evidence))
        n_checked = len(equations) if stated is not None else len(findings)
        return conclude(
            self.id, findings, n_checked=n_checked, nothing="no_working", required=self._required, text=case.answer
        )


def _final(text: str) -> Amount | None:
    """The number that the answer gives as its last word, after its last marker."""
    markers = list(_MARKER.finditer(text))
    if not markers:
        return None
    marker = markers[-1]
    if (
        marker[0].lstrip(".!? \n")[:1].isalpha()
        and "answer" not in marker[0].lower()
        and "\n" in text[marker.end() :].strip()
    ):
        return None
    line_end = text.find("\n", marker.end())
    line = text[marker.end() : line_end if line_end > 0 else len(text)]
    amounts = amounts_of(line)
    if not amounts or re.search(r"[=]", line[: amounts[0].start]):
        return None
    explicit = bool(re.match(r"####|\\boxed|.*answer", marker[0], re.I))
    if explicit:
        return amounts[0]
    return amounts[-1] if len(amounts) == 1 and "=" not in line else None


def _is_a_result(stated: Amount, text: str) -> bool:
    """Whether the number stands right after a sign of equality or of order in the text, as in `x = 420`."""
    results = (amount for match in _RESULT.finditer(text) for amount in amounts_of(match[1])[:1])
    return any(abs(amount.value) == abs(stated.value) for amount in results)


def _follows(stated: Amount, equations: Sequence[Equation]) -> bool:
    for equation in equations:
        for result in (equation.stated, equation.expected):
            for factor in _FACTORS:
                expected = result * factor
                if agree(expected, stated.value, stated.step) or abs(expected - stated.value) < stated.step:
                    return True
    return False
