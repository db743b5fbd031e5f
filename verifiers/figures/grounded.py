"""figures.grounded: every number of an answer stands in the source, follows from it, or is small and bare.

A number follows when the answer's own arithmetic gives it, when it converts or rounds a number of the source, or when
the operation that the sentence or the question names leads to it from numbers that stand together. It proves no
relevance.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import islice

from verifiers.case import Case
from verifiers.chain import CheckResult, Price
from verifiers.figures.amounts import READ_CHARACTERS, Amount, agree
from verifiers.figures.bare import has_table, is_bare
from verifiers.figures.equations import equations_of
from verifiers.figures.finding import Finding, conclude, number
from verifiers.figures.grounds import READ_SOURCE, grounds_of
from verifiers.figures.identifier_spans import reference_spans
from verifiers.figures.operations import Operation, is_run_sum, named_operations, rate_results, results_of
from verifiers.figures.reading import answer_amounts, source_amounts, source_dates
from verifiers.figures.sentences import sentences_of
from verifiers.figures.units import convert, dimension_of
from verifiers.figures.worded import worded_numbers

_GROUP, _GROUPS, _SMALL = 40, 60, Decimal(12)
"""Numbers of one row or sentence that are combined, rows and sentences,
and what is small."""

_CONSTANTS = frozenset(Decimal(n) for n in (7, 12, 24, 30, 52, 60, 100, 360, 365, 1000, 3600))
"""What turns days, hours, minutes and percentages into one another, and needs no source inside a stated equation."""

_POWERS = tuple(Decimal(10) ** power for power in (3, 6, 9))


class Grounded:
    """A number that rests on nothing is not decided, or fails where the pack says `ungrounded: fail`.

    Passes with `no_source_numbers` where source and query together hold fewer than two numbers. With
    `bare_answers: leave` an answer of one number in one sentence, over a source with a table, is left to
    figures.derived, which knows the question. With `bare_numbers: leave` only numbers with a unit, a percentage or
    money among them, must be grounded.
    """

    id = "figures.grounded"
    price = Price.FREE

    def __init__(
        self,
        *,
        required: bool = False,
        ungrounded: str = "cannot_decide",
        bare_answers: str = "check",
        bare_numbers: str = "check",
    ) -> None:
        self._required = required
        self._is_hard = ungrounded == "fail"
        self._leaves_bare = bare_answers == "leave"
        self._only_units = bare_numbers == "leave"

    def judge(self, case: Case) -> CheckResult:
        """Pass when every number that counts is grounded."""
        text = case.answer[:READ_CHARACTERS]
        stated = _without(answer_amounts(text), reference_spans(text))
        if self._only_units:
            stated = [amount for amount in stated if amount.unit]
        findings: list[Finding] = []
        nothing = "no_numbers"
        if stated:
            source = Source(grounds_of(case))
            if source.n_numbers < 2:
                stated, nothing = [], "no_source_numbers"
            elif self._leaves_bare and is_bare(text, stated) and has_table(source.text):
                stated, nothing = [], "bare_answer"
            else:
                findings = [
                    Finding("number_not_in_source", is_hard=self._is_hard, evidence={"stated": number(amount.value)})
                    for amount in islice(ungrounded(text, stated, source, case.query.text), 1)
                ]
        return conclude(
            self.id, findings, n_checked=len(stated), nothing=nothing, required=self._required, text=case.answer
        )


class Source:
    """The numbers of a text, ready to be looked up."""

    def __init__(self, text: str) -> None:
        text = text[:READ_SOURCE]
        dates = source_dates(text)
        self.amounts = source_amounts(text)
        worded = worded_numbers(text)
        values = {abs(amount.value) for amount in self.amounts} | {abs(amount.shown) for amount in self.amounts}
        dated = {Decimal(part) for d in dates for part in (d.year, d.day) if part}
        self.values = frozenset(values | worded | dated)
        self.ordered = sorted(self.values)
        self.n_numbers = len(self.amounts) + len(worded)
        self.text = text
        self._groups: list[list[Amount]] | None = None

    @property
    def groups(self) -> list[list[Amount]]:
        """The numbers of each sentence or table row."""
        if self._groups is None:
            self._groups = _grouped(self.text, self.amounts)
        return self._groups


def ungrounded(text: str, stated: Sequence[Amount], source: Source, asked: str) -> Iterator[Amount]:
    """The numbers of the answer that rest on nothing, in order."""
    computed: list[Decimal] | None = None
    own_groups: list[list[Amount]] | None = None
    judged: set[tuple[Decimal, str]] = set()
    for amount in stated:
        if (amount.value, amount.unit) in judged:
            continue
        judged.add((amount.value, amount.unit))
        if _is_small(text, amount, source) or is_found(amount, source):
            continue
        if amount.value in _CONSTANTS and _is_operand(text, amount):
            continue
        if computed is None:
            computed = [side for e in equations_of(text) if e.holds for side in (e.stated, e.expected)]
        if any(
            agree(value * factor, abs(amount.value), amount.step) for value in map(abs, computed) for factor in (1, 100)
        ):
            continue
        if own_groups is None:
            own_groups = _grouped(text, stated, sentences_back=1)
        if not _follows(text, amount, stated, own_groups, source, asked):
            yield amount


def is_found(amount: Amount, source: Source) -> bool:
    """Whether the source has the number: as it is, at another scale, rounded, as a share, or in another unit."""
    value, shown = abs(amount.value), abs(amount.shown)
    candidates = {value, shown}
    if amount.unit == "percent":
        candidates.add(value / 100)
    elif value < 1:
        candidates.add(value * 100)
    for power in _POWERS:
        candidates.update((value / power, shown * power))
    if candidates & source.values:
        return True
    if value >= 10 * amount.step and _rounds(value, amount.step, source.ordered):
        return True
    if shown >= 10 and any(_rounds(value / power, amount.step / power, source.ordered) for power in _POWERS):
        return amount.scale != 1 or amount.step >= 1
    if dimension_of(amount.unit):
        for other in source.amounts:
            if other.unit != amount.unit and dimension_of(other.unit) == dimension_of(amount.unit):
                converted = convert(other.value, other.unit, amount.unit)
                if converted is not None and agree(abs(converted), value, amount.step):
                    return True
    return False


def _is_operand(text: str, amount: Amount) -> bool:
    """Whether a sign of multiplication or division stands beside the number."""
    before, after = (
        text[max(0, amount.start - 3) : amount.start].rstrip(" $("),
        text[amount.end : amount.end + 3].lstrip(),
    )
    return before[-1:] in set("*/×÷x") or after[:1] in set("*/×÷x")


def _rounds(value: Decimal, step: Decimal, ordered: Sequence[Decimal]) -> bool:
    """Whether a number of the source with more digits rounds to the value."""
    index = bisect_left(ordered, value - step / 2)
    while index < len(ordered) and ordered[index] <= value + step / 2:
        if ordered[index] % step != 0:
            return True
        index += 1
    return False


def _is_small(text: str, amount: Amount, source: Source) -> bool:
    """Whether the number is small and bare, or a year or a hundred percent that says nothing of the source."""
    if (
        amount.unit == "hour"
        and 24 % max(amount.value, Decimal(1)) == 0
        and text[: amount.start].rstrip().endswith("every")
    ):
        return True
    if amount.unit in {"", "day", "week", "month", "year", "hour", "minute"} and amount.scale == 1:
        return abs(amount.value) <= _SMALL and amount.step == 1 and not amount.unit
    if amount.unit == "percent":
        return abs(amount.value) in {0, 100}
    if amount.value == 0:
        return True
    return amount.unit not in {other.unit for other in source.amounts} and abs(amount.value) == 1


def _follows(
    text: str,
    amount: Amount,
    stated: Sequence[Amount],
    own_groups: Sequence[Sequence[Amount]],
    source: Source,
    asked: str,
) -> bool:
    """Whether an operation on numbers that stand together gives the amount.

    They are the answer's own neighbours, which are checked themselves, or, where the sentence or the question names an
    operation, a row or sentence of the source.
    """
    around = text[max(0, amount.start - 160) : amount.end + 80]
    operations = named_operations(around, asked, amount.unit)
    value = abs(amount.value)
    earlier = [other for other in stated if other.start < amount.start]
    if Operation.SUM in operations and (is_run_sum(amount, earlier, to_end=True) or is_run_sum(amount, source.amounts)):
        return True
    if any(agree(result, value, amount.step) for result in rate_results([*earlier[-8:], *source.amounts[:24]], amount)):
        return True
    group = next((group for group in own_groups if amount in group), [])
    others = [other for other in group if other.start < amount.start][-8:]
    if any(agree(result, value, amount.step) for result in results_of(others, amount, operations)):
        return True
    if not operations:
        return False
    return any(
        agree(result, value, amount.step)
        for group in source.groups[:_GROUPS]
        if 2 <= len(group) <= _GROUP
        for result in results_of(group[:12], amount, operations)
    )


def _grouped(text: str, amounts: Sequence[Amount], *, sentences_back: int = 0) -> list[list[Amount]]:
    """The amounts of each sentence, with those of the sentences before it where asked."""
    spans = sentences_of(text)
    groups: list[list[Amount]] = []
    index = 0
    own: list[list[Amount]] = []
    for start, end in spans:
        group = []
        while index < len(amounts) and amounts[index].start < end:
            if amounts[index].start >= start:
                group.append(amounts[index])
            index += 1
        own.append(group)
    for position, group in enumerate(own):
        before = [amount for earlier in own[max(0, position - sentences_back) : position] for amount in earlier]
        groups.append([*before, *group])
    return groups


def _without(amounts: Sequence[Amount], spans: Sequence[tuple[int, int]]) -> list[Amount]:
    """The amounts that begin in none of the spans."""
    return [amount for amount in amounts if not any(start <= amount.start < end for start, end in spans)]
