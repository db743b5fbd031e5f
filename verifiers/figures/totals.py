"""figures.total: a stated total is the sum of its items, in lists, tables, line items and sentences of an answer."""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal

from verifiers.case import Case
from verifiers.chain import CheckResult, Price
from verifiers.figures.amounts import READ_CHARACTERS, Amount, agree
from verifiers.figures.finding import Finding, conclude, number
from verifiers.figures.reading import answer_amounts
from verifiers.figures.sentences import sentences_of
from verifiers.figures.tables import Table, lists_of, tables_of

_TOTAL = re.compile(
    r"\b(?:sub-?totals?|(?:grand |net |overall )?totals?|sum|altogether|amount due|balance due|in all)\b", re.I
)
_GRAND = re.compile(r"\b(?:grand|overall|net)\b", re.I)
_DEDUCTION = re.compile(
    r"\b(?:less|discount|deduct\w*|minus|credit|refund|rebate|write-?off|adjustment|paid|payment)\b", re.I
)
_NOT_ADDITIVE = re.compile(
    r"\b(?:average|mean|median|rate|ratio|margin|per |percent|%|count of|number of|days?|years?|age)\b", re.I
)
_QUANTITY = re.compile(r"^(?:qty|quantity|units?|hours?|no\.?|count|shares|days)\b", re.I)
_PRICE = re.compile(r"\b(?:unit price|price|rate|unit cost|cost per|per unit|each|fee)\b", re.I)
_AMOUNT = re.compile(r"\b(?:amount|total|line total|extended|value|charge|cost|subtotal)\b", re.I)
_AT = re.compile(r"\s*(?:[a-z]+\s+){0,3}(?:@|at|x|×)\s*", re.I)
_COMES_TO = re.compile(
    r"\s*(?:each|apiece|per (?:unit|hour|share|item)|/\w+)?\s*(?:=|:|is|comes to|totals?|for a total of|\u2192)\s*",
    re.I,
)
_STATED = re.compile(
    r"\b(?:total(?:s|l?ing|l?ed)?|sum|altogether|combined)\b(?:[^.;\n\d$€£]{0,40}?)"
    r"\b(?:of|is|are|was|to|comes to|at|:)?\s*$",
    re.I,
)


class Totals:
    """Fails when a total of a list, a table, line items or a sentence is not the sum of what it follows."""

    id = "figures.total"
    price = Price.FREE

    def __init__(self, *, required: bool = False) -> None:
        self._required = required

    def judge(self, case: Case) -> CheckResult:
        """Pass when every stated total that has its items beside it is their sum."""
        text = case.answer[:READ_CHARACTERS]
        found: list[Finding | None] = []
        if any(character.isdigit() for character in text):
            for table in tables_of(text):
                found += [*_columns(table), *_line_items(table)]
            if _TOTAL.search(text):
                found += [item for run in lists_of(text) for item in _run(run)]
            found += _sentences(text)
        findings = [finding for finding in found if finding is not None]
        return conclude(
            self.id, findings, n_checked=len(found), nothing="no_totals", required=self._required, text=case.answer
        )


def sums_of(values: Sequence[Decimal]) -> Iterator[Decimal]:
    """The sums of every run of two or more values that ends at the last one, longest first."""
    for start in range(len(values) - 1):
        yield sum(values[start:], Decimal(0))


def _columns(table: Table) -> Iterator[Finding | None]:
    for column in range(1, table.n_columns):
        header = " ".join(row.cells[column] for row in table.rows[:2] if column < len(row.cells))
        if _NOT_ADDITIVE.search(header) or _PRICE.search(header) or _QUANTITY.search(header):
            continue
        run = [
            (row.label, amount)
            for row in table.rows
            if column < len(row.amounts)
            and (amount := row.amounts[column]) is not None
            and not _is_year(row.label, amount)
        ]
        yield from _run(run)


def _is_year(label: str, amount: Amount) -> bool:
    return (
        not _TOTAL.search(label)
        and amount.step == 1
        and 1900 <= amount.shown <= 2100
        and "," not in label
        and label == ""
    )


