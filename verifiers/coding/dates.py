"""The date of service of a case: the fact, or a date that the query labels as one. It never guesses between two."""

import re
from datetime import date

from verifiers.case import Case

CHARACTERS_READ = 20_000

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LABELLED = re.compile(
    r"\b(?:dates? of (?:service|encounter|visit|admission|discharge)|dos"
    r"|(?:encounter|visit|service|admission|discharge) date"
    r"|seen on|admitted on|discharged on)\b[ \t:=(]*(?:was |is |on )?"
    r"(?P<date>\d{4}-\d{1,2}-\d{1,2}|\d{1,2}/\d{1,2}/\d{4}|\d{1,2}\.? [A-Za-z]{3,9}\.?,? \d{4}"
    r"|[A-Za-z]{3,9}\.? \d{1,2},? \d{4})",
    re.IGNORECASE,
)


class UnreadableDate(ValueError):
    """The case names a date of service that is none, or several."""


def date_of_service(case: Case) -> date | None:
    """The date that decides which release holds; None where nothing says one.

    A month stands before the day in 10/01/2025, as on American claims. Of a stay, ICD-10-CM goes by the discharge.

    Raises:
        UnreadableDate: the fact is no date, the query labels two different dates as that of service, or a client's
            fact names another than the query.

    >>> from core.records import Query, messages_of
    >>> asked = Query(id="q", messages=messages_of("DOB 3/4/1961. DOS: 10/01/2025. Asthma."))
    >>> date_of_service(Case(query=asked, answer="J45.909"))
    datetime.date(2025, 10, 1)
    """
    given = case.facts.get("date_of_service")
    told = None
    if given is not None:
        if not isinstance(given, str):
            raise UnreadableDate
        told = _read(given)
        if not case.is_client_told:
            return told
    found = list(_LABELLED.finditer(case.query.text[:CHARACTERS_READ]))
    discharged = [match for match in found if "discharge" in match[0].lower()]
    dates = {_read(match["date"]) for match in discharged or found}
    if len(dates) > 1 or (told is not None and dates - {told}):
        raise UnreadableDate
    return dates.pop() if dates else told


def read_date(text: str) -> date:
    """A date as ISO writes it, or as claims and notes do.

    Raises:
        UnreadableDate: it is none.

    >>> read_date("1 Oct 2025") == read_date("Oct. 1, 2025") == read_date("10/1/2025") == read_date("2025-10-01")
    True
    """
    return _read(text)


def _read(text: str) -> date:
    text = text.strip()
    try:
        if re.fullmatch(r"\d{4}-\d{1,2}-\d{1,2}(?:T.*)?", text):
            year, month, day = (int(part) for part in text.split("T")[0].split("-"))
            return date(year, month, day)
        if re.fullmatch(r"\d{1,2}/\d{1,2}/\d{4}", text):
            month, day, year = (int(part) for part in text.split("/"))
            return date(year, month, day)
        if re.fullmatch(r"\d{8}", text):
            return date(int(text[:4]), int(text[4:6]), int(text[6:]))
        words = re.findall(r"[A-Za-z]+|\d+", text)
        month = next(_MONTHS.index(word[:3].lower()) + 1 for word in words if word[:3].lower() in _MONTHS)
        day, year = (int(word) for word in words if word.isdigit())
        return date(year, month, day)
    except (ValueError, StopIteration) as error:
        raise UnreadableDate from error
