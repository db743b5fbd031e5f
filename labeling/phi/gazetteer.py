"""The detector that knows lists: given and family names, towns. Names need company, case or rarity to count."""

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from labeling.phi.findings import Finding
from labeling.phi.places import codes_before_towns
from labeling.phi.word_lists import (
    CAPITALISED_RUN,
    PARTICLES,
    cities,
    eponyms,
    family_names,
    folded,
    given_names,
    most_usual_family_names,
    ordinary_words,
    usual_family_names,
    usual_given_names,
)
from labeling.phi.word_shapes import may_be_a_name

_TOKEN = re.compile(r"(?<!\w)[^\W\d_]+(?:['’-][^\W\d_]+)*\.?")
_PLACE_BEFORE = re.compile(r"\b(?:in|from|to|near|at|of|outside|via|around)\s+$")
_PERSON_BEFORE = re.compile(r"\b(?:of|for|to|by|with|from|and|regarding|about)\s+$")
_UNKNOWN_TOWN = re.compile(
    rf"\b(?:is|was|comes|came|originally|arrived|flew|referred|home|back|immigrated|emigrated)\s+(?:in|from|to)\s+(?P<town>{CAPITALISED_RUN})"
)
_TOWN_WORDS = 4


class _Word(NamedTuple):
    start: int
    end: int
    key: str
    """Folded, with hyphens kept."""
    shape: str
    """`C`apitalised, `U`pper case, lower case (`l`), `i`nitial, `p`article."""


class GazetteerDetector:
    """Names from the census and other lists, and towns.

    >>> text = "Maria Lopez, of Houston, has Cushing syndrome."
    >>> [(f.kind, text[f.start : f.end]) for f in GazetteerDetector().find(text)]
    [('name', 'Maria Lopez'), ('city', 'Houston')]
    """

    name = "gazetteer"

    def find(self, text: str) -> list[Finding]:
        """Findings of names and towns; overlaps are left to the chain."""
        words = list(_words(text))
        found = [Finding.of("name", a, b, detector=self.name, score=s) for a, b, s in _names(text, words)]
        found += [Finding.of("city", a, b, detector=self.name, score=s) for a, b, s in _towns(text, words)]
        found += [Finding.of("city", a, b, detector=self.name, score=s) for a, b, s in _unknown_towns(text)]
        for code_start, code_end, start, end in codes_before_towns(text):
            if any(f.kind == "city" and start <= f.start < end for f in found):
                found.append(Finding.of("postal_code", code_start, code_end, detector=self.name, score=0.8))
        return found


def _words(text: str) -> Iterator[_Word]:
    for match in _TOKEN.finditer(text):
        token = match[0]
        bare = token.rstrip(".")
        if token in PARTICLES:
            shape = "p"
        elif len(bare) == 1:
            shape = "i" if bare.isupper() else "l"
        elif bare.isupper():
            shape = "U"
        else:
            shape = "C" if bare[0].isupper() or re.match(r"[dl]['’][^\W\d_a-z]", bare) else "l"
        end = match.start() + len(bare)
        if bare.endswith(("'s", "’s")):
            bare, end = bare[:-2], end - 2
        yield _Word(match.start(), end, folded(bare), shape)


def _names(text: str, words: list[_Word]) -> Iterator[tuple[int, int, float]]:
    for i, first in enumerate(words):
        if first.shape in "ip":
            if first.shape == "i":
                yield from _initial_and_family(text, words, i)
            continue
        given = _among(first.key, given_names())
        pairs = list(_pairs(text, words, i, is_given=given)) if first.shape != "l" or given else []
        yield from pairs
        if not pairs and first.shape == "C" and first.key in usual_given_names() and first.key not in eponyms():
            yield first.start, first.end, 0.5


def _pairs(text: str, words: list[_Word], i: int, *, is_given: bool) -> Iterator[tuple[int, int, float]]:
    """A name of two and more words that begins at word i: "Maria de la Cruz", "Nguyen, Thi", "JOHN Q PUBLIC"."""
    first = words[i]
    j = _next(text, words, i)
    if j is None:
        return
    second = words[j]
    if second.shape != first.shape and not (second.shape in "CU" and first.shape in "CU"):
        return
    shown = text[first.start : first.end], text[second.start : second.end]
    sure = (first.key not in ordinary_words()) + (second.key not in ordinary_words())
    if "," in text[first.end : second.start]:
        if first.shape != "l" and (
            _is_family_first(first.key, second.key) or _one_is_known(shown, second.key, first.key)
        ):
            yield _with_particles(text, words, i), second.end, 0.7
        return
    family = _among(second.key, family_names()) or (is_given and second.key in given_names())
    score = 0.85 if is_given and family else 0.6
    if first.shape == "l":
        is_name = (
            sure == 2 and first.key in usual_given_names() and second.key in usual_family_names() and len(first.key) > 3
        )
    elif first.shape == "U" and second.shape == "U":
        sure += first.key in usual_given_names()
        is_name = is_given and family and sure >= 2 and min(len(first.key), len(second.key)) > 2
        is_name = is_name or _one_is_known(shown, first.key, second.key)
    elif is_given and family and not sure:
        is_name = second.key in most_usual_family_names()
    elif is_given and family:
        is_name = sure >= 1 and not (first.key in eponyms() and second.key in eponyms() and sure < 2)
    else:
        has_initial = j > i + 1 and words[i + 1].shape == "i"
        is_announced = has_initial or _PERSON_BEFORE.search(text, max(0, first.start - 12), first.start)
        is_name = (bool(is_announced) and all(map(may_be_a_name, shown))) or _one_is_known(shown, first.key, second.key)
    if is_name:
        yield first.start, _end_of_family(text, words, j), score


