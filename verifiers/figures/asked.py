"""What a question asks of a table: the operation, the years, and the words of rows and columns. Judges nothing."""

import re
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from core.records import Query


class Wanted(StrEnum):
    """The kind of number that the question asks for."""

    CHANGE = "change"
    DIFFERENCE = "difference"
    AVERAGE = "average"
    SUM = "sum"
    SHARE = "share"
    COUNT = "count"
    LOOKUP = "lookup"


class Question(NamedTuple):
    """One question. `is_signed`: a fall must be stated as one; `is_range`: the years between are meant too."""

    text: str
    wanted: Wanted
    words: frozenset[str]
    years: tuple[int, ...]
    is_range: bool
    is_signed: bool


_YEAR = re.compile(
    r"(?<![\d,.$])(?:fy\s?|f|fiscal\s+(?:year\s+)?)?((?:19|20)\d\d)(?![\d,]|\.\d)|(?<![\w])(?:fy|f)'?(\d\d)(?!\d)", re.I
)
_RANGE = re.compile(r"((?:19|20)\d\d)\s*(?:-|\u2013|to|through|until)\s*(?:[a-z]+\s+\d{1,2},\s+)?((?:19|20)\d\d)", re.I)
_KIND = r"(?:change|increase|decrease|growth|difference|decline|rise)"
_PATTERNS = (
    (
        Wanted.COUNT,
        r"^\W*how many (?:of |years|quarters|periods|items|segments|types|categories|countries)|\bnumber of years\b",
    ),
    (
        Wanted.CHANGE,
        rf"\b(?:percent\w*|%|relative|year[- ]on[- ]year|yoy) (?:\w+[ -]){{0,2}}?{_KIND}|\bgrowth rate"
        r"|\b(?:change|increase|decrease|grow|difference)\w* (?:\w+ ){0,2}?in percent(?:age)?\b(?! of)"
        r"|\b(?:what|which|how many) percent\w* (?:did|has|have)|\bby what percent",
    ),
    (
        Wanted.SHARE,
        r"\bratio\b|\bproportion\b|\bas an? (?:percent\w*|proportion|share) of\b|\bshare of\b|\bfraction of\b"
        r"|\bpercent\w* (?:constitution |share )?(?:of|does|do|is|are|was|were)\b|\bconstitut"
        r"|\bpercentage .{2,80}? (?:out of|over|in|among|to) ",
    ),
    (
        Wanted.DIFFERENCE,
        r"\bchange[sd]?\b|\bdifference\b|\bincrease[sd]?\b|\bdecrease[sd]?\b|\bgrow\b|\bgrew\b"
        r"|\bhow much (?:more|less|higher|lower)\b",
    ),
    (Wanted.AVERAGE, r"\b(?:average|mean)\b"),
    (Wanted.SUM, r"\b(?:sum of|altogether|combined|in total|total of|together)\b"),
)
_COMPILED = tuple((wanted, re.compile(pattern, re.I)) for wanted, pattern in _PATTERNS)
_NAMES = {
    Wanted.CHANGE: re.compile(r"%|\bpercent|\bchange|\bgrowth|\bincrease|\bdecrease", re.I),
    Wanted.DIFFERENCE: re.compile(r"\bchange|\bdifference|\bincrease|\bdecrease|\bvariance", re.I),
    Wanted.AVERAGE: re.compile(r"\baverage|\bmean\b", re.I),
    Wanted.SUM: re.compile(r"\btotal|\bsum\b", re.I),
    Wanted.SHARE: re.compile(r"%|\bpercent|\bratio|\bproportion|\bshare\b|\brate\b", re.I),
    Wanted.COUNT: re.compile(r"\bnumber of\b", re.I),
    Wanted.LOOKUP: re.compile(""),
}
_TOTAL = re.compile(r"\btotal\b", re.I)
_UNSIGNED = re.compile(
    r"\bdifference\b|\bhow much (?:did|has|have)\b.*\b(?:increase|decrease|change|decline)|\bby how much\b", re.I
)
_STOP = frozenset(
    word
    for line in (
        "a an the of in on at to for from by with and or is are was were be been do does did has have had what",
        "which how much many who when where its their our year years ended end fiscal between over during per as than",
        "that this",
        "these both company respective amount amounts value values number percent percentage change changes difference",
        "increase decrease average mean sum ratio proportion constitution among compared expressed nominal period",
        "periods million thousand billion usd dollars dollar december june march september",
    )
    for word in line.split()
)
_WORD = re.compile(r"[a-z][a-z0-9]*|\d+(?:-\d+)?")


def question_of(query: Query) -> Question:
    """The question of a query: its last sentence with a question mark, or its last message's first line."""
    text = query.messages[-1].content
    lines = [line for line in text.splitlines() if "|" not in line and line.strip()]
    asked = [sentence for line in lines for sentence in re.findall(r"[^?]*\?", line)[-1:]]
    sentence = asked[-1] if asked else (lines[0] if lines else text)
    return read_question(re.split(r"(?<=[a-z0-9)][.!:])\s+(?=[A-Z])", sentence.strip()[-600:])[-1])


def read_question(text: str) -> Question:
    """What the sentence asks.

    >>> asked = read_question("What was the average interest expense for 2018 and 2019?")
    >>> asked.wanted.value, asked.years, sorted(asked.words)
    ('average', (2018, 2019), ['expense', 'interest'])
    """
    named = [
        (match.start(), order, wanted)
        for order, (wanted, pattern) in enumerate(_COMPILED)
        if (match := pattern.search(text))
    ]
    wanted = min(named)[2] if named else Wanted.LOOKUP
    years = tuple(dict.fromkeys(years_of(text)))
    spans_years = bool(_RANGE.search(text))
    if wanted is Wanted.LOOKUP and len(years) > 1 and _TOTAL.search(text):
        wanted = Wanted.SUM
    return Question(text, wanted, words_of(text), years, spans_years, is_signed=not _UNSIGNED.search(text))


def years_of(text: str) -> list[int]:
    """The years of a heading or a question, `F19` and `FY 2019` among them.

    >>> years_of("Year ended December 31, 2019 and F18")
    [2019, 2018]
    """
    return [int(match[1]) if match[1] else 2000 + int(match[2]) for match in _YEAR.finditer(text)]


def names_operation(wanted: Wanted, name: str) -> bool:
    """Whether a label or a sentence itself names the operation, as `Average invested capital` or `% of revenue`.

    >>> names_operation(Wanted.AVERAGE, "Average invested capital"), names_operation(Wanted.AVERAGE, "Invested capital")
    (True, False)
    """
    return bool(_NAMES[wanted].search(name))


@lru_cache(maxsize=1024)  # labels and sentences are compared with the question once a table and once a paragraph
def words_of(text: str) -> frozenset[str]:
    """The words that may name a row or a column, without plural endings, years and the words of the operation."""
    found = []
    for word in _WORD.findall(text.lower().replace("\u2019", "'")):
        if word in _STOP or re.fullmatch(r"(?:19|20)\d\d|f\d\d|fy\d\d", word):
            continue
        found.append(stem(word))
    return frozenset(found)


def stem(word: str) -> str:
    """The word without its plural ending.

    >>> stem("liabilities"), stem("sales"), stem("gross")
    ('liability', 'sale', 'gross')
    """
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
