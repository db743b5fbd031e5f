"""ICD-10-CM: the seventh character tells what the text tells: phase of care, healing, open or closed, fetus, stage.

That it is there at all, and in the seventh place, is the part of `icd10cm.billable` and `icd10cm.exists`.
"""

from verifiers.case import Case
from verifiers.chain import CheckResult, Price
from verifiers.coding.against_text import readings_of
from verifiers.coding.aspects import SEVENTH, aspects_of, at_odds
from verifiers.coding.code_set import load_code_set
from verifiers.coding.likeness import speaking_for
from verifiers.coding.outcomes import doubtful, fine, shown
from verifiers.coding.term_index import load_term_index


class SeventhCharacterMatches:
    """Doubts a code whose seventh character says other than the text beside it."""

    id = "icd10cm.seventh_character"
    price = Price.FREE

    def judge(self, case: Case) -> CheckResult:
        """Pass when no aspect of a seventh character is contradicted; a code without one passes."""
        codes = load_code_set()
        claim, readings = readings_of(case, codes)
        for reading in readings:
            if reading.code not in codes.stems:
                continue
            described = aspects_of(codes.descriptions[reading.code][len(codes.descriptions[reading.stem]) :])
            for aspect in SEVENTH:
                if aspect not in described:
                    continue
                for said in speaking_for(load_term_index(), reading.stem, reading.pieces, aspect=aspect):
                    if at_odds(described, said, over=(aspect,)):
                        return doubtful(self.id, f"{aspect}_differs_from_text", shown(reading.each))
        return fine(self.id, claim)
