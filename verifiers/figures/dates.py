"""figures.dates: the dates of an answer are possible, in order, on their weekday, and rest on the source.

It knows no holidays and no court's calendar.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import pairwise

from verifiers.case import Case
from verifiers.chain import CheckResult, Price
from verifiers.figures.amounts import READ_CHARACTERS
from verifiers.figures.date_labels import labelled, out_of_order
from verifiers.figures.date_terms import DURATION, Term, reached, term_of, terms_of
from verifiers.figures.dates_of_text import TextDate
from verifiers.figures.finding import Finding, conclude
from verifiers.figures.grounds import READ_SOURCE, grounds_of
from verifiers.figures.reading import answer_dates, source_dates

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY_NAMES = "|".join(name[:3] + (f"(?:{name[3:]})?" if name[:3] != "tue" else "(?:s(?:day)?)?") for name in _DAYS)
_WEEKDAY_BEFORE = re.compile(rf"\b(?P<name>{_DAY_NAMES})\.?,?\s+(?:the\s+)?$", re.I)
_WEEKDAY_AFTER = re.compile(
    rf"\s*(?:,?\s*(?:which\s+)?(?:is|was|falls on|fell on|being)\s+(?:on\s+)?(?:a\s+)?|\()(?P<name>{_DAY_NAMES})\b",
    re.I,
)
_LEADS_TO = re.compile(
    r"\s*[,)]?\s*(?:is|was|=|equals|falls on|fell on|would be|will be|comes to|lands on|gives|expires on|ends on"
    r"|i\.e\.,?|:)"
    rf"\s*(?:on\s+)?(?:(?:{_DAY_NAMES})\.?,?\s+)?(?:the\s+)?$",
    re.I,
)
_TERM_BEFORE = re.compile(
    rf"{DURATION}\s+(?:\w+\s+){{0,2}}?(?P<way>from|after|following|before|prior to)\s+(?:and including\s+)?"
    rf"(?:(?:{_DAY_NAMES})\.?,?\s+)?(?:the\s+)?$",
    re.I,
)
_TERM_BETWEEN = re.compile(
    rf"\s*(?:,|is|was|falls|=|,?\s*which is|,?\s*being)\s*{DURATION}\s+"
    r"(?P<way>from|after|following|before|prior to)\s+$",
    re.I,
)
_PLUS = re.compile(rf"\s*(?P<way>\+|plus|-|minus)\s*{DURATION}\s*(?:=|is|gives|equals)\s*$", re.I)
_SPAN = re.compile(rf"\s*(?:is|=|equals|was|are|\()\s*{DURATION}", re.I)


class Dates:
    """Fails on an impossible date, a wrong weekday, a wrong order or a wrong term.

    A date that rests on nothing in the source is not decided, or fails where the pack says `ungrounded: fail`.
    """

    id = "figures.dates"
    price = Price.FREE

    def __init__(self, *, required: bool = False, ungrounded: str = "cannot_decide") -> None:
        self._required = required
        self._ungrounded_is_hard = ungrounded == "fail"

    def judge(self, case: Case) -> CheckResult:
        """Pass when nothing is wrong with the dates."""
        text = case.answer[:READ_CHARACTERS]
        dates = answer_dates(text)
        findings: list[Finding] = []
        if dates:
            findings += _impossible(dates)
            findings += _weekdays(text, dates)
            findings += _terms(text, dates)
            findings += self._against_source(case, text, dates)
        return conclude(
            self.id, findings, n_checked=len(dates), nothing="no_dates", required=self._required, text=case.answer
        )

    def _against_source(self, case: Case, text: str, dates: Sequence[TextDate]) -> Iterator[Finding]:
        grounds = grounds_of(case)
        known = source_dates(grounds)
        here, there = labelled(text, dates), labelled(grounds, known)
        for first, earlier, second, later in out_of_order({**there, **here}):
            if first in here or second in here:
                yield Finding(
                    "dates_out_of_order",
                    is_hard=True,
                    evidence={f"{first}": earlier.isoformat(), f"{second}": later.isoformat()},
                )
        for name, days in here.items():
            if len(days) == 1 and len(there.get(name, ())) == 1 and days != there[name]:
                yield Finding(
                    "date_differs_from_source",
                    is_hard=False,
                    evidence={"stated": min(days).isoformat(), "source": min(there[name]).isoformat()},
                )
        if not known:
            return
        terms = terms_of(grounds, read=READ_SOURCE) + terms_of(text, read=READ_CHARACTERS)
        allowed = _reachable([dated for dated in known if dated.whole], terms)
        for dated in dates:
            if not dated.is_impossible and not _rests_on(dated, known, allowed):
                stated = dated.whole.isoformat() if dated.whole else f"{dated.year:04}-{dated.month:02}-{dated.day:02}"
                yield Finding("date_not_in_source", is_hard=self._ungrounded_is_hard, evidence={"stated": stated})


def _impossible(dates: Sequence[TextDate]) -> Iterator[Finding]:
    for dated in dates:
        if dated.is_impossible:
            stated = f"{dated.year:04}-{dated.month:02}-{dated.day:02}"
            yield Finding("impossible_date", is_hard=True, evidence={"stated": stated})


def _weekdays(text: str, dates: Sequence[TextDate]) -> Iterator[Finding]:
    for dated in dates:
        day = dated.whole
        if day is None:
            continue
        before = _WEEKDAY_BEFORE.search(text[max(0, dated.start - 20) : dated.start])
        named = before or _WEEKDAY_AFTER.match(text[dated.end : dated.end + 40])
        if named is None:
            continue
        candidates = {day.weekday()} | ({dated.other.weekday()} if dated.other else set())
        stated = next(index for index, name in enumerate(_DAYS) if named["name"].lower().startswith(name[:3]))
        if stated not in candidates:
            yield Finding(
                "wrong_weekday", is_hard=True, evidence={"date": day.isoformat(), "expected": _DAYS[day.weekday()]}
            )


def _terms(text: str, dates: Sequence[TextDate]) -> Iterator[Finding]:
    """Statements of two dates and a term: `30 days from A is B`, `B is 30 days after A`, `A + 30 days = B`."""
    for first, second in pairwise(dates):
        start, end = first.whole, second.whole
        if start is None or end is None or second.start - first.end > 90:
            continue
        between = text[first.end : second.start]
        before = text[max(0, first.start - 70) : first.start]
        lead = _TERM_BEFORE.search(before)
        if lead is not None and _LEADS_TO.fullmatch(between):
            yield from _term(start, term_of(lead), end, forward=lead["way"].lower() not in {"before", "prior to"})
        elif reverse := _TERM_BETWEEN.fullmatch(between):
            yield from _term(end, term_of(reverse), start, forward=reverse["way"].lower() not in {"before", "prior to"})
        elif plus := _PLUS.fullmatch(between):
            yield from _term(start, term_of(plus), end, forward=plus["way"].lower() in {"+", "plus"})
        elif re.search(r"\b(?:from|between)\s+$", before, re.I) and re.fullmatch(
            r"\s*(?:to|and|until|through|-)\s*", between
        ):
            yield from _span(text, start, second, end)


def _span(text: str, start: date, second: TextDate, end: date) -> Iterator[Finding]:
    if end < start:
        yield Finding("dates_out_of_order", is_hard=True, evidence={"from": start.isoformat(), "to": end.isoformat()})
        return
    span = _SPAN.match(text, second.end, second.end + 60)
    if span is not None:
        term = term_of(span)
        ends = {day + timedelta(days=extra) for day in reached(start, term, forward=True) for extra in (-1, 0)}
        if term.unit == "day" and not term.is_business and end not in ends:
            n_days = (end - start).days
            yield Finding("wrong_term", is_hard=True, evidence={"expected_days": n_days, "stated_days": term.n})


def _term(start: date, term: Term, stated: date, *, forward: bool) -> Iterator[Finding]:
    days = list(reached(start, term, forward=forward))
    if days and stated not in days:
        evidence = {"expected": days[0].isoformat(), "stated": stated.isoformat()}
        yield Finding("wrong_term", is_hard=not term.is_business, evidence=evidence)


def _reachable(known: Sequence[TextDate], terms: Sequence[Term]) -> set[date]:
    """The source's days, their second readings, and what the stated terms lead to from them."""
    days = {day for dated in known for day in (dated.whole, dated.other) if day}
    reachable = set(days)
    for term in {(term.n, term.unit, term.is_business): term for term in terms}.values():
        for day in list(days)[:40]:
            reachable.update(reached(day, term, forward=True))
            reachable.update(reached(day, term, forward=False))
    return reachable


def _rests_on(dated: TextDate, known: Sequence[TextDate], allowed: set[date]) -> bool:
    day = dated.whole
    if day is not None:
        if day in allowed or (dated.other is not None and dated.other in allowed):
            return True
        return any(other.year == 0 and (other.month, other.day) == (day.month, day.day) for other in known)
    if dated.day:
        return any((day.month, day.day) == (dated.month, dated.day) for day in allowed) or any(
            (other.month, other.day) == (dated.month, dated.day) for other in known
        )
    return any((day.year, day.month) == (dated.year, dated.month) for day in allowed) or any(
        (other.year, other.month) == (dated.year, dated.month) for other in known
    )
