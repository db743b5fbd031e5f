"""Turns clinical text into comparable words: abbreviations spelled out, endings cut, negated words marked `~`.

The same reading is made of a note and of an official description, so a mistake of the reading falls on both alike.
It knows no code.
"""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from verifiers.coding.abbreviations import SAME_WORD, SHORT, SIDES, TITLE, WRITTEN

GENERIC = frozenset({"other", "unspecified"})
"""Words by which a code says that it names nothing further."""

_EMPTY = frozenset(
    re.findall(
        r"\w+",
        """a an and any are as at be been by cm code coded codes coding classifiable classified diagnoses diagnosis due
        dx elsewhere encounter for from had has have he her his icd in into is it its nec of on or patient pt she such
        specified also assign that the their them they this to use visit was were which who with within""",
    )
)
_NUMERALS = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5", "iiia": "3a", "iiib": "3b", "iiic": "3c"} | {
    "1st": "first",
    "2nd": "second",
    "3rd": "third",
    "4th": "fourth",
}
_NEGATING = frozenset({"without", "not", "no", "absence"})
_ENDING = frozenset(
    {
        "with",
        "but",
        ";",
        ".",
        ":",
        "(",
        ")",
        "[",
        "]",
    }
)
_TOKEN = re.compile(r"[a-z0-9]+|[,;.:()\[\]]")
_CLASSIFIED = re.compile(r"\bnot (?:elsewhere classified|otherwise specified)\b")
_NON = re.compile(r"\bnon[- ](?=[a-z])")
_LIST_REACH = 12
"""Tokens after a comma in which a negated list must go on with `and` or `or`."""
_OPTIONAL = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")


class Said(NamedTuple):
    """The words of a text; `optional` are those of its brackets, which may be left unsaid."""

    words: frozenset[str]
    optional: frozenset[str]


def said(text: str) -> Said:
    """The words of a note, reduced; what stands in brackets is optional.

    >>> sorted(said("Migraine without aura, not intractable").words)
    ['migraine', '~aura', '~intractable']
    >>> sorted(said("Fx of L ulna").words)
    ['fracture', 'left', 'ulna']
    """
    return _said(spelled_out(text))


def said_officially(text: str) -> Said:
    """The same of an official description, in which nothing is abbreviated; a hundred times faster than a note's.

    >>> said_officially("Chronic kidney disease, stage 3a").words == said("CKD stage 3a").words
    True
    """
    return _said(text.lower())


def _said(plain: str) -> Said:
    words = _words(plain)
    if "(" not in plain and "[" not in plain:
        return Said(words, frozenset())
    bare = _words(_OPTIONAL.sub(" ", plain))
    return Said(bare, words - bare)


def spelled_out(text: str) -> str:
    """Lower case, with the abbreviations that coders use written in full.

    >>> spelled_out("T2DM w/o CKD, R eye")
    'type 2 diabetes mellitus without chronic kidney disease, right eye'
    >>> spelled_out("Ms. Osei denies MS")
    '  osei denies multiple sclerosis'
    """
    text = TITLE.sub(" ", unicodedata.normalize("NFKC", text).replace("\u2019", "'"))
    for pattern, side in SIDES:
        text = pattern.sub(side, text)
    text = text.lower()
    return SHORT.sub(lambda short: WRITTEN[short[0]], text)


def _words(text: str) -> frozenset[str]:
    text = _CLASSIFIED.sub(" ", _NON.sub("non", text).replace("'s", ""))
    tokens = _TOKEN.findall(text)
    found = set()
    negated = False
    for place, token in enumerate(tokens):
        if token in _NEGATING:
            negated = True
        elif token in _ENDING or (token == "," and not _goes_on(tokens, place)):
            negated = False
        elif token != "," and (word := _reduced(token)):
            found.add(f"~{word.lstrip('~')}" if negated else word)
    return frozenset(found)


def _goes_on(tokens: list[str], comma: int) -> bool:
    """Whether the list that a comma divides ends in `, and` or `, or` before anything else is said."""
    for place in range(comma + 1, min(comma + 1 + _LIST_REACH, len(tokens))):
        if tokens[place] in _ENDING or tokens[place] in _NEGATING:
            return False
        if tokens[place] in ("and", "or") and tokens[place - 1] == ",":
            return True
    return False


@lru_cache(maxsize=50_000)
def _reduced(token: str) -> str:
    """The token without its ending; empty for a word that says nothing."""
    word = token
    if word in _EMPTY:
        return ""
    word = _NUMERALS.get(word, word)
    word = SAME_WORD.get(word, word)
    if word in GENERIC:
        return word
    if len(word) > 4 and word.endswith("ies"):
        word = word[:-3] + "y"
    elif len(word) > 4 and word.endswith(("ses", "xes", "ches", "shes")):
        word = word[:-2]
    elif len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    word = SAME_WORD.get(word, word)
    return "" if word in _EMPTY else word
