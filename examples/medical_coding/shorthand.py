"""Clinic shorthand for sides and for the seventh character, both ways.

The code set writes "left" and "subsequent encounter for fracture with nonunion"; a note says "L" and
"fx not united at follow-up". What the phases of care mean is the ICD-10-CM guideline's (section I.C.19.a):
initial is active treatment, subsequent is care while it heals, sequela is a late effect.
"""

import re

_PHASES = (
    ("initial encounter for closed fracture", "closed fracture under active treatment"),
    ("initial encounter for open fracture", "open fracture under active treatment"),
    ("initial encounter", "under active treatment"),
    ("with routine healing", "healing well"),
    ("with delayed healing", "slow to unite"),
    ("with nonunion", "not united"),
    ("with malunion", "united in poor position"),
    ("subsequent encounter for", "at follow-up,"),
    ("subsequent encounter", "at follow-up"),
    ("sequela", "late effect"),
)
_WORDS = (("right", "R"), ("left", "L"), ("bilateral", "bilat"), ("fracture", "fx"))


def abbreviate(description: str) -> str:
    """The description as a busy note writes it.

    >>> abbreviate("Fracture of left ulna, subsequent encounter for fracture with nonunion")
    'Fx of L ulna, at follow-up, fx not united'
    """
    text = description
    for official, clinical in _PHASES:
        text = text.replace(official, clinical)
    for official, clinical in _WORDS:
        text = re.sub(rf"\b{official}\b", clinical, text)
        text = re.sub(rf"\b{official.capitalize()}\b", clinical.capitalize(), text)
    return text


def expand(note: str) -> str:
    """The code set's words for what a note abbreviates.

    >>> expand("Fx of L ulna, at follow-up, fx not united")
    'fracture of left ulna, subsequent encounter for fracture with nonunion'
    """
    text = note
    for official, clinical in _WORDS:
        text = re.sub(rf"\b(?:{clinical}|{clinical.capitalize()})\b", official, text)
    for official, clinical in reversed(_PHASES):
        text = text.replace(clinical, official)
    return text
