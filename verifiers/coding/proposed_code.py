"""Finds the one code that an answer in prose proposes; says so when it proposes none or several.

Two readings, in order:

1. a labelled code: `Code: B42.81`, `**ICD-10-CM code:** B42.81`, `The code is B42.81`;
2. else the code-shaped words of the text, less those it names only to reject (`not B42.9`, `rather than B42.9`).

A label counts even when what follows is not code-shaped, so that an invented `Code: 1010` is judged and not overlooked.
It never looks a code up: that is the checks' part.
"""

import re
import unicodedata
from typing import NamedTuple

_SHAPE = r"[A-Z][0-9A-Z][0-9A-Z](?:\.[0-9A-Z]{1,4}|[0-9A-Z]{1,4})?"
"""A code with a dot after three characters, or without a dot."""

_SHAPED = re.compile(_SHAPE)
_IN_PROSE = re.compile(
    r"(?<![\w.\-/])([A-Z][0-9A-Z][0-9A-Z]\.[0-9A-Z]{1,4}|[A-Z][0-9][0-9AB](?:[0-9]{1,4}[A-Z]?)?)(?![\w\-/]|\.\w)"
)
_LABEL = re.compile(
    r"(?P<before>(?:[\w\-]+[ ]+)?)"
    r"(?:icd[- ]?10(?:[- ]?cm)?[ ]+)?(?:diagnosis[ ]+)?\bcodes?\b"
    r"(?:[ ]*[:=][ ]*|[ ]+is[ ]*:?[ ]*)"
    r"[\"'(\[]*(?P<word>[A-Za-z0-9][A-Za-z0-9.\-]*)"
    r"(?P<more>(?:[\"')\]]*(?:[ ]*[,;/+&][ ]*(?:and[ ]+|or[ ]+)?|[ ]+(?:and|or|plus)[ ]+)[\"'(\[]*" + _SHAPE + r"\b)*)",
    re.IGNORECASE,
)
_NOT_THE_ANSWER = re.compile(
    "rejected|excluded|alternat(?:iv)?e|other|another|wrong|incorrect|invalid|similar|related|parent|category|previous"
    "|former|old|non-?billable|candidate"
)
"""Words before `code` that say it is not the one proposed."""

_REJECTING = re.compile(
    r"(?:\bnot|\brather than|\binstead of|\bunlike|\bexcludes|\bexcluding|\bruled out|\bas opposed to|\bisn't)"
    r"(?:[ ]+(?:the|to|code|be|under|as|use|assign|is))*[ ]+$",
    re.IGNORECASE,
)
_REJECTION_REACH = 80
"""Characters before a code in which a rejection of it may begin."""
_LIST_LINK = re.compile(r"[ ]*(?:,|\bor\b|,[ ]*or\b|\bnor\b)[ ]*")
_MARKUP = str.maketrans({"*": None, "`": None, "_": None})


class ProposedCode(NamedTuple):
    """What an answer proposes. `code` is None unless exactly one was found."""

    code: str | None
    n_found: int
    is_labelled: bool

    @property
    def is_code_shaped(self) -> bool:
        """Whether the proposal has the shape of a code, so that it may stand in a record as evidence."""
        return self.code is not None and _SHAPED.fullmatch(self.code) is not None


def find_proposed_code(answer: str) -> ProposedCode:
    """The one code the answer proposes.

    >>> find_proposed_code("Code: B42.81. Sporotrichosis with meningitis, so not B42.9.").code
    'B42.81'
    >>> find_proposed_code("I would assign B42.81 rather than B42.9 here.").code
    'B42.81'
    >>> find_proposed_code("Either B42.81 or B42.9 would do.")
    ProposedCode(code=None, n_found=2, is_labelled=False)
    >>> find_proposed_code("Code: 1010").code
    '1010'
    """
    text = unicodedata.normalize("NFKC", answer).translate(_MARKUP)
    text = re.sub(r"[ \t\xa0]+", " ", text)
    labelled = _labelled(text)
    found = labelled or _unrejected(text)
    code = next(iter(found)) if len(found) == 1 else None
    return ProposedCode(code, len(found), bool(labelled))


def _labelled(text: str) -> dict[str, None]:
    """The distinct codes that follow a label, in order."""
    found: dict[str, None] = {}
    for match in _LABEL.finditer(text):
        word = match["word"].rstrip(".-" if match["word"].endswith("-.") else ".")
        before = match["before"].strip().lower()
        if _NOT_THE_ANSWER.fullmatch(before) or not _has_digit(word):
            continue
        found[_upper_if_shaped(word)] = None
        for other in re.findall(_SHAPE, match["more"].upper()):
            if _has_digit(other):
                found[other] = None
    return found


def _unrejected(text: str) -> dict[str, None]:
    """The distinct code-shaped words that the text does not merely reject, in order."""
    found: dict[str, None] = {}
    rejected_until = -1
    for match in _IN_PROSE.finditer(text):
        links = rejected_until >= 0 and _LIST_LINK.fullmatch(text, rejected_until, match.start())
        if links or _REJECTING.search(text[max(0, match.start() - _REJECTION_REACH) : match.start()]):
            rejected_until = match.end()
            continue
        found[match[1]] = None
    return found


def _has_digit(word: str) -> bool:
    return any(character.isdigit() for character in word)


def _upper_if_shaped(word: str) -> str:
    upper = word.upper()
    return upper if _SHAPED.fullmatch(upper) else word
