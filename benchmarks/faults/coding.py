"""Faults planted into right coding answers: digits, sides, seventh characters, Excludes1 pairs, encounters, ages.

A code is drawn from the code set and its description is written as a note would: in full, in lower case, in shorthand,
without brackets, without the words that say nothing, or as another official term. The note is the query, the code the
answer, in one of several forms, so the clean case is right by construction. A planted code exists wherever one can.
"""

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from pydantic import JsonValue

from benchmarks.faults.seeded import Seeded
from core.records import Query, messages_of
from verifiers.case import Case
from verifiers.coding.ages import suited_ages
from verifiers.coding.code_set import CodeSet, dotted, load_code_set
from verifiers.coding.excludes1 import excluded_pairs
from verifiers.coding.sequence import early_manifestation

KINDS = ("swapped_digit", "wrong_side", "missing_seventh_character", "excludes1_pair", "wrong_encounter", "wrong_age")
"""What may be planted here."""

PACK = "medical_coding"
ATTEMPTS = 400

_NOTES = (
    "{diagnosis}",
    "Code this diagnosis in ICD-10-CM: {diagnosis}",
    "Assign the ICD-10-CM code.\n\nAssessment: {diagnosis}.",
    "Which ICD-10-CM code applies? The discharge summary reads: {diagnosis}.",
    "Seen in clinic today. Vitals stable, afebrile. Impression: {diagnosis}. Plan: medication as before.",
    "HPI: symptoms for several weeks. Denies chest pain.\nA/P: {diagnosis}\nFollow up in 2 weeks.",
    "{opening} with {diagnosis}. Labs reviewed. No acute distress. Please provide the billable code.",
    "CC: evaluation\nDx: {diagnosis}\nDisposition: home with instructions",
)
_ANSWERS = (
    "{code}",
    "Code: {code}",
    "**Code:** `{code}`",
    "ICD-10-CM code: {code}",
    "The correct code is {code}.",
    "I would assign {code} for this encounter.",
    "{code} - {described}",
    "Code: {code}\nDescription: {described}",
    "Code: {code}. Rationale: the note documents this condition, and the code carries the detail that it gives.",
    '{{"code": "{code}"}}',
    "{described} ({code})",
)
_LISTS = (
    "Codes: {joined}",
    "{joined}",
    "ICD-10-CM codes:\n{lines}",
    "{numbered}",
    '{{"codes": [{quoted}]}}',
    "{described}",
)
_SHORT = (
    ("right", "R"),
    ("left", "L"),
    ("bilateral", "bilat"),
    ("fracture", "fx"),
    ("without", "w/o"),
    ("chronic", "chr"),
    ("diabetes mellitus", "DM"),
    ("chronic kidney disease", "CKD"),
    ("hypertension", "HTN"),
)
_OTHER_SIDE = {"right": "left", "left": "right"}
_SILENT = re.compile(r",? ?\b(?:unspecified|other specified|other)\b,? ?", re.IGNORECASE)


class _Coded(NamedTuple):
    code: str
    diagnosis: str


def seeded(rng: np.random.Generator, n: int) -> list[Seeded]:
    """As many planted faults of each kind as asked for."""
    plant: dict[str, Callable[[np.random.Generator], tuple[Case, Case] | None]] = {
        "swapped_digit": _swapped_digit,
        "wrong_side": _wrong_side,
        "missing_seventh_character": _missing_seventh_character,
        "excludes1_pair": _excludes1_pair,
        "wrong_encounter": _wrong_encounter,
        "wrong_age": _wrong_age,
    }
    planted: list[Seeded] = []
    for kind in KINDS:
        found: list[Seeded] = []
        for _ in range(ATTEMPTS * n):
            if len(found) == n:
                break
            pair = plant[kind](rng)
            if pair is not None:
                found.append(Seeded(kind, PACK, *pair))
        planted += found
    return planted


