"""MUE: no procedure is billed for more units than one patient has on one day, by CMS's public limits. Ships none."""

from collections import Counter
from datetime import date

from verifiers.case import Case
from verifiers.chain import CheckOutcome, CheckResult, Price
from verifiers.coding.cms_tables import load_unit_limits
from verifiers.coding.outcomes import doubtful, fine, not_applicable
from verifiers.coding.procedure_lines import read_procedures

PER_LINE, ABSOLUTE = 1, 2


class UnitsWithinLimit:
    """Fails on more units than an absolute limit; doubts more than a limit that a record may explain.

    Indicator 1 limits each line, 2 and 3 the sum of a day's lines; only 2 admits no exception.

    Args:
        file: CMS's file of medically unlikely edits.
        required: whether an answer without procedures cannot be decided, rather than passes.
    """

    id = "mue.units"
    price = Price.FREE

    def __init__(self, file: str | None = None, required: bool = False) -> None:
        self._limits = load_unit_limits(file) if file else None
        self._required = required

    def judge(self, case: Case) -> CheckResult:
        """Pass when no code with a limit exceeds it; a code without one is not limited."""
        lines = read_procedures(case.answer)
        if not lines:
            return not_applicable(self.id, "no_procedures", required=self._required)
        if self._limits is None:
            return doubtful(self.id, "no_file_of_limits", {"n_procedures": len(lines)})
        of_day: Counter[tuple[str, date | None]] = Counter()
        doubt: CheckResult | None = None
        for line in lines:
            of_day[line.code, line.day] += line.units
            limit = self._limits.get(line.code)
            if limit is None:
                continue
            units = line.units if limit.adjudication == PER_LINE else of_day[line.code, line.day]
            if units > limit.most_units:
                is_absolute = limit.adjudication == ABSOLUTE
                result = CheckResult(
                    check=self.id,
                    outcome=CheckOutcome.FAIL if is_absolute else CheckOutcome.CANNOT_DECIDE,
                    reason="units_above_limit",
                    evidence={"procedure": line.code, "units": units, "most_units": limit.most_units},
                )
                if is_absolute:
                    return result
                doubt = doubt or result
        return doubt or fine(self.id)
