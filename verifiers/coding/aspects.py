"""What a text says of side, phase of care, healing, trimester and the like, and what a description says of the same.

An aspect is one question with few answers: which side, which phase of care. Texts and descriptions are read by the
same table, so the two can be laid beside each other without knowing any code.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType

from verifiers.coding.words import spelled_out

_BODY = "heart|ventric|atri|bundle|upper quadrant|lower quadrant"
_PAIRED = "eyes|ears|knees|hips|hands|feet|legs|arms|breasts|shoulders|ankles|wrists|elbows|sides|lungs|kidneys"
_NO_SURGERY = "(?!reduction|treatment|repair)"

_ASPECTS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "side": {
        "right": (rf"right(?:[- ]sided?)?\b(?! (?:{_BODY}|away|now|to left))",),
        "left": (rf"left(?:[- ]sided?)?\b(?! (?:{_BODY}|against|the\b|without|before|ama))",),
        "bilateral": (r"bilateral(?:ly)?\b", rf"both (?:{_PAIRED})\b"),
    },
    "phase": {
        "initial": (
            r"initial (?:encounter|visit|treatment|care|evaluation)\b",
            r"(?:under|in|receiving|for) active treatment\b",
            r"first (?:visit|encounter)\b",
        ),
        "subsequent": (
            r"subsequent (?:encounter|visit|care)\b",
            r"(?:at|for|in|on) follow[- ]?up\b(?! in \d)",
            r"follow[- ]?up (?:visit|encounter|appointment|examination|care)\b(?! (?:in|with|was|is|scheduled))",
            r"(?:routine|delayed|normal) healing\b",
            r"healing (?:well|normally|phase|as expected)\b",
            r"(?:slow to|not yet) (?:unite|heal)\b",
            r"non-?union\b",
            r"mal-?union\b",
            r"not united\b",
            r"united in poor position\b",
            r"aftercare\b",
            r"cast (?:removal|change|check)\b",
        ),
        "sequela": (r"sequelae?\b", r"late effects?\b", r"residual (?:effect|condition)s?\b"),
    },
    "healing": {
        "routine": (r"(?:routine|normal) healing\b", r"healing (?:well|normally|as expected)\b"),
        "delayed": (r"delayed (?:healing|union)\b", r"slow to (?:unite|heal)\b"),
        "nonunion": (r"non-?union\b", r"not united\b", r"failed to unite\b"),
        "malunion": (r"mal-?union\b", r"united in poor position\b", r"healed in (?:malalignment|poor position)\b"),
    },
    "opening": {
        "closed": (
            rf"closed {_NO_SURGERY}(?:[a-z]+ ){{0,3}}fractures?\b",
            r"fractures?,? \(?closed\)?\b(?! reduction)",
        ),
        "open": (
            rf"(?<!not )open {_NO_SURGERY}(?:[a-z]+ ){{0,3}}fractures?\b",
            r"fractures?,? \(?open\b(?! reduction)",
            r"compound (?:[a-z]+ ){0,2}fractures?\b",
            r"gustilo\b",
        ),
    },
    "opening_type": {
        "1_or_2": (r"type i(?: or ii|i)?\b", r"type [12](?: or 2)?\b(?= open| with| fract|$|,)"),
        "3": (r"type iii[abc]?\b", r"type 3[abc]?\b"),
    },
    "trimester": {
        "first": (r"(?:first|1st) trimester\b",),
        "second": (r"(?:second|2nd) trimester\b",),
        "third": (r"(?:third|3rd) trimester\b",),
    },
    "fetus": {
        **{number: (rf"fetus(?: number| no\.?| #)? ?{number}\b",) for number in "12345"},
        "9": (r"other fetus\b",),
        "0": (r"not applicable or unspecified\b",),
    },
    "stage": {stage: (rf"{stage}[- ]stage\b",) for stage in ("mild", "moderate", "severe", "indeterminate")},
}
_PATTERNS = {
    aspect: {answer: re.compile("|".join(rf"\b{one}" for one in written)) for answer, written in answers.items()}
    for aspect, answers in _ASPECTS.items()
}
_TRIGGERS = re.compile(
    r"right|left|bilateral|both|initial|first|active|subsequent|follow|heal|slow|union|unite|aftercare|cast|sequel|late|residual"
    r"|delayed|malun|closed|open|compound|gustilo|type|trimester|fetus|stage"
)

SEVENTH = ("phase", "healing", "opening", "opening_type", "fetus", "stage")
"""Aspects that a seventh character tells."""

Aspects = Mapping[str, frozenset[str]]
"""What was said of each aspect; an aspect that is not there was not spoken of."""


@lru_cache(maxsize=4096)
def aspects_of(text: str) -> Aspects:
    """Every aspect that the text speaks of, with all it says.

    >>> {aspect: sorted(answers) for aspect, answers in aspects_of("Fx of L ulna, follow-up visit, not united").items()}
    {'side': ['left'], 'phase': ['subsequent'], 'healing': ['nonunion']}
    """
    plain = spelled_out(text)
    found: dict[str, frozenset[str]] = {}
    if _TRIGGERS.search(plain):
        for aspect, answers in _PATTERNS.items():
            said = frozenset(answer for answer, pattern in answers.items() if pattern.search(plain))
            if said:
                found[aspect] = said
    if found.get("side", frozenset()) >= {"right", "left"} and re.search(r"right and left|left and right", plain):
        found["side"] |= {"bilateral"}
    return MappingProxyType(found)


def at_odds(described: Aspects, said: Aspects, *, over: Iterable[str]) -> str | None:
    """The first aspect in which a text says other than a description; None where they agree or one is silent.

    >>> at_odds(aspects_of("Pain in right knee"), aspects_of("pain, left knee"), over=("side",))
    'side'
    """
    for aspect in over:
        here, there = described.get(aspect, frozenset()), said.get(aspect, frozenset())
        if here and there and not here & there:
            return aspect
    return None
