"""Digits that are no quantities: identifiers, telephone numbers, times, references. It judges nothing."""

import re

_LABELS = frozenset(
    word
    for line in (
        "npi cusip isin lei iban mrn ssn ein tin cpt hcpcs drg ndc invoice account acct policy claim order case docket",
        "file reference ref patent registration reg serial part ticket po section sections sec article articles art",
        "rule rules form forms code codes page pages pp p chapter chapters ch schedule schedules exhibit exhibits",
        "paragraph paragraphs para clause clauses item items step steps figure figures fig table tables note appendix",
        "question option line grade stage type phase level tier room courtroom",
    )
    for word in line.split()
)
_BETWEEN = frozenset({"no", "number", "numbers", "code", "codes", "id"})
_DIGITS = re.compile(r"(?<![\d,.])\d(?:[\dA-Za-z.()-]*[\dA-Za-z])?")
_WORDS = re.compile(r"[A-Za-z]+|§|#|[.:(]|\S")
_SHAPES = (
    ("", re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?(?![A-Za-z0-9])")),
    ("-", re.compile(r"(?<!\d)(?:\(?\d{3}\)?[-. ]\d{3}[-.]\d{4}|\d{3}-\d{2}-\d{4})\b")),
    (":", re.compile(r"(?<!\d)\d{1,2}:\d{2}(?::\d{2})?")),
    (
        ".",
        re.compile(
            r"\b\d{1,4} (?:U\.\s?S\.(?: ?C\.)?|C\.\s?F\.\s?R\.|F\.\s?(?:2d|3d|4th|Supp\.?(?: ?[23]d)?)"
            r"|S\.\s?Ct\.|L\.\s?Ed\.)"
            r"[^\n;]{0,24}?\d+"
        ),
    ),
    ("(", re.compile(r"\((?:[A-Z][\w. ]{0,20} )?(?:19|20)\d{2}\)")),
)
_NUMBERING = re.compile(r"^[ \t]*(?:[-*]\s*)?\(?\d{1,2}[.)][ \t]", re.M)


def reference_spans(text: str) -> list[tuple[int, int]]:
    """Start and end of what is a reference, an identifier, a time or the number of a list item.

    >>> text = "1. See 42 U.S.C. § 1983 at 10:30 (invoice no. 77); pay 40."
    >>> [text[start:end] for start, end in reference_spans(text)]
    ['1. ', '42 U.S.C. § 1983', '1983', '10:30', '77']
    """
    found = [match.span() for match in _NUMBERING.finditer(text)]
    for mark, shape in _SHAPES:
        if mark in text:
            found += [match.span() for match in shape.finditer(text)]
    found += [match.span() for match in _DIGITS.finditer(text) if _is_labelled(text, match.start())]
    return sorted(found)


def _is_labelled(text: str, start: int) -> bool:
    words = [word.lower() for word in _WORDS.findall(text[max(0, start - 24) : start])]
    while words and words[-1] in {".", ":", "#", "("}:
        if words.pop() == "#":
            return True
    if words and words[-1] in _BETWEEN and len(words) > 1:
        words.pop()
        while words and words[-1] == ".":
            words.pop()
    return bool(words) and (words[-1] == "§" or words[-1] in _LABELS)
