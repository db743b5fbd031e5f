"""Reads the diagnosis codes that an answer claims, one or a list, each with what the answer says the code is.

A list is claimed as a whole: `Codes: S52.501A, E11.9`, one code a line, `primary ... secondary ...`, codes in prose.
Codes offered as alternatives (`either B42.81 or B42.9`) are no claim: which one is meant cannot be told.
It never looks a code up; `proposed_code` reads the answers that propose one code.
"""

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from verifiers.coding.proposed_code import find_proposed_code

CHARACTERS_READ = 20_000
CODES_READ = 60
MENTIONS_READ = 120

_MENTION = re.compile(
    r"(?<![\w.\-/])([A-Z][0-9][0-9A-Z]\.[0-9A-Z]{1,4}"
    r"|[A-Z][0-9][0-9AB](?:[0-9]{1,4}[A-Z]?|[0-9X]{1,3}[A-Z]|[0-9A-Z]{3}[A-Z])?)(?![\w\-/]|\.\w)"
)
_LIST_LABEL = re.compile(r"\b(?:codes|diagnoses|icd-?10(?:-?cm)?(?: codes)?)[ ]*(?:are)?[ ]*[:=\[]", re.IGNORECASE)
_ENDS_LIST = re.compile(
    r"\n[ ]*\n|^[^\n]*\b(?:rationale|explanation|reasoning|justification|because|considered|rejected|not coded|not used"
    r"|excluded|notes?)\b[^\n]*[:.]",
    re.IGNORECASE | re.MULTILINE,
)
_REJECTING = re.compile(
    r"(?:\bnot|\brather than|\binstead of|\bunlike|\bexclud(?:es|ing)|\bruled out|\bas opposed to|\bisn't|\bover"
    r"|\bparent|\bcategory|\bheader|\bcompared (?:to|with)|\bconsidered|\brejected|\bdiffers from)"
    r"(?:[ ]+(?:the|to|code|codes|category|be|under|as|use|assign|is))*[ ]*[:(\"']*[ ]*$",
    re.IGNORECASE,
)
_REJECTED_AFTER = re.compile(
    r"[^.;\n]{0,60}?\b(?:is|was|would be|are|were)[ ]+(?:not (?:used|appropriate|correct|assigned|coded|supported)|"
    r"excluded|rejected|wrong|incorrect|invalid|inappropriate)\b",
    re.IGNORECASE,
)
_NO_CODE_BEFORE = re.compile(r"(?:vitamin|vit\.?|vertebrae?|levels?|factor|interleukin)[ ]*$", re.IGNORECASE)
_NO_CODE_AFTER = re.compile(
    r"[ ]*(?:deficien|vertebra|level|injection|receptor|cells?\b|-[A-Z]?\d|compression|burst|wedge|radiculopathy"
    r"|fracture)",
    re.IGNORECASE,
)
_IN_A_CODES_PLACE = re.compile(
    r"(?:^|[\n,;:=(\[\"'&+]|\band|\bcode|\bcoded as|\bis|\bassign|\buse)[ ]*$", re.IGNORECASE
)
_CONSIDERED = re.compile(
    r"^[^\n]*\b(?:considered|candidates?|options|alternatives?|rejected|not coded|ruled out|excluded)\b"
    r"[^\n]{0,20}:[ ]*\n"
    r"(?:[ ]*(?:[-\u2022+]|\d+[.)])[^\n]*\n?|[ ]*[A-Z][0-9][0-9A-Z][^\n]*\n?)+",
    re.IGNORECASE | re.MULTILINE,
)
_LIST_LINK = re.compile(r"[ ]*(?:,|\bor\b|,[ ]*or\b|\bnor\b|\band\b|,[ ]*and\b)[ ]*")
_OPEN_CHOICE = re.compile(
    r"\beither\b|\balternatively\b|\bon reflection\b|\bcould also\b|\bmight also\b|\bon second thought\b", re.IGNORECASE
)
_OR_BEFORE = re.compile(
    r"\b(?:or|versus|vs\.?)[ ]+(?:(?:the|code|perhaps|possibly|maybe|even)[ ]+)*[\"'(\[]?$", re.IGNORECASE
)
_PROCEDURE_LINE = re.compile(
    r"\b(?:cpt|hcpcs|procedures?|units?|modifiers?|qty|quantity)\b|[ ][x\u00d7][ ]?\d+\b", re.IGNORECASE
)
_PROCEDURE = re.compile(r"[A-V][0-9]{4}")
_LABEL_WORDS = re.compile(
    r"\b(?:answer|primary|principal|secondary|additional|first|second|third|final|icd-?10(?:-?cm)?|diagnos[ei]s|dx|codes?|is"
    r"|assign(?:ed)?|use|should be|coded as|the|with|as|and|for|description|selected)\b",
    re.IGNORECASE,
)
_A_REJECTION = re.compile(
    r"[.;,]?[ ]+(?:so|and|it is|this is|hence)?[ ]*\b(?:not|rather than|instead of)[ ]+[A-Z][0-9][0-9A-Z]\b"
)
_MARKUP = str.maketrans({"*": None, "`": None, "_": None, "|": " "})


