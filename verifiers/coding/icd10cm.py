"""ICD-10-CM: every code that an answer claims exists, and is billable: a leaf, never a chapter, a block or a header."""

from collections.abc import Callable, Collection, Mapping

from verifiers.case import Case
from verifiers.chain import CheckResult, Price
from verifiers.coding.claim import ClaimedCode, read_claim
from verifiers.coding.code_set import CodeSet, is_dotted_rightly, load_code_set, undotted
from verifiers.coding.dates import UnreadableDate, date_of_service
from verifiers.coding.outcomes import fine, unread, wrong
from verifiers.coding.releases import Release, load_releases

LONGEST_STEM = 6


class CodeExists:
    """Fails when a code of the answer is in no part of ICD-10-CM.

    Args:
        order_files: further releases, as `icd10cm.valid_on_date` takes them; of a case with a date of service, the
            release in force that day decides, where it is at hand.
    """

    id = "icd10cm.exists"
    price = Price.FREE

    def __init__(self, order_files: Mapping[str, str] | None = None) -> None:
        self._order_files = order_files or {}

    def judge(self, case: Case) -> CheckResult:
        """Pass when every code exists; cannot decide when the answer claims none or leaves open which."""
        codes = _in_force(case, self._order_files).codes
        return _judge_each(self.id, case, codes, _why_unknown)


class CodeBillable:
    """Fails when a code of the answer is a header that needs more characters, or no code at all.

    Args:
        order_files: as of `CodeExists`.
    """

    id = "icd10cm.billable"
    price = Price.FREE

    def __init__(self, order_files: Mapping[str, str] | None = None) -> None:
        self._order_files = order_files or {}

    def judge(self, case: Case) -> CheckResult:
        """Pass when every code is a leaf; cannot decide when the answer claims none or leaves open which."""
        codes = _in_force(case, self._order_files).billable
        return _judge_each(self.id, case, codes, _why_not_billable)


def lacks_seventh_character(codes: CodeSet, code: str) -> bool:
    """Whether the code would be billable with a seventh character, after placeholders where it is short.

    >>> codes = load_code_set()
    >>> [lacks_seventh_character(codes, code) for code in ("S52501", "W010", "E11")]
    [True, True, False]
    """
    return len(code) <= LONGEST_STEM and any(f"{code:X<6}{last}" in codes.stems for last in "A0123BDS")


def lacks_placeholder(codes: CodeSet, code: str) -> bool:
    """Whether the code is right but for the X that keeps its seventh character in the seventh place.

    >>> lacks_placeholder(load_code_set(), "W010A"), lacks_placeholder(load_code_set(), "W010XXA")
    (True, False)
    """
    if not 4 <= len(code) <= LONGEST_STEM or code in codes.codes:
        return False
    stem, last = code[:-1], code[-1]
    return f"{stem:X<6}{last}" in codes.stems


def _in_force(case: Case, order_files: Mapping[str, str]) -> Release | CodeSet:
    if not order_files:
        return load_code_set()
    try:
        day = date_of_service(case)
    except UnreadableDate:
        day = None
    return (day and load_releases(order_files).on(day)) or load_code_set()


def _judge_each(
    check: str, case: Case, codes: Collection[str], why: Callable[[CodeSet, ClaimedCode], str]
) -> CheckResult:
    claim = read_claim(case.answer)
    if not claim.codes:
        return unread(check, claim)
    for each in claim.codes:
        if not is_dotted_rightly(each.code) or undotted(each.code) not in codes:
            return wrong(check, why(load_code_set(), each), each, claim)
    return fine(check, claim)


def _why_unknown(codes: CodeSet, each: ClaimedCode) -> str:
    if is_dotted_rightly(each.code) and lacks_placeholder(codes, undotted(each.code)):
        return "placeholder_missing"
    return "code_not_found"


def _why_not_billable(codes: CodeSet, each: ClaimedCode) -> str:
    if is_dotted_rightly(each.code) and lacks_seventh_character(codes, undotted(each.code)):
        return "seventh_character_missing"
    return "code_not_billable"
