"""Builds the coding queries: a diagnosis, six candidate codes, and the one that the code set says is right.

Every diagnosis is the code set's own wording, so every reference is official:

| kind | diagnosis | reference |
|---|---|---|
| inclusion_term | "Fear of women", as listed under F40.291 | that code |
| cross_reference | the words of another code's Excludes note | the code in its parentheses |
| description | the description in lower case, without brackets | its code |
| shorthand | side and seventh character as a note writes them | the code whose description was abbreviated |

Nothing is drawn at random: what is sampled is taken in the order of a hash of its content, so every machine builds
the same file. Mental health (chapter F) is taken whole, since the demo adapts to it; of the other chapters, whole
categories until a share of their terms is reached.

Run: python -m examples.medical_coding.queries demo-work/queries.jsonl
"""

import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from examples.medical_coding.code_set import CodeSet, load_code_set, normalised
from examples.medical_coding.shorthand import abbreviate

SPECIALTIES = {
    "A": "infections",
    "B": "infections",
    "C": "oncology",
    "D": "blood-and-benign-tumours",
    "E": "endocrine",
    "F": "mental-health",
    "G": "neurology",
    "H": "eye-and-ear",
    "I": "circulation",
    "J": "respiratory",
    "K": "digestive",
    "L": "skin",
    "M": "musculoskeletal",
    "N": "genitourinary",
    "O": "obstetrics",
    "P": "perinatal",
    "R": "symptoms",
    "S": "injury",
    "T": "injury",
}
"""Specialty by the code's first letter; the other letters (Q, U to Z) are not asked about."""

TARGET_LETTER = "F"
SHORTHAND_LETTERS = "HMST"
N_CANDIDATES = 6
COLUMN_WIDTH = 45
SHARE_OF_TERMS = 0.18
"""Share of each general chapter's terms that is asked about."""
N_SHORTHAND_CATEGORIES = 32
SHORTHAND_PER_CATEGORY = 10


class Case(NamedTuple):
    """A diagnosis whose code is known."""

    code: str
    diagnosis: str
    kind: str


class CodingQuery(NamedTuple):
    """A case as a coding assistant gets it."""

    id: str
    case: Case
    candidates: tuple[str, ...]
    prompt: str


def build_queries(code_set: CodeSet) -> list[CodingQuery]:
    """All queries, in the order of their reference codes; the same code set gives the same queries."""
    cases = official_terms(code_set)
    asked = [case for case in cases if case.code[0] == TARGET_LETTER]
    for letter in SPECIALTIES:
        if letter not in TARGET_LETTER + "ST":
            asked += _whole_categories([case for case in cases if case.code[0] == letter], share=SHARE_OF_TERMS)
    categories = {case.code[:3] for case in asked}
    taken = {normalised(case.diagnosis) for case in cases}
    target = _descriptions(code_set, lambda code: code[0] == TARGET_LETTER, taken)
    general = _descriptions(code_set, lambda code: code[0] != TARGET_LETTER and code[:3] in categories, taken)
    n_target = sum(case.code[0] == TARGET_LETTER for case in asked)
    cases = [*asked, *target[: int(0.3 * n_target)], *general[: int(0.2 * (len(asked) - n_target))]]
    cases += _shorthand_cases(code_set)
    neighbours = Neighbours(code_set)
    return [_query(code_set, neighbours, case) for case in sorted(cases)]


def official_terms(code_set: CodeSet) -> list[Case]:
    """Every term that names exactly one billable code and no description, once, whatever its punctuation."""
    codes_of: dict[str, set[str]] = {}
    first: dict[str, Case] = {}
    sources = (("inclusion_term", code_set.inclusion_terms), ("cross_reference", code_set.cross_references))
    for kind, terms_of in sources:
        for code in code_set.billable:
            for term in terms_of.get(code, ()):
                codes_of.setdefault(normalised(term), set()).add(code)
                first.setdefault(normalised(term), Case(code, term, kind))
    described = {normalised(text) for text in code_set.descriptions.values()}
    return [
        case
        for key, case in first.items()
        if len(codes_of[key]) == 1 and key not in described and case.code[0] in SPECIALTIES and _is_diagnosis(key)
    ]


def coding_prompt(diagnosis: str, candidates: Iterable[tuple[str, str]]) -> str:
    r"""The message that a coding assistant receives, the diagnosis first.

    >>> coding_prompt("Fear of women", [("F40.290", "Androphobia"), ("F40.291", "Gynephobia")])
    'Code this diagnosis in ICD-10-CM: Fear of women\nCandidate codes:\nF40.290 Androphobia\nF40.291 Gynephobia'
    """
    listed = "\n".join(f"{code} {shortened(description)}" for code, description in candidates)
    return f"Code this diagnosis in ICD-10-CM: {diagnosis}\nCandidate codes:\n{listed}"


def shortened(description: str) -> str:
    """The description as a candidate list's column shows it.

    >>> shortened("Unspecified dementia, severe, with other behavioral disturbance")
    'Unspecified dementia, severe, with other beh…'
    """
    return description if len(description) <= COLUMN_WIDTH else description[: COLUMN_WIDTH - 1] + "…"


