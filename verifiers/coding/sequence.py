"""ICD-10-CM: the order of a list of codes, and its repetitions. A single code has neither.

Manifestations follow their cause, as a `code first` note says; external causes (V00-Y99) are never first; a code
stands on a claim once. Order is soft: how the claim form will be filled is more than a list tells.
"""

from verifiers.case import Case
from verifiers.chain import CheckResult, Price
from verifiers.coding.claim import read_claim
from verifiers.coding.code_set import CodeSet, dotted, load_code_set, undotted
from verifiers.coding.outcomes import doubtful, fine, unread


class InSequence:
    """Doubts a list that begins with an external cause, or in which a manifestation stands before every cause."""

    id = "icd10cm.sequence"
    price = Price.FREE

    def judge(self, case: Case) -> CheckResult:
        """Pass when the order breaks no note; the first code that does is named."""
        codes = load_code_set()
        claim = read_claim(case.answer)
        if not claim.codes:
            return unread(self.id, claim)
        claimed = [undotted(each.code) for each in claim.codes]
        if len(set(claimed)) > 1:
            if claimed[0][0] in "VWXY" and any(code[0] not in "VWXY" for code in claimed):
                return doubtful(self.id, "external_cause_first", {"code": dotted(claimed[0])})
            early = early_manifestation(codes, claimed)
            if early is not None:
                return doubtful(self.id, "manifestation_before_cause", {"code": dotted(early)})
        return fine(self.id, claim)


class NotRepeated:
    """Doubts a list that claims a code twice."""

    id = "icd10cm.repeated"
    price = Price.FREE

    def judge(self, case: Case) -> CheckResult:
        """Pass when every code stands once."""
        claim = read_claim(case.answer)
        if not claim.codes:
            return unread(self.id, claim)
        seen: set[str] = set()
        for each in claim.codes:
            if undotted(each.code) in seen and each.is_code_shaped:
                return doubtful(self.id, "code_repeated", {"code": each.code})
            seen.add(undotted(each.code))
        return fine(self.id, claim)


def early_manifestation(codes: CodeSet, claimed: list[str]) -> str | None:
    """The first code that is only ever a manifestation and stands first, or before the cause that its note names.

    >>> early_manifestation(load_code_set(), ["D631", "N184"]), early_manifestation(load_code_set(), ["N184", "D631"])
    ('D631', None)
    """
    for place, code in enumerate(claimed):
        spans = [span for level in codes.lineage(code) for span in codes.code_first.get(level, ())]
        if place == 0 and "in diseases classified elsewhere" in codes.descriptions.get(code, "").lower():
            return code
        before, after = claimed[:place], claimed[place + 1 :]
        names = [other for other in after if any(span.holds(other) and not span.holds(code) for span in spans)]
        if names and not any(span.holds(other) for span in spans for other in before):
            return code
    return None