class ClaimedCode(NamedTuple):
    """One code of the answer and what the answer says that it is; `code` keeps the dot that the answer gave it."""

    code: str
    stated: str
    is_labelled: bool

    @property
    def is_code_shaped(self) -> bool:
        """Whether it has the shape of a code, so that it may stand in a record as evidence."""
        return re.fullmatch(r"[A-Z][0-9A-Z][0-9A-Z](?:\.[0-9A-Z]{1,4}|[0-9A-Z]{1,4})?", self.code) is not None


class Claim(NamedTuple):
    """The codes that an answer claims, in its order, repetitions kept; `n_open` counts those it leaves open."""

    codes: tuple[ClaimedCode, ...]
    n_open: int


@lru_cache(maxsize=256)
def read_claim(answer: str) -> Claim:
    r"""The codes that the answer claims, each with its stated meaning.

    >>> [(each.code, each.stated) for each in read_claim("Codes:\n1. E11.9 Type 2 diabetes\n2. I10 Hypertension").codes]
    [('E11.9', 'Type 2 diabetes'), ('I10', 'Hypertension')]
    >>> read_claim("Either B42.81 or B42.9 would do.")
    Claim(codes=(), n_open=2)
    >>> [each.code for each in read_claim("Code: 1010").codes]
    ['1010']
    """
    text = _plain(answer)
    single = find_proposed_code(text)
    mentions = _mentions(text)
    if single.code is not None and (single.is_labelled or len(mentions) <= 1) and len(_listed(text, mentions)) <= 1:
        place = next((found for found in mentions if found[1] == single.code), None)
        stated = "" if place is None else _stated(text, place, mentions)
        return Claim((ClaimedCode(single.code, stated, single.is_labelled),), 0)
    claimed = _listed(text, mentions) or mentions
    codes = {code for _, code, _ in claimed}
    if len(codes) > 1 and _is_open(text, claimed):
        return Claim((), len(codes))
    read = tuple(ClaimedCode(found[1], _stated(text, found, mentions), single.is_labelled) for found in claimed)
    return Claim(read[:CODES_READ], max(0, len(read) - CODES_READ))


_Mention = tuple[int, str, int]
"""Where a code begins, the code, where it ends."""


def _plain(answer: str) -> str:
    text = unicodedata.normalize("NFKC", answer[:CHARACTERS_READ]).translate(_MARKUP)
    return _CONSIDERED.sub("\n", re.sub(r"[ \t\xa0]+", " ", text))


def _mentions(text: str) -> list[_Mention]:
    """The codes that the text does not merely reject, in order; codes of procedures are none."""
    found: list[_Mention] = []
    rejected_until = -1
    for match in _MENTION.finditer(text):
        before = text[max(0, match.start() - 60) : match.start()]
        links = rejected_until >= 0 and _LIST_LINK.fullmatch(text, rejected_until, match.start())
        if links or _REJECTING.search(before) or _REJECTED_AFTER.match(text, match.end()):
            rejected_until = match.end()
        elif not _is_something_else(text, match, before):
            found.append((match.start(), match[1], match.end()))
            if len(found) == MENTIONS_READ:
                break
    return found


