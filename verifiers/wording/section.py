"""wording.section: sections, clauses, articles and the like that the answer names exist in the source.

`Section 12(b)` exists where the source names it, or has a heading 12 (or `12.`, at the start of a line) with a `(b)`
under it. It does not see whether the section says what the answer makes of it.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from verifiers.case import Case
from verifiers.chain import CheckResult, Price
from verifiers.wording.findings import (
    READ_CHARS,
    SOURCE_CHARS,
    Finding,
    failed,
    not_applicable,
    passed,
    undecided,
    unless_unread,
)
from verifiers.wording.words import normal_text

_KINDS = {
    "section": r"sub-?sections?|sections?|secs?\.|\u00a7{1,2}|sub-?clauses?|clauses?|cl\.|sub-?paragraphs?"
    r"|paragraphs?|paras?\.?",
    "article": r"articles?|arts?\.",
    "rule": r"rules?",
    "schedule": r"schedules?|sched\.",
    "exhibit": r"exhibits?|exh\.",
    "annex": r"annex(?:es)?",
    "appendix": r"appendix|appendices|app\.",
    "chapter": r"chapters?|ch\.",
    "part": r"parts?",
    "recital": r"recitals?",
    "item": r"items?",
    "amendment": r"amendments?",
}
"""Families of divisions; a clause may be called a section, an article not."""

_LETTERED = frozenset({"schedule", "exhibit", "annex", "appendix", "part", "item", "recital"})
"""Families whose members may be one letter, as in Exhibit A."""

_NUMBER = (
    r"(?:\d{1,6}[a-z]{0,2}(?:[.\-:]\d{1,6}[a-z]{0,2})*|[ivxl]{1,7}(?![a-z0-9])|[a-z](?:[.\-]\d{1,4})?(?![a-z0-9']))"
)
_SUBS = r"(?:[ ]?\([a-z0-9]{1,5}\))*"
_ONE = _NUMBER + _SUBS
_NAMED = re.compile(
    r"(?<![\w\u00a7])(?:"
    + "|".join(f"(?P<{name}>{words})" for name, words in _KINDS.items())
    + r")(?![a-z])[ \t\n]{0,3}"
    r"(?P<all>" + _ONE + r"(?:[ ]?(?:,|and|or|to|through|-|\u2013|&|,[ ]?and|,[ ]?or)[ ]?" + _ONE + r")*)"
)
_HEADING = re.compile(
    r"(?:^|\n)[ \t#*>]{0,8}(?:\u00a7[ ]?)?(?P<one>\d{1,4}[a-z]?(?:\.\d{1,4}[a-z]?)*)\.?[ \t*]*(?P<subs>"
    + _SUBS
    + r")(?=[ \t*.):]|\n|$)"
)
_EACH = re.compile(
    r"(?P<link>^|,|and|or|to|through|-|\u2013|&)[ ]?(?:and[ ]?|or[ ]?)?(?P<base>"
    + _NUMBER
    + r")(?P<subs>"
    + _SUBS
    + r")"
)
_SUB = re.compile(r"\(([a-z0-9]{1,5})\)")
_OF_A_CODE = re.compile(r"(?:u\.? ?s\.? ?c\.?(?: ?a\.?)?|c\.? ?f\.? ?r\.?|united states code|u\.s\. code)[ ,]*$")
"""What stands before a section that `wording.citation` reads."""

_OF_ANOTHER = re.compile(
    r"(?:\bcode|\bstat\.?|\blaws?|\bann\.?|\brestatement\b[^.\n]{0,40})"
    r"[ ,]*(?:\u00a7+|sections?|secs?\.?)[ ]?[\w.()\-]+$"
)
_ELSEWHERE = re.compile(
    r"[ ,]*(?:of|in|under|to)[ ](?:the[ ])?(?:[\w'&,.\-]+[ ]){0,8}?(?:act|code|constitution|treaty|directive"
    r"|regulation|statute|gdpr|convention|rules)\b"
)
_ROMAN = re.compile(r"(?=[ivxl])(xl|l?x{0,3})(ix|iv|v?i{0,3})")
_SPAN = re.compile(r"(\d+(?:\.\d+)*)-(\d+(?:\.\d+)*)")
_REGION_CHARS = 20_000
_MAX_NAMED = 200


class Division(NamedTuple):
    """One division that a text names, such as (`section`, `12`, (`b`,)), and where it ends."""

    kind: str
    base: str
    subs: tuple[str, ...]
    end: int


class SectionCheck:
    """Finds sections, clauses, articles and the like that the source does not have."""

    id = "wording.section"
    price = Price.FREE

    def __init__(self, *, required: bool = False) -> None:
        """With `required`, an answer that names no section cannot be decided, instead of passing."""
        self._required = required

    def judge(self, case: Case) -> CheckResult:
        """The worst that was found about any division that the answer names."""
        answer = normal_text(case.answer[:READ_CHARS])
        named = [found for _, found in zip(range(_MAX_NAMED), _outside_codes(answer), strict=False)]
        if not named:
            return unless_unread(not_applicable("no_sections", self._required), case.answer).by(self.id)
        source = _Source(case)
        worst: Finding | None = None
        for division in named:
            finding = source.about(division, answer)
            if finding is None:
                continue
            finding.evidence.update(kind=division.kind, number=_shown(division), n_sections=len(named))
            if worst is None or finding.severity > worst.severity:
                worst = finding
        return unless_unread(worst or passed("in_source", n_sections=len(named)), case.answer).by(self.id)


def divisions_of(text: str) -> Iterator[Division]:
    """The divisions that a text in `normal_text` form names, in order.

    >>> [(d.kind, d.base, d.subs) for d in divisions_of("under section 12(b)(2), articles iv and 9, or exhibit a.")]
    [('section', '12', ('b', '2')), ('article', '4', ()), ('article', '9', ()), ('exhibit', 'a', ())]
    """
    for match in _NAMED.finditer(text):
        yield from _of_match(match)


def _of_match(match: re.Match[str]) -> Iterator[Division]:
    kind = next(name for name in _KINDS if match[name])
    for one in _EACH.finditer(match["all"]):
        base = one["base"]
        if base.isalpha():
            if kind not in _LETTERED and not (_is_roman(base) and base != "i"):
                continue
            if base == "a" and kind in ("part", "item", "schedule", "recital"):
                continue
            base = _arabic(base)
        yield Division(kind, base, tuple(_SUB.findall(one["subs"])), match.start("all") + one.end())


class _Source:
    """The divisions that the source has: those it names, and its numbered headings."""

    def __init__(self, case: Case) -> None:
        said = "\n\n".join(message.content for message in case.query.messages)
        self._text = normal_text(f"{case.source}\n\n{said}"[:SOURCE_CHARS])
        self._is_supplied = case.source != case.query.text
        self._named: dict[tuple[str, str], list[Division]] = {}
        for division in divisions_of(self._text):
            self._named.setdefault((division.kind, division.base), []).append(division)
        self._own = {(division.kind, division.base) for division in _outside_codes(self._text)}
        self._headings = [
            Division("heading", match["one"], tuple(_SUB.findall(match["subs"])), match.end())
            for match in _HEADING.finditer(self._text)
        ]
        self._of_heading: dict[str, list[int]] = {}
        for at, heading in enumerate(self._headings):
            self._of_heading.setdefault(heading.base, []).append(at)

    def about(self, division: Division, answer: str) -> Finding | None:
        """What is wrong with a division that the answer names; None when the source has it."""
        named = self._named.get((division.kind, division.base), [])
        headings = self._of_heading.get(division.base, []) if division.kind in ("section", "article", "rule") else []
        if not named and not headings:
            if not division.subs and self._has_inside(division):
                return None
            if (span := _SPAN.fullmatch(division.base)) is not None:
                ends = (self.about(division._replace(base=end), answer) for end in span.groups())
                return next((finding for finding in ends if finding is not None), None)
            before = answer[max(0, division.end - 80) : division.end]
            if _ELSEWHERE.match(answer, division.end) or _OF_ANOTHER.search(before):
                return undecided("of_another_text")
            return failed("not_in_source") if self._is_supplied else undecided("no_source")
        if not division.subs or any(d.subs[: len(division.subs)] == division.subs for d in named):
            return None
        regions = [self._under(at) for at in headings] + [
            self._text[d.end : d.end + _REGION_CHARS] for d in named if self._starts_a_line(d)
        ]
        if any(_has_in_order(region, division.subs) for region in regions):
            return None
        return failed("no_such_part") if regions and self._is_supplied else undecided("part_not_in_source")

    def _has_inside(self, division: Division) -> bool:
        """Whether the source has a part of the division, such as 4.2 of section 4."""
        inside = f"{division.base}."
        return any(heading.base.startswith(inside) for heading in self._headings) or any(
            kind == division.kind and base.startswith(inside) for kind, base in self._own
        )

    def _under(self, at: int) -> str:
        """The heading's subdivisions and the text under it, up to the next heading that is not inside it."""
        heading = self._headings[at]
        end = next(
            (later.end for later in self._headings[at + 1 :][:400] if not later.base.startswith(heading.base)),
            len(self._text),
        )
        marks = "".join(f"({sub})" for sub in heading.subs)
        return marks + self._text[heading.end : min(end, heading.end + _REGION_CHARS)]

    def _starts_a_line(self, division: Division) -> bool:
        before = self._text[max(0, division.end - 40) : division.end]
        if "\n" not in before and division.end > 40:
            return False
        line = before.rsplit("\n", 1)[-1]
        return re.match(r"[ \t#*>]*(?:[a-z]+\.?|\u00a7+)[ ]?[\w.()\-]*$", line) is not None


