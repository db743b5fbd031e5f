"""HCPCS: every procedure code of the answer is in the file that the pack names. Ships no codes."""

from verifiers.case import Case
from verifiers.chain import CheckOutcome, CheckResult, Price
from verifiers.coding.cms_tables import load_hcpcs
from verifiers.coding.outcomes import doubtful, fine, not_applicable
from verifiers.coding.procedure_lines import read_procedures


class ProcedureExists:
    """Fails when a procedure code is not in the file; without a file it cannot decide an answer that has any.

    Args:
        file: CMS's HCPCS file, or a list of the site's own licensed codes, one a line.
        required: whether an answer without procedures cannot be decided, rather than passes.
    """

    id = "hcpcs.exists"
    price = Price.FREE

    def __init__(self, file: str | None = None, required: bool = False) -> None:
        self._known = load_hcpcs(file) if file else None
        self._required = required

    def judge(self, case: Case) -> CheckResult:
        """Pass when every procedure code is known."""
        lines = read_procedures(case.answer)
        if not lines:
            return not_applicable(self.id, "no_procedures", required=self._required)
        if self._known is None:
            return doubtful(self.id, "no_file_of_codes", {"n_procedures": len(lines)})
        for line in lines:
            if line.code not in self._known:
                return CheckResult(
                    check=self.id,
                    outcome=CheckOutcome.FAIL,
                    reason="procedure_not_found",
                    evidence={"procedure": line.code},
                )
        return fine(self.id)
