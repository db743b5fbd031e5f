"""Made-up identifiers planted in texts at known places, so that a site can measure what its chain finds.

Nothing here belongs to anybody: names, numbers and addresses are drawn from small lists and from a random generator.
"""

import calendar
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import numpy as np

from labeling.phi.checksums import is_npi, is_vin

_VIN_CHARS = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"


@dataclass(frozen=True)
class Vocabulary:
    """What canaries are drawn from."""

    people: Mapping[str, tuple[Sequence[str], Sequence[str]]]
    """Given and family names by country."""
    streets: Sequence[str]
    cities: Sequence[str]
    sentences: Mapping[str, Sequence[str]]
    """Sentences with one `{}` by kind of finding."""


@dataclass(frozen=True)
class Planted:
    """A text with canaries, and where they stand."""

    text: str
    spans: tuple[tuple[int, int, str], ...]
    """Start, end and kind of each canary, in order."""


@cache
def vocabulary(part: Literal["tuning", "held_out"]) -> Vocabulary:
    """One of two lists without a common name, street or sentence; rules were mended on `tuning` alone."""
    values = _data()[part]
    people = {country: (given, family) for country, (given, family) in values["people"].items()}
    return Vocabulary(people, values["streets"], values["cities"], values["sentences"])


@cache
def coding_texts(part: Literal["tuning", "held_out"]) -> tuple[Planted, ...]:
    """Coding queries without identifiers; the spans are codes and eponyms (kind `keep`) that must survive.

    >>> text = coding_texts("tuning")[0]
    >>> [text.text[start:end] for start, end, _ in text.spans]
    ['I50.23', 'I50.9', 'CPT 99214']
    """
    return tuple(_unbraced(text) for text in _data()[part]["coding_texts"])


def planted(
    texts: Sequence[Planted | str],
    rng: np.random.Generator,
    *,
    words: Vocabulary,
    kinds: Sequence[str] | None = None,
    per_text: int = 3,
) -> list[Planted]:
    """Each text with `per_text` sentences put between its own, each with one canary; spans it had move along.

    Args:
        texts: a site's own texts, or those of `coding_texts`.
        rng: decides values, sentences and places.
        words: names, streets, towns and sentences to draw from.
        kinds: kinds to plant, all that `words` has sentences for by default; they take turns.
        per_text: sentences put into each text.
    """
    kinds = tuple(kinds or words.sentences)
    turns = iter(np.resize(rng.permutation(len(kinds)), per_text * len(texts)))
    return [_with_canaries(text, [kinds[next(turns)] for _ in range(per_text)], words, rng) for text in texts]


def canary(kind: str, words: Vocabulary, rng: np.random.Generator) -> str:
    """One made-up value of a kind.

    Raises:
        KeyError: no canary is made for the kind.
    """
    return _MAKERS[kind](words, rng)


def _with_canaries(text: Planted | str, kinds: Sequence[str], words: Vocabulary, rng: np.random.Generator) -> Planted:
    body, spans = (text, ()) if isinstance(text, str) else (text.text, text.spans)
    ends = [match.end() for match in re.finditer(r"[.?!;] +", body)]
    breaks = [0, *(end for end in ends if not any(start < end < stop for start, stop, _ in spans)), len(body)]
    places = sorted(int(place) for place in rng.choice(breaks, size=len(kinds)))
    parts, moved, at, length = [], [], 0, 0
    for place, kind in zip([*places, len(body)], [*kinds, None], strict=True):
        moved += [(s - at + length, e - at + length, k) for s, e, k in spans if at <= s < place]
        parts.append(body[at:place])
        length += place - at
        at = place
        if kind is not None:
            before, after = _pick(words.sentences[kind], rng).split("{}")
            value = canary(kind, words, rng)
            lead = " " if parts[-1] and not parts[-1].endswith(" ") else ""
            start = length + len(lead) + len(before)
            moved.append((start, start + len(value), kind))
            parts.append(lead + before + value + after + " ")
            length = start + len(value) + len(after) + 1
    return Planted("".join(parts), tuple(sorted(moved)))


def _name(words: Vocabulary, rng: np.random.Generator) -> str:
    given, family = words.people[_pick(sorted(words.people), rng)]
    first, last = _pick(given, rng), _pick(family, rng)
    forms = (
        f"{first} {last}",
        f"{first} {last}",
        f"{first} {_pick(_LETTERS, rng)}. {last}",
        f"{last}, {first}",
        f"{first} {last}".upper(),
    )
    return _pick(forms, rng)