def _outside_codes(answer: str) -> Iterator[Division]:
    """The divisions of an answer, less those that are parts of a citation such as 42 U.S.C. section 1983."""
    for match in _NAMED.finditer(answer):
        if _OF_A_CODE.search(answer[max(0, match.start() - 16) : match.start()]) is None:
            yield from _of_match(match)


def _has_in_order(region: str, subs: Sequence[str]) -> bool:
    at = 0
    for sub in subs:
        found = region.find(f"({sub})", at)
        if found < 0:
            listed = re.compile(rf"(?:^|\n)[ \t]*{re.escape(sub)}[.)](?=\s)").search(region, at)
            if listed is None:
                return False
            found = listed.start()
        at = found + 1
    return True


def _is_roman(word: str) -> bool:
    return _ROMAN.fullmatch(word) is not None


def _arabic(word: str) -> str:
    """A Roman numeral as digits; another word as it is.

    >>> _arabic("xiv"), _arabic("b")
    ('14', 'b')
    """
    if not _is_roman(word):
        return word
    values = [{"i": 1, "v": 5, "x": 10, "l": 50}[letter] for letter in word]
    return str(sum(-value if value < after else value for value, after in pairwise([*values, 0])))


def _shown(division: Division) -> str:
    return (division.base + "".join(f"({sub})" for sub in division.subs))[:64]