def _one_is_known(shown: tuple[str, str], given: str, family: str) -> bool:
    """Whether both words can be names by their shape and a list, or an accent, speaks for one of them."""
    if given in usual_given_names() and may_be_a_name(shown[1]):
        return True
    if not all(map(may_be_a_name, shown)):
        return False
    return given in given_names() or family in family_names() or not "".join(shown).isascii()


def _with_particles(text: str, words: list[_Word], i: int) -> int:
    """Where a family name begins whose particles stand before it: "de la Fuente, Ana"."""
    while i and words[i - 1].shape == "p" and text[words[i - 1].end : words[i].start] == " ":
        i -= 1
    return words[i].start


def _is_family_first(first: str, second: str) -> bool:
    if first in cities() or not _among(first, family_names()):
        return False
    if first in eponyms():
        return second in usual_given_names() and second not in eponyms()
    return second in (usual_given_names() if first in ordinary_words() else given_names())


def _initial_and_family(text: str, words: list[_Word], i: int) -> Iterator[tuple[int, int, float]]:
    """Initials and a family name ("J. R. Okafor"); an initial carries its point, and bacteria are ordinary words."""
    j = i + 1
    while j < min(len(words), i + 4) and words[j].shape == "i":
        j += 1
    if j >= len(words) or words[j].shape != "C" or text[words[i].end : words[i].end + 1] != ".":
        return
    gap = text[words[i].end : words[j].start]
    if len(gap) <= 2 + 3 * (j - i - 1) and "," not in gap and words[j].key in usual_family_names():
        yield words[i].start, words[j].end, 0.6


def _next(text: str, words: list[_Word], i: int) -> int | None:
    """The next word of a name: past one or two initials and up to three particles, with blanks or one comma between."""
    j, skipped = i + 1, 0
    while j < len(words) and words[j].shape in "ip" and skipped < 3:
        j, skipped = j + 1, skipped + 1
    if j >= len(words):
        return None
    between = text[words[i].end : words[j].start]
    if "\n" in between or len(between) > 1 + 4 * skipped + 2 * ("," in between) + skipped:
        return None
    if (
        not re.fullmatch(r"[\w .,\u00a0]*", between)
        or between.count(",") > 1
        or (between.startswith(".") and skipped == 0)
    ):
        return None
    return j


def _end_of_family(text: str, words: list[_Word], j: int) -> int:
    """Where the name ends: further capitalised family names belong to it ("Garcia Lopez", "Anne Marie Keller")."""
    for _ in range(2):
        k = _next(text, words, j)
        if k is None or "," in text[words[j].end : words[k].start] or words[k].shape != words[j].shape:
            break
        key = words[k].key
        if (
            words[k].shape == "l"
            or key in ordinary_words()
            or not (_among(key, family_names()) or key in given_names())
        ):
            break
        j = k
    return words[j].end


def _towns(text: str, words: list[_Word]) -> Iterator[tuple[int, int, float]]:
    starts = _town_starts()
    for i, first in enumerate(words):
        if first.shape not in "CU" or first.key not in starts:
            continue
        for size in range(min(_TOWN_WORDS, len(words) - i), 0, -1):
            last = words[i + size - 1]
            phrase = folded(text[first.start : last.end] if size > 1 else first.key)
            if phrase not in cities():
                continue
            is_shouted = first.shape == "U" and size == 1
            needs_place = is_shouted or (
                size == 1 and (first.key in ordinary_words() or first.key in usual_given_names())
            )
            if not needs_place or _PLACE_BEFORE.search(text, max(0, first.start - 9), first.start):
                yield first.start, last.end, 0.6
            break


def _unknown_towns(text: str) -> Iterator[tuple[int, int, float]]:
    for match in _UNKNOWN_TOWN.finditer(text):
        if all(map(may_be_a_name, match["town"].split())):
            yield *match.span("town"), 0.45


@cache
def _town_starts() -> frozenset[str]:
    return frozenset(re.split(r"[ .]", town)[0] for town in cities())


def _among(key: str, names: frozenset[str]) -> bool:
    """Whether the word, or the first part of a double name, is in the list."""
    return key in names or ("-" in key and key.split("-")[0] in names)
