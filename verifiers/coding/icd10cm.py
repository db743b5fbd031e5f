"""ICD-10-CM: the proposed code exists, and is billable (a leaf, never a chapter, a block or a header).

One release is loaded (the April 2026 one in simple-icd-10-cm 1.5); validity on a date of service is not decided here.
The code set takes about a second to load: call `load_code_set` before the first request.
"""

import re
import warnings
from functools import cache
from typing import NamedTuple

from core.errors import MissingExtra
from verifiers.case import Case
from verifiers.chain import CheckOutcome, CheckResult, Price
from verifiers.coding.proposed_code import ProposedCode, find_proposed_code

_CODE = re.compile(r"[A-Z][0-9A-Z]{2,6}")
"""A code without its dot; chapters are bare numbers and most blocks are ranges (E08-E13)."""


class CodeSet(NamedTuple):
    """All codes of one release without their dots; `billable` are those that may stand on a claim."""

    codes: frozenset[str]
    billable: frozenset[str]

    def has(self, code: str) -> bool:
        """Whether the code is a category, subcategory or leaf; a dot in the wrong place makes it another code."""
        return _is_dotted_rightly(code) and code.replace(".", "") in self.codes

    def is_billable(self, code: str) -> bool:
        """Whether the code is a leaf."""
        return _is_dotted_rightly(code) and code.replace(".", "") in self.billable


class CodeExists:
    """Fails when the answer's code is in no part of ICD-10-CM."""

    id = "icd10cm.exists"
    price = Price.FREE

    def judge(self, case: Case) -> CheckResult:
        """Pass when the code exists; cannot decide when the answer proposes none or several."""
        proposed = find_proposed_code(case.answer)
        if proposed.code is None:
            return undecided(self.id, proposed)
        exists = load_code_set().has(proposed.code)
        return decided(self.id, proposed, passes=exists, reason="code_not_found")


class CodeBillable:
    """Fails when the answer's code is a header that needs more characters, or no code at all."""

    id = "icd10cm.billable"
    price = Price.FREE

    def judge(self, case: Case) -> CheckResult:
        """Pass when the code is a leaf; cannot decide when the answer proposes none or several."""
        proposed = find_proposed_code(case.answer)
        if proposed.code is None:
            return undecided(self.id, proposed)
        billable = load_code_set().is_billable(proposed.code)
        return decided(self.id, proposed, passes=billable, reason="code_not_billable")


@cache
def load_code_set() -> CodeSet:
    """The release's codes, loaded once a process.

    Raises:
        MissingExtra: simple-icd-10-cm is not installed.

    >>> codes = load_code_set()
    >>> codes.is_billable("B42.81"), codes.is_billable("E11"), codes.has("E11"), codes.has("E08-E13")
    (True, False, True, False)
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the library reads its tables the old way
            import simple_icd_10_cm as icd
    except ImportError as error:
        raise MissingExtra("simple-icd-10-cm", "medical", "Checking ICD-10-CM codes") from error
    # By shape, not by `is_chapter_or_block`: B20, F99, P84, R99 and Z66 name a block and a billable code alike.
    codes = frozenset(filter(_CODE.fullmatch, icd.get_all_codes(with_dots=False)))
    return CodeSet(codes, frozenset(code for code in codes if icd.is_leaf(code)))


def decided(check: str, proposed: ProposedCode, *, passes: bool, reason: str) -> CheckResult:
    """A pass or a fail on the one code found."""
    return CheckResult(
        check=check,
        outcome=CheckOutcome.PASS if passes else CheckOutcome.FAIL,
        reason="ok" if passes else reason,
        evidence=_evidence(proposed),
    )


def undecided(check: str, proposed: ProposedCode) -> CheckResult:
    """No single code to judge."""
    reason = "no_code_found" if proposed.n_found == 0 else "several_codes_found"
    return CheckResult(
        check=check, outcome=CheckOutcome.CANNOT_DECIDE, reason=reason, evidence={"n_codes": proposed.n_found}
    )


def _evidence(proposed: ProposedCode) -> dict[str, str | bool]:
    """The code itself where it looks like one; else only that it does not, since it could be anything."""
    if proposed.code is not None and proposed.is_code_shaped:
        return {"code": proposed.code, "is_labelled": proposed.is_labelled}
    return {"is_code_shaped": False, "is_labelled": proposed.is_labelled}


def _is_dotted_rightly(code: str) -> bool:
    return "." not in code or (code.count(".") == 1 and code.index(".") == 3 and not code.endswith("."))