def write_queries(queries: Sequence[CodingQuery], path: Path) -> None:
    """One JSON object a line: an outcome row without results."""
    lines = [json.dumps(as_row(query), ensure_ascii=False, sort_keys=True) + "\n" for query in queries]
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text("".join(lines), encoding="utf-8")
    partial.replace(path)


def as_row(query: CodingQuery) -> dict[str, str]:
    """The query as an outcome row: domain is the specialty, topic the kind of wording, group the parent code."""
    return {
        "id": query.id,
        "query": query.prompt,
        "domain": SPECIALTIES[query.case.code[0]],
        "topic": query.case.code[0],
        "group": parent(query.case.code),
        "stakes": "high",
        "reference": query.case.code,
    }


def parent(code: str) -> str:
    """The code one level up: the codes below it read alike, so they never part in a split.

    >>> parent("F40.291"), parent("F41.0"), parent("A09")
    ('F40.29', 'F41', 'A09')
    """
    return code[:-1].rstrip(".") if len(code) > 3 else code


class Neighbours:
    """The codes that a coder could confuse with a code: those of its category first, then of the categories around."""

    def __init__(self, code_set: CodeSet) -> None:
        self._in_category: dict[str, list[str]] = {}
        for code in code_set.billable:
            self._in_category.setdefault(code[:3], []).append(code)
        self._categories = list(self._in_category)
        self._position = {code: position for position, code in enumerate(code_set.billable)}

    def candidates(self, case: Case) -> tuple[str, ...]:
        """The reference and its nearest codes, in the order of the code set, so that position says nothing."""
        code = case.code
        siblings = [other for other in self._in_category[code[:3]] if other != code]
        if case.kind == "shorthand":  # sides and phases of care differ in one character
            siblings.sort(key=lambda other: (_differing_characters(other, code), _hash(other + code)))
        else:
            siblings.sort(
                key=lambda other: (-_shared_prefix(other, code), abs(self._position[other] - self._position[code]))
            )
        chosen = [code, *siblings, *self._around(code)][:N_CANDIDATES]
        return tuple(sorted(chosen))

    def _around(self, code: str) -> list[str]:
        """The nearest code of each of the nearest categories of the same chapter letter."""
        here = self._categories.index(code[:3])
        around = [name for name in self._categories[max(0, here - 6) : here + 7] if name[0] == code[0]]
        nearest = [
            min(
                self._in_category[name],
                key=lambda other: (abs(self._position[other] - self._position[code]), other),
            )
            for name in around
            if name != code[:3]
        ]
        return sorted(nearest, key=lambda other: (abs(self._position[other] - self._position[code]), other))


def _query(code_set: CodeSet, neighbours: Neighbours, case: Case) -> CodingQuery:
    candidates = neighbours.candidates(case)
    prompt = coding_prompt(case.diagnosis, [(code, code_set.descriptions[code]) for code in candidates])
    identity = f"{case.code}-{case.kind}-{hashlib.sha256(case.diagnosis.encode()).hexdigest()[:8]}"
    return CodingQuery(identity, case, candidates, prompt)


def _whole_categories(cases: Sequence[Case], *, share: float) -> list[Case]:
    """Categories in the order of their hash until the share is reached, so that siblings stay together."""
    by_category: dict[str, list[Case]] = {}
    for case in cases:
        by_category.setdefault(case.code[:3], []).append(case)
    taken: list[Case] = []
    for category in sorted(by_category, key=_hash):
        if len(taken) >= share * len(cases):
            break
        taken += by_category[category]
    return taken


def _descriptions(code_set: CodeSet, is_asked: Callable[[str], bool], taken: set[str]) -> list[Case]:
    """Descriptions as a note writes them, in the order of their hash."""
    cases = []
    for code in sorted((code for code in code_set.billable if is_asked(code)), key=_hash):
        text = re.sub(r"\s*[\[(].*?[\])]", "", code_set.descriptions[code]).replace(",", "").lower()
        if len(text) <= 110 and normalised(text) not in taken:
            cases.append(Case(code, text, "description"))
    return cases


def _shorthand_cases(code_set: CodeSet) -> list[Case]:
    """Codes that name a side or a phase of care, some of each of some categories."""
    by_category: dict[str, list[str]] = {}
    for code in code_set.billable:
        description = code_set.descriptions[code]
        if code[0] in SHORTHAND_LETTERS and abbreviate(description) != description and len(description) <= 110:
            by_category.setdefault(code[:3], []).append(code)
    cases = []
    for category in sorted(by_category, key=_hash)[:N_SHORTHAND_CATEGORIES]:
        for code in sorted(by_category[category], key=_hash)[:SHORTHAND_PER_CATEGORY]:
            cases.append(Case(code, abbreviate(code_set.descriptions[code]), "shorthand"))
    return cases


def _is_diagnosis(key: str) -> bool:
    """Whether a normalised term stands by itself: not a fragment, not a pointer to other codes."""
    return len(key) >= 8 and "classifiable" not in key and not key.startswith(("any condition", "condition"))


def _shared_prefix(a: str, b: str) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _differing_characters(a: str, b: str) -> int:
    return sum(x != y for x, y in zip(a, b, strict=False)) + abs(len(a) - len(b))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "demo-work/queries.jsonl")
    built = build_queries(load_code_set())
    write_queries(built, target)
    print(f"{len(built)} queries written to {target}")
