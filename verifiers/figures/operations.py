"""The operations that a sentence or a question names, and what they make of a few numbers. It judges nothing."""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal, DivisionByZero, InvalidOperation
from enum import StrEnum
from itertools import combinations, permutations

from verifiers.figures.amounts import Amount

_MONEY = {"usd", "eur", "gbp", "jpy"}


class Operation(StrEnum):
    """What is done with numbers that stand together."""

    SUM = "sum"
    DIFFERENCE = "difference"
    PRODUCT = "product"
    RATIO = "ratio"
    CHANGE = "change"
    AVERAGE = "average"
    REST = "rest"


_CUES = {
    Operation.SUM: r"\btotal\w*|\bsum\b|\bcombined|\baltogether|\btogether|\baggregate|\bin all\b|\boverall"
    r"|\bcomprises?",
    Operation.DIFFERENCE: r"\bdifferen\w+|\bchange\w*|\bincreas\w*|\bdecreas\w*|\bmore\b|\bless\b|\bfewer|\brose\b"
    r"|\bfell\b|\bgrew\b|\bdeclin\w*|\bremain\w*|\bleft\b|\bgap\b|\bnet\b|\bexceed\w*|\bdrop\w*|\bshort\w*|\bprofit|\bloss\b"
    r"|\bsaving\w*|\bby\b|\bbalance\b",
    Operation.PRODUCT: r"\btimes\b|\beach\b|\bper\b|\bat\b|\bevery\b|\bof\b|\binterest\b|\bdaily\b|\bannual\w*"
    r"|\bmonthly\b|\brate\b|\btotal",
    Operation.AVERAGE: r"\baverage\w*|\bmean\b",
    Operation.RATIO: r"\bratio\b|\bper\b|\btimes\b|\bshare\b|\bproportion\b|\bfraction\b|\beach\b|\bdivided\b"
    r"|\bmargin\b",
}
_PATTERNS = {operation: re.compile(cue, re.I) for operation, cue in _CUES.items()}


def named_operations(sentence: str, asked: str, unit: str) -> frozenset[Operation]:
    """The operations whose words stand in the sentence or in the question; of a percentage, those that give one.

    >>> sorted(named_operations("Sales rose by $12.", "What was the average?", "usd"))
    [<Operation.AVERAGE: 'average'>, <Operation.DIFFERENCE: 'difference'>]
    """
    if unit == "percent":
        return frozenset({Operation.RATIO, Operation.CHANGE, Operation.DIFFERENCE, Operation.REST, Operation.AVERAGE})
    question = asked[-400:]
    return frozenset(
        operation
        for operation, pattern in _PATTERNS.items()
        if pattern.search(sentence) or (operation is not Operation.PRODUCT and pattern.search(question))
    )


def results_of(numbers: Sequence[Amount], wanted: Amount, operations: frozenset[Operation]) -> Iterator[Decimal]:
    """What the operations make of two of the numbers, or of a run of them, as absolute values in the wanted unit."""
    alike = [abs(other.value) for other in numbers if _alike(other, wanted)]
    if Operation.SUM in operations or Operation.AVERAGE in operations:
        for start in range(len(alike)):
            total = alike[start]
            for end in range(start + 1, len(alike)):
                total += alike[end]
                if Operation.SUM in operations:
                    yield total
                if Operation.AVERAGE in operations:
                    yield total / (end - start + 1)
    if Operation.DIFFERENCE in operations:
        for one, other in combinations(alike, 2):
            yield abs(one - other)
    if Operation.REST in operations:
        yield from (100 - value for value in alike)
    if Operation.PRODUCT in operations:
        yield from _products(numbers, wanted)
    if Operation.RATIO in operations or Operation.CHANGE in operations:
        yield from _ratios(numbers, wanted, operations)


def is_run_sum(wanted: Amount, numbers: Sequence[Amount], *, to_end: bool = False) -> bool:
    """Whether the wanted number is exactly the sum of two or more neighbours in one unit, with `to_end` the last."""
    total = Decimal(0)
    before: dict[Decimal, int] = {total: 0}
    alike = [abs(other.value) for other in numbers if _alike(other, wanted)]
    value = abs(wanted.value)
    for index, number in enumerate(alike, start=1):
        total += number
        if (not to_end or index == len(alike)) and before.get(total - value, index) <= index - 2:
            return True
        before.setdefault(total, index)
    return False


def rate_results(numbers: Sequence[Amount], wanted: Amount) -> Iterator[Decimal]:
    """What rates give in the wanted unit: `mg/kg` times `kg`, also in two to six parts, and `mg` over `mg/mL`."""
    rates = [rate for rate in numbers if "/" in rate.unit]
    for rate in rates[:6]:
        top, bottom = rate.unit.split("/")[:2]
        for other in numbers:
            if other.unit == bottom and top == wanted.unit.split("/")[0]:
                yield from (abs(rate.value * other.value) / parts for parts in (1, 2, 3, 4, 6))
            if other.unit == top and bottom == wanted.unit and rate.value:
                yield abs(other.value / rate.value)


def _products(numbers: Sequence[Amount], wanted: Amount) -> Iterator[Decimal]:
    for one, other in combinations(numbers, 2):
        if one.unit and one.unit == other.unit:
            continue
        product = abs(one.value * other.value)
        shares = [amount for amount in (one, other) if amount.unit == "percent"]
        if shares:
            product /= 100
            whole = other if shares[0] is one else one
            if _alike(whole, wanted):
                yield from (product, abs(whole.value) - product, abs(whole.value) + product)
        elif wanted.unit in {"", one.unit.split("/")[0], other.unit.split("/")[0]}:
            yield product


def _ratios(numbers: Sequence[Amount], wanted: Amount, operations: frozenset[Operation]) -> Iterator[Decimal]:
    is_share = wanted.unit == "percent"
    if not is_share and wanted.unit and wanted.unit not in _MONEY and "/" not in wanted.unit:
        return
    for one, other in permutations(numbers, 2):
        if is_share and (one.unit != other.unit or (one.unit == "percent" and Operation.CHANGE not in operations)):
            continue
        try:
            ratio = abs(one.value / other.value)
        except (DivisionByZero, InvalidOperation):
            continue
        if is_share:
            if ratio <= 1:
                yield ratio * 100
            if Operation.CHANGE in operations:
                yield abs(one.value - other.value) / abs(other.value) * 100
        else:
            yield ratio


def _alike(other: Amount, wanted: Amount) -> bool:
    """Whether both may stand in one sum: same unit, or one of them bare beside money."""
    if other.unit == wanted.unit:
        return True
    return (not other.unit and wanted.unit in _MONEY) or (not wanted.unit and other.unit in _MONEY)
