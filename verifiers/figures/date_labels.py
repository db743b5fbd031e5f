"""What a date is, by the words beside it (birth, admission, due), and which must come first. Judges nothing."""

import re
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import pairwise

from verifiers.figures.dates_of_text import TextDate

ORDERS: tuple[tuple[str, ...], ...] = (
    ("birth", "admission", "discharge", "bill"),
    ("birth", "service", "bill"),
    ("bill", "due"),
    ("issued", "maturity"),
    ("signed", "expiry"),
    ("effective", "expiry"),
    ("start", "end"),
    ("incident", "filed", "judgment"),
    ("served", "answer_due"),
)
"""Chains of labels in the order in which their dates must lie."""

_LABELS = {
    "birth": r"date of birth|birth ?date|dob|born",
    "admission": r"admitted|admission|admit",
    "discharge": r"discharged?|discharge date",
    "service": r"date of service|dos|seen on|visit|encounter",
    "bill": r"billed|bill(?:ing)? date|bill|invoiced?|invoice date|claim (?:was )?submitted",
    "due": r"due(?: date)?|payable (?:on|by)|payment (?:is )?due",
    "issued": r"issued|issue date",
    "maturity": r"matur(?:es|ed|ity)(?: date)?",
    "signed": r"signed|executed|entered into",
    "effective": r"effective(?: date)?|commenc(?:es|ed|ement|ing)",
    "expiry": r"expir(?:es|ed|y|ation|ing)|terminat(?:es|ed|ion)",
    "start": r"starts?|started|begins?|began|beginning|opened",
    "end": r"ends?|ended|ending|closed",
    "incident": r"accident|incident|injur(?:y|ed)|occurred|breach(?:ed)?",
    "filed": r"filed|filing",
    "judgment": r"judgment|verdict",
    "served": r"served|service of process",
    "answer_due": r"answer (?:is |was )?due|responsive pleading",
}
_LABEL = re.compile(
    r"(?<![\w-])(?:" + "|".join(f"(?P<{name}>{words})" for name, words in _LABELS.items()) + r")(?![\w-])", re.I
)
_RELATIVE = re.compile(
    r"\b(?:after|before|following|prior to|since|until|from|of|post)[\s-]+(?:the |his |her |their |its )?$", re.I
)
_DEADLINE = re.compile(r"\b(?:by|must|shall|until|within|no later than|on or before|through|before|after)\b", re.I)
_NEAR_CHARACTERS = 45


def labelled(text: str, dates: Sequence[TextDate]) -> dict[str, set[date]]:
    """The whole days that the text gives each label.

    >>> from verifiers.figures.dates_of_text import dates_of
    >>> text = "Admitted 2 March 2026, discharged on 5 March 2026."
    >>> {name: str(min(days)) for name, days in labelled(text, dates_of(text)).items()}
    {'admission': '2026-03-02', 'discharge': '2026-03-05'}
    """
    found: dict[str, set[date]] = {}
    for name, dated in _labels(text, dates):
        day = dated.whole
        if day is not None:
            found.setdefault(name, set()).add(day)
    return found


def out_of_order(days: dict[str, set[date]]) -> Iterator[tuple[str, date, str, date]]:
    """Pairs of labels whose days lie the wrong way round, where each label has one day."""
    for chain in ORDERS:
        present = [(name, next(iter(days[name]))) for name in chain if len(days.get(name, ())) == 1]
        for (first, earlier), (second, later) in pairwise(present):
            if earlier > later:
                yield first, earlier, second, later


def _labels(text: str, dates: Sequence[TextDate]) -> Iterator[tuple[str, TextDate]]:
    previous_end = 0
    for index, dated in enumerate(dates):
        begin = max(previous_end, dated.start - _NEAR_CHARACTERS)
        before = text[begin : dated.start]
        before = re.split(r"[.;\n](?=\s|$)", before)[-1]
        matches = list(_LABEL.finditer(before))
        following = dates[index + 1].start if index + 1 < len(dates) else len(text)
        after = re.match(r"\s*\((?P<inner>[^()\d]{3,30})\)", text[dated.end : min(following, dated.end + 34)])
        if after is not None and (named := _LABEL.search(after["inner"])):
            yield str(named.lastgroup), dated
        elif (
            matches
            and _DEADLINE.search(before, matches[-1].end())
            and matches[-1].lastgroup not in {"due", "answer_due"}
        ):
            pass
        elif matches and not _RELATIVE.search(before[: matches[-1].start()]):
            yield str(matches[-1].lastgroup), dated
        previous_end = dated.end
