"""ICD-10-CM: the side that a code names is the side that the text names."""

from verifiers.case import Case
from verifiers.chain import CheckResult, Price
from verifiers.coding.against_text import readings_of
from verifiers.coding.aspects import aspects_of, at_odds
from verifiers.coding.code_set import load_code_set
from verifiers.coding.likeness import speaking_for
from verifiers.coding.outcomes import doubtful, fine, shown
from verifiers.coding.term_index import load_term_index


class SideMatches:
    """Doubts a code of one side where the text beside it speaks of the other alone."""

    id = "icd10cm.laterality"
    price = Price.FREE

    def judge(self, case: Case) -> CheckResult:
        """Pass when no side is contradicted; a code without a side, or a text without one, contradicts nothing."""
        codes = load_code_set()
        claim, readings = readings_of(case, codes)
        for reading in readings:
            described = aspects_of(codes.descriptions[reading.code])
            if "side" not in described:
                continue
            for said in speaking_for(load_term_index(), reading.stem, reading.pieces, aspect="side"):
                if at_odds(described, said, over=("side",)):
                    return doubtful(self.id, "side_differs_from_text", shown(reading.each))
        return fine(self.id, claim)
