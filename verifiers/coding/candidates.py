"""ICD-10-CM: where the query lists candidate codes, the answer's code is one of them."""

import re

from verifiers.case import Case
from verifiers.chain import CheckOutcome, CheckResult, Price
from verifiers.coding.icd10cm import decided, undecided
from verifiers.coding.proposed_code import find_proposed_code

_HEADING = re.compile(r"\b(?:candidates?|candidate codes|choose (?:one )?(?:from|of|among)|options)\b[^\n]*?:", re.I)
_CODE = re.compile(r"(?<![\w.])[A-Z][0-9A-Z][0-9A-Z](?:\.[0-9A-Z]{1,4})?(?![\w])")


class CodeIsCandidate:
    """Fails when the query offers a list of codes and the answer's is not on it; passes where there is no list."""

    id = "icd10cm.candidate"
    price = Price.FREE

    def judge(self, case: Case) -> CheckResult:
        """Pass when the code is on the list, or no list is given."""
        candidates = candidate_codes(case.query.messages[-1].content)
        if not candidates:
            return CheckResult(check=self.id, outcome=CheckOutcome.PASS, reason="no_candidates_listed")
        proposed = find_proposed_code(case.answer)
        if proposed.code is None:
            return undecided(self.id, proposed)
        listed = proposed.code.replace(".", "") in {code.replace(".", "") for code in candidates}
        return decided(self.id, proposed, passes=listed, reason="code_not_among_candidates")


def candidate_codes(text: str) -> tuple[str, ...]:
    """The codes after a heading such as `Candidate codes:`; none where there is no heading.

    >>> candidate_codes("Meningitis due to sporotrichosis. Candidate codes: B42.81, B42.9")
    ('B42.81', 'B42.9')
    >>> candidate_codes("Patient with E11.9 on B12 injections.")
    ()
    """
    heading = _HEADING.search(text)
    if heading is None:
        return ()
    codes = _CODE.findall(text, heading.end())
    return tuple(code for code in dict.fromkeys(codes) if any(character.isdigit() for character in code))