def swapped_digits(codes: CodeSet, code: str) -> list[str]:
    """The other codes that one wrong or two transposed digits make of a code; those not billable where no other is.

    >>> "E1121" in swapped_digits(load_code_set(), "E1122")
    True
    """
    digits = [place for place in range(1, len(code)) if code[place].isdigit()]
    made = [code[:place] + digit + code[place + 1 :] for place in digits for digit in "0123456789"]
    pairs = [p for p in digits if p + 1 < len(code) and code[p + 1].isdigit()]
    made += [code[:p] + code[p + 1] + code[p] + code[p + 2 :] for p in pairs]
    others = sorted({other for other in made if other != code})
    return [other for other in others if other in codes.billable] or others


def written_as_a_note(rng: np.random.Generator, codes: CodeSet, code: str) -> str:
    """The code's diagnosis in one of the ways in which notes write it."""
    stem = codes.stems.get(code, code)
    text = codes.descriptions[code].split("/\t")[0]
    extension = text[len(codes.descriptions[stem]) :] if code != stem else ""
    terms = [term for term in codes.terms.get(stem, ()) if len(term) > 12 and ":" not in term]
    way = int(rng.integers(6))
    if way == 1:
        text = text[0].lower() + text[1:]
    elif way == 2:
        text = re.sub(r"\s*[\[(][^\])]*[\])]", "", text)
    elif way == 3:
        for word, short in _SHORT:
            text = re.sub(rf"\b{word}\b", short, text, flags=re.IGNORECASE)
    elif way == 4 and len(silent := _SILENT.sub(" ", text).strip(" ,")) > 12:
        text = silent
    elif way == 5 and terms and not re.search(r"\b(?:right|left|bilateral)\b", text):
        text = str(rng.choice(terms)) + extension
    return text


def _swapped_digit(rng: np.random.Generator) -> tuple[Case, Case] | None:
    codes = load_code_set()
    code = _any(rng, _billable())
    query, answer = _query(rng, [_coded(rng, code)]), _form(rng, _ANSWERS)
    return _pair(query, _filled(answer, code, code), _filled(answer, _any(rng, swapped_digits(codes, code)), code))


def _wrong_side(rng: np.random.Generator) -> tuple[Case, Case] | None:
    code, other = _two_sided()[int(rng.integers(len(_two_sided())))]
    query, answer = _query(rng, [_coded(rng, code)]), _form(rng, _ANSWERS)
    return _pair(query, _filled(answer, code, code), _filled(answer, other, code))


def _missing_seventh_character(rng: np.random.Generator) -> tuple[Case, Case] | None:
    code = _any(rng, _extended())
    shorter = load_code_set().stems[code] if rng.random() < 0.5 else code[:-1]
    query, answer = _query(rng, [_coded(rng, code)]), _form(rng, _ANSWERS)
    return _pair(query, _filled(answer, code, code), _filled(answer, shorter, code))


def _wrong_encounter(rng: np.random.Generator) -> tuple[Case, Case] | None:
    code = _any(rng, [code for code in _extended() if code[-1] in "ADS"])
    other = code[:-1] + _any(rng, [last for last in "ADS" if last != code[-1]])
    if other not in load_code_set().billable:
        return None
    query, answer = _query(rng, [_coded(rng, code)]), _form(rng, _ANSWERS)
    return _pair(query, _filled(answer, code, code), _filled(answer, other, code))


def _excludes1_pair(rng: np.random.Generator) -> tuple[Case, Case] | None:
    """A list of codes that go together, and the same list with one of them excluded by another; the note names all."""
    codes = load_code_set()
    first = _any(rng, _excluding())
    spans = [span for level in codes.lineage(first) for span in codes.excludes1.get(level, ())]
    span = spans[int(rng.integers(len(spans)))]
    named = [code for code in _billable() if span.holds(code)]
    if not named:
        return None
    excluded, apart = _any(rng, named), _any(rng, _billable())
    if not list(excluded_pairs(codes, [first, excluded])) or list(excluded_pairs(codes, [first, apart])):
        return None
    if any(code[0] in "VWXY" for code in (first, excluded, apart)) or _is_misplaced(codes, first, apart):
        return None
    form = _form(rng, _LISTS)
    cases = []
    for listed in ([first, apart], [first, excluded]):
        coded = [_Coded(code, codes.descriptions[code].split("/\t")[0]) for code in listed]
        cases.append(Case(query=_query(rng, coded), answer=_list(form, coded)))
    return cases[0], cases[1]


