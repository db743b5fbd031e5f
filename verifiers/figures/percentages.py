"""figures.percentage: percentages of an answer follow from the numbers beside them. It reads the answer alone.

Read are changes (`rose from 40 to 50, an increase of 25%`), parts (`12 of 48 patients (25%)`, `12 is 25% of 48`) and
shares of one whole, which add up to 100.
"""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal

from verifiers.case import Case
from verifiers.chain import CheckResult, Price
from verifiers.figures.amounts import READ_CHARACTERS, Amount, agree
from verifiers.figures.finding import Finding, conclude, number
from verifiers.figures.reading import answer_amounts
from verifiers.figures.sentences import sentences_of

_RISE = (
    r"rose|risen|rise[ns]?|rising|increas\w*|grew|grown|grow(?:s|th|ing)?|climb\w*|up|gain\w*|higher|jump\w*|improv\w*"
)
_FALL = r"fell|fall(?:s|en|ing)?|declin\w*|decreas\w*|drop\w*|reduc\w*|down|shr[aiu]nk|lower\w*|los[st]|cut"
_CHANGE = re.compile(rf"\b(?:(?P<rise>{_RISE})|(?P<fall>{_FALL})|(?P<other>chang\w*|went|moved|difference))\b", re.I)
_FROM = re.compile(r"\bfrom\s+(?:about |around |approximately |roughly )?$", re.I)
_TO = re.compile(
    r"\s*(?:(?:in|at|for|during|as of)\s+[^.;,%$]{2,40}?)?,?\s*to\s+(?:about |around |approximately )?", re.I
)
_OF = re.compile(r"\s*(?:[a-z]+\s+){0,2}(?:out )?of\s+(?:the |all |our |its |a total of )?", re.I)
_IS_OF = re.compile(
    r"\s*(?:[a-z]+\s+){0,2}(?:is|are|was|were|represents?|makes? up|equals|=)\s+(?:about |approximately )?", re.I
)
_WORDS_TO_PERCENT = re.compile(
    r"(?:\s+[a-z]+){0,3}\s*(?:\(|,\s*(?:or|i\.e\.,?|which is|that is|equal to|equivalent to)?\s*"
    r"|or\s+|is\s+|=\s*|\u2014\s*|-\s*)"
    r"(?:about |approximately |roughly )?",
    re.I,
)
_SHARES = re.compile(
    r"\b(?:shares?|split|breakdown|allocat\w+|composition|distribution|mix|weights?|made up of"
    r"|consists? of)\b",
    re.I,
)
_NEGLIGIBLE = Decimal("1e-12")


class Percentages:
    """Fails when a change, a part or a set of shares is not what its numbers come to."""

    id = "figures.percentage"
    price = Price.FREE

    def __init__(self, *, required: bool = False) -> None:
        self._required = required

    def judge(self, case: Case) -> CheckResult:
        """Pass when every percentage that stands beside its numbers follows from them."""
        text = case.answer[:READ_CHARACTERS]
        findings: list[Finding] = []
        n_checked = 0
        if "%" in text or "percent" in text or "per cent" in text:
            amounts = answer_amounts(text)
            for start, end in sentences_of(text):
                inside = [amount for amount in amounts if start <= amount.start < end]
                for finding in (*_changes(text, (start, end), inside), *_parts(text, inside)):
                    n_checked += 1
                    if finding is not None:
                        findings.append(finding)
            for finding in _shares(text, amounts):
                n_checked += 1
                if finding is not None:
                    findings.append(finding)
        return conclude(
            self.id, findings, n_checked=n_checked, nothing="no_percentages", required=self._required, text=case.answer
        )


def _changes(text: str, span: tuple[int, int], amounts: Sequence[Amount]) -> Iterator[Finding | None]:
    """One entry a statement `from A to B` with one percentage in its clause: None where it holds."""
    for index in range(len(amounts) - 1):
        old, new = amounts[index], amounts[index + 1]
        if not _FROM.search(text, max(span[0], old.start - 24), old.start) or not _TO.fullmatch(
            text, old.end, new.start
        ):
            continue
        others = [
            amount for amount in amounts if amount not in (old, new) and amount.unit in {"percent", "points", "bps"}
        ]
        cue = _CHANGE.search(text, span[0], span[1])
        n_statements = len(re.findall(r"\bfrom\b", text[span[0] : span[1]], re.I))
        if _is_year(text, old) and _is_year(text, new):
            continue
        if cue is None or n_statements != 1 or len(others) != 1 or old.value == 0:
            continue
        yield _change(old, new, others[0], text[span[0] : span[1]])


def _is_year(text: str, amount: Amount) -> bool:
    return 1900 <= amount.value <= 2100 and not amount.unit and text[amount.start : amount.end].isdigit()