def _is_something_else(text: str, match: re.Match[str], before: str) -> bool:
    """Whether the word is a procedure's code on a line of procedures, or a vitamin, a vertebra, a cell."""
    if _PROCEDURE.fullmatch(match[1]):
        return _PROCEDURE_LINE.search(_line_around(text, match.start())) is not None
    if len(match[1]) > 3:
        return False
    if _NO_CODE_BEFORE.search(before) or _NO_CODE_AFTER.match(text, match.end()):
        return True
    if match[1][0] not in "BCLT" or _IN_A_CODES_PLACE.search(before):
        return False
    return not _begins_line(text, (match.start(), match[1], match.end()))


def _listed(text: str, mentions: list[_Mention]) -> list[_Mention]:
    """The mentions after a label that announces several codes, up to the end of that list."""
    label = _LIST_LABEL.search(text)
    if label is None:
        return _in_lines(text, mentions)
    end = _ENDS_LIST.search(text, _after_blank(text, label.end()))
    stop = len(text) if end is None else end.start()
    ahead = [found for found in mentions if found[0] < label.start() and _begins_line(text, found)]
    return ahead + [found for found in mentions if label.end() <= found[0] < stop]


def _in_lines(text: str, mentions: list[_Mention]) -> list[_Mention]:
    """The first mention of each line that begins with a code, behind a bullet or a label of its own."""
    found = [mention for mention in mentions if _begins_line(text, mention)]
    return found if len(found) > 1 else []


def _begins_line(text: str, mention: _Mention) -> bool:
    before = text[text.rfind("\n", 0, mention[0]) + 1 : mention[0]]
    return re.fullmatch(r"[ ]*(?:[-\u2022+>]|\d+[.)])?[ ]*(?:[\w #()/-]{0,40}:)?[ ]*[\"'(\[]?", before) is not None


def _after_blank(text: str, start: int) -> int:
    while start < len(text) and text[start] in " \n":
        start += 1
    return start


def _is_open(text: str, claimed: list[_Mention]) -> bool:
    first, last = claimed[0][0], claimed[-1][2]
    if _OPEN_CHOICE.search(text, max(0, first - 60), min(len(text), last + 60)):
        return True
    return any(one[1] != other[1] and _OR_BEFORE.search(text[one[2] : other[0]]) for one, other in pairwise(claimed))


def _stated(text: str, mention: _Mention, mentions: list[_Mention]) -> str:
    """What the line says around the code: after it, else before it; else what a `Description:` below says."""
    start, _, end = mention
    line_end = text.find("\n", end)
    line_end = len(text) if line_end < 0 else line_end
    line_start = text.rfind("\n", 0, start) + 1
    others = [found for found in mentions if found != mention]
    after = text[end : min([line_end, *(found[0] for found in others if found[0] >= end)])]
    before = text[max([line_start, *(found[2] for found in others if found[2] <= start)]) : start]
    for part in (after, before):
        kept = _A_REJECTION.split(part, maxsplit=1)[0].strip(" ()[]{}\"':;,.=-\u2013\u2014>#")
        if len(_LABEL_WORDS.sub("", kept).strip(" :,.#0123456789")) >= 3:
            return re.sub(r"^(?:description|meaning|diagnosis)[ ]*:[ ]*", "", kept, flags=re.IGNORECASE)
    below = re.match(
        r"\n+[ ]*(?:description|meaning|diagnosis|title)[ ]*[:=][ ]*([^\n]+)", text[line_end:], re.IGNORECASE
    )
    return below[1] if below else ""


def _line_around(text: str, place: int) -> str:
    end = text.find("\n", place)
    return text[text.rfind("\n", 0, place) + 1 : len(text) if end < 0 else end]
