"""ICD-10-CM: where the query lists candidate codes, the answer's one code is among them."""

import re

from verifiers.case import Case
from verifiers.chain import CheckResult, Price
from verifiers.coding.claim import read_claim
from verifiers.coding.code_set import undotted
from verifiers.coding.outcomes import doubtful, fine, unread, wrong

_HEADING = re.compile(r"\b(?:candidates?|candidate codes|choose (?:one )?(?:from|of|among)|options)\b[^\n]*?:", re.I)
_CODE = re.compile(r"(?<![\w.])[A-Z][0-9A-Z][0-9A-Z](?:\.[0-9A-Z]{1,4})?(?![\w])")


class CodeIsCandidate:
    """Fails when the query offers a list of codes and the answer's is not on it; passes where there is no list."""

    id = "icd10cm.candidate"
    price = Price.FREE

    def judge(self, case: Case) -> CheckResult:
        """Pass when the code is on the list, or no list is given; several codes cannot be decided."""
        candidates = candidate_codes(case.query.messages[-1].content)
        if not candidates:
            return fine(self.id, reason="no_candidates_listed")
        claim = read_claim(case.answer)
        if not claim.codes:
            return unread(self.id, claim)
        if len({undotted(each.code) for each in claim.codes}) > 1:
            return doubtful(self.id, "several_codes_found", {"n_codes": len(claim.codes)})
        listed = undotted(claim.codes[0].code) in set(map(undotted, candidates))
        return fine(self.id, claim) if listed else wrong(self.id, "code_not_among_candidates", claim.codes[0], claim)


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