def _change(old: Amount, new: Amount, stated: Amount, sentence: str) -> Finding | None:
    of_shares = old.unit == "percent" or new.unit == "percent"
    gap, relative = new.value - old.value, (new.value - old.value) / abs(old.value) * 100
    evidence = {"expected": number(gap if stated.unit == "points" else relative), "stated": number(stated.value)}
    words = {match.lastgroup for match in _CHANGE.finditer(sentence)}
    if stated.value and gap and ((words == {"rise"} and gap < 0) or (words == {"fall"} and gap > 0)):
        return Finding("wrong_direction", is_hard=True, evidence={"from": number(old.value), "to": number(new.value)})
    size = abs(stated.value)
    if stated.unit == "bps":
        return (
            None
            if agree(abs(gap) * 100, size, stated.step)
            else Finding("wrong_percentage", is_hard=True, evidence=evidence)
        )
    if stated.unit == "points":
        return (
            None if agree(abs(gap), size, stated.step) else Finding("wrong_percentage", is_hard=True, evidence=evidence)
        )
    if stated.value < 0 < gap:
        return Finding("wrong_direction", is_hard=True, evidence=evidence)
    if agree(abs(relative), size, stated.step):
        return None
    if of_shares and agree(abs(gap), size, stated.step):
        return Finding("points_called_percent", is_hard=False, evidence=evidence)
    return Finding("wrong_percentage", is_hard=True, evidence=evidence)


def _parts(text: str, amounts: Sequence[Amount]) -> Iterator[Finding | None]:
    """One entry a statement that A of B is P%, or that P% of B is A: None where it holds."""
    for index in range(len(amounts) - 2):
        first, second, third = amounts[index : index + 3]
        if third.unit == "percent" and "percent" not in {first.unit, second.unit}:
            if _is_part_of(text, first, second) and _WORDS_TO_PERCENT.fullmatch(text, second.end, third.start):
                yield _part(first, second, third)
        elif (
            second.unit == "percent"
            and "percent" not in {first.unit, third.unit}
            and third.value
            and _same_kind(first, third)
            and _IS_OF.fullmatch(text, first.end, second.start)
            and _OF.fullmatch(text, second.end, third.start)
        ):
            yield _part(first, third, second)


def _is_part_of(text: str, part: Amount, whole: Amount) -> bool:
    """Whether the text says `part of whole`, in one unit."""
    return (
        whole.value != 0
        and abs(part.value) <= abs(whole.value)
        and _same_kind(part, whole)
        and _OF.fullmatch(text, part.end, whole.start) is not None
    )


def _part(part: Amount, whole: Amount, stated: Amount) -> Finding | None:
    expected = part.value / whole.value * 100
    if agree(expected, stated.value, stated.step):
        return None
    evidence = {"expected": number(expected), "stated": number(stated.value)}
    return Finding("wrong_percentage", is_hard=True, evidence=evidence)


def _same_kind(one: Amount, other: Amount) -> bool:
    return one.unit == other.unit or not one.unit or not other.unit


def _shares(text: str, amounts: Sequence[Amount]) -> Iterator[Finding | None]:
    """One entry a list of three or more shares of a whole: None where they add up to 100 within their rounding."""
    for start, end in _blocks(text):
        lines = [(s + start, e + start) for s, e in sentences_of(text[start:end])]
        if not _SHARES.search(text, max(0, start - 160), end):
            continue
        rows = [[a for a in amounts if s <= a.start < e and a.unit == "percent"] for s, e in lines]
        if len(lines) == 1:
            shares = rows[0]
        elif all(len(row) == 1 for row in rows):
            shares = [row[0] for row in rows]
            is_total = [bool(re.search(r"\btotals?\b", text[s:e], re.I)) for s, e in lines]
            shares = [share for share, total in zip(shares, is_total, strict=True) if not total]
        else:
            continue
        if len(shares) < 3 or any(share.value < 0 for share in shares):
            continue
        total = sum((share.value for share in shares), Decimal(0))
        slack = sum((share.step for share in shares), Decimal(0)) / 2 + _NEGLIGIBLE
        wrong = abs(total - 100) > slack
        if wrong and not Decimal(80) <= total <= Decimal(125):
            continue
        yield Finding("shares_do_not_sum", is_hard=False, evidence={"total": number(total)}) if wrong else None


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Runs of list or table lines, and sentences that list several percentages."""
    run_start: int | None = None
    position = 0
    for line in text.splitlines(keepends=True):
        is_item = bool(re.match(r"\s*(?:[-*•|]|\d+[.)])\s*\S", line)) and "%" in line
        if is_item and run_start is None:
            run_start = position
        if not is_item and run_start is not None:
            yield run_start, position
            run_start = None
        if not is_item and line.count("%") >= 3:
            yield from ((position + s, position + e) for s, e in sentences_of(line) if line[s:e].count("%") >= 3)
        position += len(line)
    if run_start is not None:
        yield run_start, position
