"""ICD-10-CM: every code of the answer was billable on the date of service. Which release that is, the date decides."""

from collections.abc import Mapping

from verifiers.case import Case
from verifiers.chain import CheckResult, Price
from verifiers.coding.claim import read_claim
from verifiers.coding.code_set import is_dotted_rightly, undotted
from verifiers.coding.dates import UnreadableDate, date_of_service
from verifiers.coding.outcomes import doubtful, fine, not_applicable, unread, wrong
from verifiers.coding.releases import load_releases


class ValidOnServiceDate:
    """Fails when a code was not billable on the date of service; the bundled release and the pack's files decide.

    Args:
        order_files: first day and path of each further release; see `releases.load_releases`.
        required: whether a case without a date of service cannot be decided, rather than passes.
    """

    id = "icd10cm.valid_on_date"
    price = Price.FREE

    def __init__(self, order_files: Mapping[str, str] | None = None, required: bool = False) -> None:
        self._releases = load_releases(order_files or {})
        self._required = required

    def judge(self, case: Case) -> CheckResult:
        """Pass when every code was billable that day, or no day is known; outside the releases it cannot decide."""
        try:
            day = date_of_service(case)
        except UnreadableDate:
            return doubtful(self.id, "date_of_service_unreadable", {})
        if day is None:
            return not_applicable(self.id, "no_date_of_service", required=self._required)
        release = self._releases.on(day)
        if release is None:
            return doubtful(self.id, "date_outside_releases", {"date_of_service": day.isoformat()})
        claim = read_claim(case.answer)
        if not claim.codes:
            return unread(self.id, claim)
        for each in claim.codes:
            if not (is_dotted_rightly(each.code) and undotted(each.code) in release.billable):
                return wrong(self.id, "not_billable_on_date", each, claim)
        return fine(self.id, claim)
