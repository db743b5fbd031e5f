"""The ICD-10-CM code set, read once: billable codes, descriptions, and every other official term for them.

Two parts of the tabular list name a billable code in other words than its description:

- inclusion terms, listed under the code;
- cross-references, where another code's Excludes note says `panic disorder (F41.0)`.

Both are the code set's own words (CDC and CMS, public domain, from `simple-icd-10-cm`); nothing is added here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import simple_icd_10_cm

_REFERENCE = re.compile(r"(?P<term>.+?)\s*\((?P<code>[A-Z][0-9A-Z]{2}(?:\.[0-9A-Z]+)?)\)")


@dataclass(frozen=True)
class CodeSet:
    """Billable codes in the order of the tabular list, with what the list says about them.

    `inclusion_terms` and `cross_references` hold only codes that have some; `categories` names each
    three-character category.
    """

    billable: tuple[str, ...]
    descriptions: Mapping[str, str]
    categories: Mapping[str, str]
    inclusion_terms: Mapping[str, tuple[str, ...]]
    cross_references: Mapping[str, tuple[str, ...]]

    def other_terms(self, code: str) -> tuple[str, ...]:
        """Every official term for the code apart from its description."""
        return self.inclusion_terms.get(code, ()) + self.cross_references.get(code, ())


@cache
def load_code_set() -> CodeSet:
    """The code set of the installed `simple-icd-10-cm`; takes two seconds, once."""
    listed = simple_icd_10_cm.get_all_codes(with_dots=True)
    # A category that is alone in its block (J95) bears the block's name too, so leaves are told by shape.
    billable = tuple(code for code in listed if _has_code_shape(code) and simple_icd_10_cm.is_leaf(code))
    descriptions = {code: str(simple_icd_10_cm.get_description(code)) for code in billable}
    inclusions = {code: tuple(simple_icd_10_cm.get_inclusion_term(code)) for code in billable}
    return CodeSet(
        billable=billable,
        descriptions=descriptions,
        categories={code[:3]: str(simple_icd_10_cm.get_description(code[:3])) for code in billable},
        inclusion_terms={code: terms for code, terms in inclusions.items() if terms},
        cross_references=_cross_references(listed, set(billable)),
    )


def normalised(term: str) -> str:
    """Letters and digits only, lower case: two terms that read the same are the same.

    >>> normalised("Meningitis, due to (acute) sporotrichosis")
    'meningitis due to acute sporotrichosis'
    """
    return re.sub(r"[^a-z0-9]+", " ", term.lower()).strip()


def _has_code_shape(code: str) -> bool:
    return re.fullmatch(r"[A-Z][0-9A-Z]{2}(\.[0-9A-Z]+)?", code) is not None


def _cross_references(listed: list[str], billable: set[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    for code in listed:
        for note in (*simple_icd_10_cm.get_excludes1(code), *simple_icd_10_cm.get_excludes2(code)):
            match = _REFERENCE.fullmatch(note.strip())
            if match is not None and match["code"] in billable:
                found.setdefault(match["code"], set()).add(match["term"])
    return {code: tuple(sorted(terms)) for code, terms in found.items()}