def _run(run: Sequence[tuple[str, Amount]]) -> Iterator[Finding | None]:
    """Judges each total of consecutive items.

    It may be the sum of any run of items that ends there, deductions taken off or not, or of the totals before it.
    """
    items: list[Amount] = []
    signed: list[Decimal] = []
    subtotals: list[Decimal] = []
    for label, amount in run:
        if not _TOTAL.search(label) or _NOT_ADDITIVE.search(label):
            deducts = bool(_DEDUCTION.search(label))
            signed.append(-abs(amount.value) if deducts else amount.value)
            items.append(amount)
            continue
        others = {item.unit for item in items}
        if len(items) >= 2 and (others <= {amount.unit, ""} or len(others) == 1):
            plain = [item.value for item in items]
            options = [*sums_of(signed), *sums_of(plain), *sums_of([*subtotals, *signed])]
            if subtotals:
                options += [
                    sum(subtotals, Decimal(0)),
                    subtotals[-1] + sum(signed[_since(subtotals, signed) :], Decimal(0)),
                ]
            slack = sum((item.step for item in items), amount.step) / 2
            inexact = any(item.step > amount.step for item in items) or len({item.step for item in items}) > 1
            holds = any(
                option == amount.value or (inexact and abs(option - amount.value) <= slack) for option in options
            )
            expected = options[0]
            yield None if holds else _wrong(expected, amount.value)
        subtotals.append(amount.value)


def _since(subtotals: Sequence[Decimal], signed: Sequence[Decimal]) -> int:
    """Where the items after the last subtotal begin: after the longest run that it sums."""
    for end in range(len(signed), 1, -1):
        if any(total == subtotals[-1] for total in sums_of(signed[:end])):
            return end
    return len(signed)


def _wrong(expected: Decimal, stated: Decimal) -> Finding:
    return Finding("wrong_total", is_hard=True, evidence={"expected": number(expected), "stated": number(stated)})


def _line_items(table: Table) -> Iterator[Finding | None]:
    """One entry a row whose columns are named quantity, price and amount: None where the product holds."""
    header = next((row for row in table.rows[:3] if all(amount is None for amount in row.amounts)), None)
    if header is None:
        return
    named: dict[str, int] = {}
    for column, cell in enumerate(header.cells):
        for name, pattern in (("quantity", _QUANTITY), ("price", _PRICE), ("amount", _AMOUNT)):
            if name not in named and column not in named.values() and pattern.search(cell):
                named[name] = column
                break
    if len(named) < 3:
        return
    for row in table.rows:
        picked = [row.amounts[column] if column < len(row.amounts) else None for column in named.values()]
        by_name = dict(zip(named, picked, strict=True))
        quantity, price, amount = by_name["quantity"], by_name["price"], by_name["amount"]
        if quantity is None or price is None or amount is None or _TOTAL.search(row.label):
            continue
        expected = quantity.value * price.value
        yield (
            None
            if agree(expected, amount.value, amount.step)
            else Finding(
                "wrong_line_item", is_hard=True, evidence={"expected": number(expected), "stated": number(amount.value)}
            )
        )


def _sentences(text: str) -> Iterator[Finding | None]:
    """Line items in prose (`3 units at $25 each = $75`), and `A, B and C, for a total of D`."""
    amounts = answer_amounts(text)
    for first, second, third in zip(amounts, amounts[1:], amounts[2:], strict=False):
        if (
            second.unit
            and second.unit.split("/")[0] == third.unit
            and _AT.fullmatch(text, first.end, second.start)
            and _COMES_TO.fullmatch(text, second.end, third.start)
            and "=" not in text[first.end : second.start]
        ):
            expected = first.value * second.value
            yield (
                None
                if agree(expected, third.value, third.step)
                else Finding(
                    "wrong_line_item",
                    is_hard=True,
                    evidence={"expected": number(expected), "stated": number(third.value)},
                )
            )
    for start, end in sentences_of(text):
        inside = [amount for amount in amounts if start <= amount.start < end]
        for index, stated in enumerate(inside):
            before = text[max(start, stated.start - 70) : stated.start]
            if not stated.unit or stated.unit == "percent" or not _STATED.search(before):
                continue
            items = [item.value for item in inside[:index] if item.unit == stated.unit]
            after = [item.value for item in inside[index + 1 :] if item.unit == stated.unit]
            follows = bool(
                re.match(r"\s*(?::|\(|,?\s*(?:made up|consist\w*|compris\w*|compos\w*))", text[stated.end : end])
            )
            parts = after if follows and len(after) >= 2 else items
            if len(parts) >= 2 and "=" not in text[start:end] and not re.search(r"[×*+]", text[start:end]):
                options = [*sums_of(parts), *(sum(parts[:n], Decimal(0)) for n in range(2, len(parts)))]
                is_hard = stated.unit in {"usd", "eur", "gbp"} and not _DEDUCTION.search(text, start, end)
                if stated.value in options:
                    yield None
                elif is_hard:
                    yield _wrong(options[0], stated.value)
                else:
                    yield _wrong(options[0], stated.value)._replace(is_hard=False)