def _wrong_age(rng: np.random.Generator) -> tuple[Case, Case] | None:
    codes = load_code_set()
    code = _any(rng, _aged())
    suited = suited_ages(codes, code)
    assert suited is not None, "only codes with an age category are drawn"
    outside = [age for age in (0, 5, 30, 45, 72, 85) if not suited.youngest - 2 <= age <= suited.oldest + 2]
    inside = [age for age in (0, 5, 12, 20, 30, 45, 72) if suited.youngest <= age <= suited.oldest]
    coded, is_fact = _coded(rng, code), rng.random() < 0.5
    answer = _filled(_form(rng, _ANSWERS), code, code)
    cases = []
    for age in (int(rng.choice(inside)), int(rng.choice(outside))):
        facts: dict[str, JsonValue] = {"age_years": age} if is_fact else {}
        opening = "Patient" if is_fact else f"{age}-year-old" if age else "3-day-old"
        cases.append(Case(query=_asked(f"{opening}. {coded.diagnosis}. Assign the code."), answer=answer, facts=facts))
    return cases[0], cases[1]


def _pair(query: Query, clean: str, faulty: str) -> tuple[Case, Case]:
    return Case(query=query, answer=clean), Case(query=query, answer=faulty)


def _coded(rng: np.random.Generator, code: str) -> _Coded:
    return _Coded(code, written_as_a_note(rng, load_code_set(), code))


def _query(rng: np.random.Generator, coded: Sequence[_Coded]) -> Query:
    note = _form(rng, _NOTES)
    opening = _form(rng, ("Patient seen", "Referred", "Admitted", "Here today"))
    joined = _form(rng, ("; ", "\n", ". ")).join(each.diagnosis for each in coded)
    return _asked(note.format(diagnosis=joined, opening=opening))


def _asked(text: str) -> Query:
    return Query(id="seeded", messages=messages_of(text))


def _filled(answer: str, code: str, true_code: str) -> str:
    """The answer with its code; what it says the code is, is what the note says: the slip is in the code alone."""
    return answer.format(code=dotted(code), described=load_code_set().descriptions[true_code].split("/\t")[0])


def _list(form: str, coded: Sequence[_Coded]) -> str:
    shown = [dotted(each.code) for each in coded]
    return form.format(
        joined=", ".join(shown),
        lines="\n".join(f"- {code}" for code in shown),
        numbered="\n".join(f"{place}. {code}" for place, code in enumerate(shown, start=1)),
        quoted=", ".join(f'"{code}"' for code in shown),
        described="\n".join(f"{dotted(each.code)}: {each.diagnosis}" for each in coded),
    )


def _is_misplaced(codes: CodeSet, first: str, second: str) -> bool:
    return early_manifestation(codes, [first, second]) is not None


def _any(rng: np.random.Generator, listed: Sequence[str]) -> str:
    return listed[int(rng.integers(len(listed)))]


def _form(rng: np.random.Generator, forms: Sequence[str]) -> str:
    return forms[int(rng.integers(len(forms)))]


@cache
def _billable() -> list[str]:
    return sorted(load_code_set().billable)


@cache
def _extended() -> list[str]:
    return sorted(load_code_set().stems)


@cache
def _excluding() -> list[str]:
    codes = load_code_set()
    return [code for code in _billable() if any(level in codes.excludes1 for level in codes.lineage(code))]


@cache
def _aged() -> list[str]:
    return [code for code in _billable() if suited_ages(load_code_set(), code) is not None]


@cache
def _two_sided() -> list[tuple[str, str]]:
    """Codes that differ in the side alone, in both orders."""
    codes = load_code_set()
    by_text = {codes.descriptions[code]: code for code in _billable()}
    found = []
    for text, code in by_text.items():
        other = by_text.get(re.sub(r"\b(?:right|left)\b", lambda side: _OTHER_SIDE[side[0]], text))
        if other is not None and other != code and re.search(r"\b(?:right|left)\b", text):
            found.append((code, other))
    return found
