"""NCCI: no two procedures of one day are a pair that Medicare does not pay together. Ships no edits.

The practitioner's and the outpatient hospital's files differ; the pack names the one that fits the site.
"""

from datetime import date
from itertools import permutations

from verifiers.case import Case
from verifiers.chain import CheckOutcome, CheckResult, Price
from verifiers.coding.cms_tables import PairEdit, load_pair_edits
from verifiers.coding.dates import UnreadableDate, date_of_service
from verifiers.coding.outcomes import doubtful, fine, not_applicable
from verifiers.coding.procedure_lines import ProcedureLine, read_procedures

NCCI_MODIFIERS = frozenset(
    "E1 E2 E3 E4 FA F1 F2 F3 F4 F5 F6 F7 F8 F9 TA T1 T2 T3 T4 T5 T6 T7 T8 T9 LT RT LC LD RC LM RI "  # noqa: SIM905
    "24 25 27 57 58 59 78 79 91 XE XP XS XU".split()
)
"""Modifiers by which a pair of indicator 1 may be billed (NCCI Policy Manual, chapter I)."""

NEVER_TOGETHER, WITH_MODIFIER = 0, 1


class NoEditedPair:
    """Fails on a pair that an edit in force forbids; without a file it cannot decide an answer with two procedures.

    Args:
        file: CMS's file of procedure-to-procedure edits.
        required: whether an answer without a pair of procedures cannot be decided, rather than passes.
    """

    id = "ncci.pair"
    price = Price.FREE

    def __init__(self, file: str | None = None, required: bool = False) -> None:
        self._edits = load_pair_edits(file) if file else None
        self._required = required

    def judge(self, case: Case) -> CheckResult:
        """Pass when no pair of the same day is edited, or the modifier that its edit asks for is there.

        A line's own date counts before the case's; where no date is known, an edit without an end is taken as in force.
        """
        lines = read_procedures(case.answer)
        if len({line.code for line in lines}) < 2:
            return not_applicable(self.id, "no_pair_of_procedures", required=self._required)
        if self._edits is None:
            return doubtful(self.id, "no_file_of_edits", {"n_procedures": len(lines)})
        try:
            of_case = date_of_service(case)
        except UnreadableDate:
            return doubtful(self.id, "date_of_service_unreadable", {})
        for one, other in permutations(lines, 2):
            days = {line.day or of_case for line in (one, other)} - {None}
            if len(days) > 1 or one.code == other.code:
                continue
            for edit in self._edits.get((one.code, other.code), ()):
                if _in_force(edit, next(iter(days), None)) and _forbids(edit, one, other):
                    return self._forbidden(edit, one, other)
        return fine(self.id)

    def _forbidden(self, edit: PairEdit, one: ProcedureLine, other: ProcedureLine) -> CheckResult:
        reason = "pair_never_together" if edit.modifier_indicator == NEVER_TOGETHER else "pair_without_modifier"
        return CheckResult(
            check=self.id,
            outcome=CheckOutcome.FAIL,
            reason=reason,
            evidence={"column_1": one.code, "column_2": other.code, "modifier_indicator": edit.modifier_indicator},
        )


def _in_force(edit: PairEdit, day: date | None) -> bool:
    return edit.last_day == date.max if day is None else edit.first_day <= day <= edit.last_day


def _forbids(edit: PairEdit, one: ProcedureLine, other: ProcedureLine) -> bool:
    if edit.modifier_indicator == WITH_MODIFIER:
        return not NCCI_MODIFIERS.intersection(one.modifiers + other.modifiers)
    return edit.modifier_indicator == NEVER_TOGETHER