def _date(words: Vocabulary, rng: np.random.Generator) -> str:
    year, month, day = int(rng.integers(1930, 2026)), int(rng.integers(1, 13)), int(rng.integers(1, 29))
    name = calendar.month_name[month]
    forms = (
        f"{month:02}/{day:02}/{year}",
        f"{month}/{day}/{year % 100:02}",
        f"{year}-{month:02}-{day:02}",
        f"{day:02}.{month:02}.{year}",
        f"{name} {day}, {year}",
        f"{day} {name} {year}",
        f"{day}-{name[:3]}-{year}",
        f"{name[:3]} {day} {year}",
    )
    return _pick(forms, rng)


def _phone(words: Vocabulary, rng: np.random.Generator) -> str:
    area, line = int(rng.integers(201, 990)), _digits(4, rng)
    forms = (
        f"({area}) 555-{line}",
        f"{area}-555-{line}",
        f"{area}.555.{line}",
        f"+1 {area} 555 {line}",
        f"{area} 555 {line}",
        f"1-{area}-555-{line}",
        f"+44 20 7946 {line}",
        f"020 7946 {line}",
        f"+52 55 {_digits(4, rng)} {line}",
        f"+33 1 {_digits(2, rng)} {_digits(2, rng)} {line[:2]} {line[2:]}",
        f"+49 30 {_digits(6, rng)}",
        f"+91 98{_digits(3, rng)} {_digits(5, rng)}",
    )
    return _pick(forms, rng)


def _email(words: Vocabulary, rng: np.random.Generator) -> str:
    given, family = words.people["US"]
    user = f"{_pick(given, rng)}.{_pick(family, rng)}{_digits(2, rng)}".lower().replace("'", "")
    return f"{user}@example.{_pick(('com', 'org', 'net'), rng)}"


def _vin(words: Vocabulary, rng: np.random.Generator) -> str:
    stem = "".join(_pick(_VIN_CHARS, rng) for _ in range(17))
    return next(vin for check in "0123456789X" if is_vin(vin := stem[:8] + check + stem[9:]))


def _npi(words: Vocabulary, rng: np.random.Generator) -> str:
    stem = "1" + _digits(8, rng)
    return next(npi for check in "0123456789" if is_npi(npi := stem + check))


def _code(words: Vocabulary, rng: np.random.Generator) -> str:
    letters = "".join(_pick(_LETTERS, rng) for _ in range(int(rng.integers(0, 4))))
    dash = _pick(("", "-"), rng) if letters else ""
    return letters + dash + _digits(int(rng.integers(5, 10)), rng)


_MAKERS: Mapping[str, Callable[[Vocabulary, np.random.Generator], str]] = {
    "name": _name,
    "street": lambda words, rng: _pick(words.streets, rng),
    "city": lambda words, rng: _pick(words.cities, rng),
    "postal_code": lambda words, rng: _digits(5, rng) + _pick(("", "-" + _digits(4, rng)), rng),
    "date": _date,
    "date_of_birth": _date,
    "age_over_89": lambda words, rng: str(rng.integers(90, 106)),
    "phone": _phone,
    "fax": _phone,
    "email": _email,
    "ssn": lambda words, rng: f"{rng.integers(100, 665)}-{rng.integers(10, 99)}-{rng.integers(1000, 9999)}",
    "mrn": _code,
    "health_plan": _code,
    "account": _code,
    "licence": _code,
    "vehicle": _vin,
    "device": _code,
    "url": lambda words, rng: f"https://portal.example.{_pick(('com', 'org'), rng)}/m/{_digits(6, rng)}",
    "ip_address": lambda words, rng: ".".join(str(rng.integers(1, 255)) for _ in range(4)),
    "npi": _npi,
    "unique_code": _code,
}


def _digits(n: int, rng: np.random.Generator) -> str:
    return "".join(str(digit) for digit in rng.integers(0, 10, n))


def _pick(values: Sequence[str], rng: np.random.Generator) -> str:
    return values[int(rng.integers(len(values)))]


def _unbraced(marked: str) -> Planted:
    text, spans = "", []
    for piece in re.split(r"(\{[^}]*\})", marked):
        if piece.startswith("{"):
            piece = piece[1:-1]
            spans.append((len(text), len(text) + len(piece), "keep"))
        text += piece
    return Planted(text, tuple(spans))


@cache
def _data() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(
        files("labeling.phi").joinpath("data", "canaries.json").read_text(encoding="utf-8")
    )
    return content
