"""ICD-10-CM: what the answer or the query says a code is, the code set says too; a swapped digit is found by this."""

from verifiers.case import Case
from verifiers.chain import CheckResult, Price
from verifiers.coding.against_text import readings_of
from verifiers.coding.code_set import load_code_set
from verifiers.coding.likeness import contradiction
from verifiers.coding.outcomes import doubtful, fine, not_applicable, shown, shown_rival
from verifiers.coding.term_index import load_term_index, words_of


class DescriptionMatches:
    """Doubts a code where the text plainly says another, or says nothing that any term for the code says.

    Words are compared, not meanings: a note in words of its own is let through unless another code fits it better.

    Args:
        required: whether an answer beside which nothing is said cannot be decided, rather than passes.
    """

    id = "icd10cm.description"
    price = Price.FREE

    def __init__(self, required: bool = False) -> None:
        self._required = required

    def judge(self, case: Case) -> CheckResult:
        """Pass when nothing contradicts a code; the reason is `nothing_stated` where there was no text to compare."""
        index = load_term_index()
        claim, readings = readings_of(case, load_code_set())
        if not any(index.weight(words_of(piece)) for reading in readings for piece in reading.pieces):
            return not_applicable(self.id, "nothing_stated", required=self._required)
        claimed = {reading.stem for reading in readings}
        for reading in readings:
            found = contradiction(index, reading.stem, reading.pieces, claimed=claimed, is_stated=reading.is_stated)
            if found is not None:
                return doubtful(self.id, found.reason, {**shown(reading.each), **shown_rival(found.rival)})
        return fine(self.id, claim)
