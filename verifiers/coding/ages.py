"""ICD-10-CM: the codes suit the patient's age, by the age categories of CMS's Medicare Code Editor. Soft, all of it.

| category | age | told by |
|---|---|---|
| newborn | 0 | chapter P, Z38, Z00.11-, Z05, A33, and descriptions that name a newborn |
| paediatric | 0 to 17 | Z00.12-, Z00.2, Z00.3, Z68.5-, and descriptions of childhood or adolescence |
| maternity | 9 to 64 | chapter O, Z33, Z34, Z36, Z37, Z39, Z3A |
| adult | 15 to 124 | Z00.0-, Z68.1 to Z68.4-, R54, and descriptions that say age-related or senile |

A condition of the newborn may last, so a code of chapter P is doubted from the age of one only. Sex is never looked at.
"""

import re
from typing import NamedTuple

from verifiers.case import Case
from verifiers.chain import CheckResult, Price
from verifiers.coding.claim import read_claim
from verifiers.coding.code_set import CodeSet, dotted, load_code_set, undotted
from verifiers.coding.outcomes import doubtful, fine, not_applicable, unread

CHARACTERS_READ = 20_000


class AgeRange(NamedTuple):
    """A category of the editor, and the whole years that suit it, both ends included."""

    name: str
    youngest: int
    oldest: int


NEWBORN = AgeRange("newborn", 0, 0)
PAEDIATRIC = AgeRange("paediatric", 0, 17)
MATERNITY = AgeRange("maternity", 9, 64)
ADULT = AgeRange("adult", 15, 124)

_BY_PREFIX = (
    (NEWBORN, ("P", "Z38", "Z0011", "Z05", "A33")),
    (MATERNITY, ("O", "Z33", "Z34", "Z36", "Z37", "Z39", "Z3A")),
    (PAEDIATRIC, ("Z0012", "Z002", "Z003", "Z685")),
    (ADULT, ("Z000", "Z681", "Z682", "Z683", "Z684", "R54")),
)
_BY_WORDS = (
    (ADULT, re.compile(r"\bage-related\b|\bsenile\b")),
    (NEWBORN, re.compile(r"(?<!of )(?<!mother )\b(?:of|in) newborn\b|\bneonatal (?!.*(?:death|mother))")),
    (PAEDIATRIC, re.compile(r"\b(?:of|in) (?:infancy|childhood|adolescence)\b(?!.*(?:history|adult))")),
)
_NOT_BY_WORDS = re.compile(r"history|screening|adult|sequela|maternal|mother|early childhood|conduct|onset|family")
_YEARS = re.compile(
    r"\b(?P<years>\d{1,3})[ -]?(?:years?[ -]old|year[ -]old|y\.?[/ ]?o\b\.?|yrs?[ -]?old|yo[mf]?\b)|"
    r"(?<!gestational )(?<!at )\b(?:aged?|age:)[ ]*(?P<aged>\d{1,3})\b"
    r"(?![ ]*(?:completed|months|weeks|days|mo\b|wk|d\b|%|mg))",
    re.IGNORECASE,
)
_UNDER_ONE = re.compile(
    r"\b\d{1,2}[ -]?(?:days?|weeks?|wk)[ -]old\b|\b(?:[1-9]|1[01])[ -]?(?:months?|mo)[ -]old\b", re.IGNORECASE
)


class AgeSuits:
    """Doubts a code whose age category the patient's age is outside of.

    Args:
        required: whether a case without an age cannot be decided, rather than passes.
    """

    id = "icd10cm.age"
    price = Price.FREE

    def __init__(self, required: bool = False) -> None:
        self._required = required

    def judge(self, case: Case) -> CheckResult:
        """Pass when every code suits the age, or no age is known."""
        years = age_of(case)
        if years is None:
            return not_applicable(self.id, "no_age", required=self._required)
        codes = load_code_set()
        claim = read_claim(case.answer)
        if not claim.codes:
            return unread(self.id, claim)
        for each in claim.codes:
            suited = suited_ages(codes, undotted(each.code))
            if suited is not None and not suited.youngest <= years <= suited.oldest:
                return doubtful(
                    self.id, f"age_outside_{suited.name}", {"code": dotted(undotted(each.code)), "age_years": years}
                )
        return fine(self.id, claim)


def suited_ages(codes: CodeSet, code: str) -> AgeRange | None:
    """The category of a code (without dot) that has one.

    >>> [suited_ages(load_code_set(), code) for code in ("O80", "P599", "E119")][0].oldest
    64
    """
    if code not in codes.codes:
        return None
    for category, prefixes in _BY_PREFIX:
        if code.startswith(prefixes):
            return category
    description = codes.descriptions[code].lower()
    if _NOT_BY_WORDS.search(description):
        return None
    return next((category for category, words in _BY_WORDS if words.search(description)), None)


def age_of(case: Case) -> int | None:
    """Whole years, from the facts, else the one age that the query states; None where it states none or several.

    >>> from core.records import Query, messages_of
    >>> age_of(Case(query=Query(id="q", messages=messages_of("A 70-year-old with asthma.")), answer=""))
    70
    """
    given = case.facts.get("age_years")
    if isinstance(given, int | float) and not isinstance(given, bool) and 0 <= given < 150:
        return int(given)
    text = case.query.text[:CHARACTERS_READ]
    ages = {int(match["years"] or match["aged"]) for match in _YEARS.finditer(text)}
    if _UNDER_ONE.search(text):
        ages.add(0)
    return ages.pop() if len(ages) == 1 else None
