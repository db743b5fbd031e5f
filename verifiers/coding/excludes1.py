"""ICD-10-CM: no two codes of the answer exclude each other by an Excludes1 note.

Soft: the Official Guidelines (I.A.12.a) allow both where the conditions are unrelated, which no table can tell.
"""

from collections.abc import Iterator
from itertools import combinations

from verifiers.case import Case
from verifiers.chain import CheckResult, Price
from verifiers.coding.claim import read_claim
from verifiers.coding.code_set import CodeSet, dotted, load_code_set, undotted
from verifiers.coding.outcomes import doubtful, fine, unread


class NoExcludes1Pair:
    """Doubts two codes of which one stands under an Excludes1 note that names the other, at whatever level."""

    id = "icd10cm.excludes1"
    price = Price.FREE

    def judge(self, case: Case) -> CheckResult:
        """Pass when no pair is excluded; one code alone excludes nothing."""
        codes = load_code_set()
        claim = read_claim(case.answer)
        if not claim.codes:
            return unread(self.id, claim)
        pair = next(excluded_pairs(codes, [undotted(each.code) for each in claim.codes]), None)
        if pair is None:
            return fine(self.id, claim)
        return doubtful(self.id, "excludes1_pair", {"code": dotted(pair[0]), "excludes": dotted(pair[1])})


def excluded_pairs(codes: CodeSet, claimed: list[str]) -> Iterator[tuple[str, str]]:
    """The pairs of claimed codes of which the first's note, or that of a code above it, names the second.

    >>> list(excluded_pairs(load_code_set(), ["E1122", "I10", "E1022"]))
    [('E1122', 'E1022')]
    """
    for one, other in combinations(dict.fromkeys(code for code in claimed if code in codes.codes), 2):
        if _excludes(codes, one, other):
            yield one, other
        elif _excludes(codes, other, one):
            yield other, one


def _excludes(codes: CodeSet, one: str, other: str) -> bool:
    """Whether a note that holds for `one` names `other`; one that names both says nothing of the two together."""
    return any(
        span.holds(other) and not span.holds(one)
        for level in codes.lineage(one)
        for span in codes.excludes1.get(level, ())
    )
