"""The values that a question may mean, computed from the cells of a table and the sentences of a text. Judges nothing.

The rows and columns that the question names best give the operands; its years, where it has some, pick the cells.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import combinations, permutations
from typing import NamedTuple

from verifiers.figures.amounts import amounts_of
from verifiers.figures.asked import Question, Wanted, names_operation, words_of
from verifiers.figures.cells import Cell, Line, cells_of, lines_of, weights_of
from verifiers.figures.dates_of_text import dates_of
from verifiers.figures.sentences import sentences_of
from verifiers.figures.tables import tables_of

_NEAR, _MOST_LINES, _MOST_VALUES = 0.8, 6, 400
"""Lines whose score is at least this share of the best count as named; at most so many; and values at most."""

_MORE_THAN = re.compile(
    r"\b(?:exceed\w*|more than|greater than|above|over|higher than|at least)\b\D{0,12}([\d,.]+\d|\d)", re.I
)
_DIGIT = re.compile(r"\d")
_LESS_THAN = re.compile(r"\b(?:less than|below|under|lower than|fewer than)\b\D{0,12}([\d,.]+\d|\d)", re.I)


class Candidate(NamedTuple):
    """One value that may be meant; `is_signed` where its sign says something."""

    value: Decimal
    is_signed: bool


def candidates_of(question: Question, source: str) -> list[Candidate]:
    """The values that the question may mean, at most 400; none where the source names nothing that it asks for."""
    cells = cells_of(tables_of(source))
    weights = weights_of(cells)
    lines = lines_of(cells, question.words, weights)
    values = [*_of_table(question, lines), *_of_text(question, source, weights)]
    return values[:_MOST_VALUES]


def _of_table(question: Question, lines: Sequence[Line]) -> Iterator[Candidate]:
    rows, columns = (
        _named([line for line in lines if not line.is_column]),
        _named([line for line in lines if line.is_column]),
    )
    if not rows and not columns:
        return
    wanted = question.wanted
    if wanted is not Wanted.LOOKUP and len(question.years) <= 1:
        yield from _names_itself(question, rows)
    if wanted is Wanted.SHARE:
        yield from _shares(question, lines)
        return
    series = [*rows, *(line for line in columns if not rows or line.score > rows[0].score)]
    if wanted is Wanted.LOOKUP:
        yield from _looked_up(question, rows, columns)
    elif wanted is Wanted.COUNT:
        yield from _counted(question, series)
    else:
        crossing = _crossing(rows, columns)
        if len(crossing) > 1:
            yield from _of_series(question, Line(tuple(crossing), 1.0, is_column=True), rows)
        for line in series:
            yield from _of_series(question, line, columns if not line.is_column else rows)
        if wanted in {Wanted.DIFFERENCE, Wanted.SUM, Wanted.CHANGE}:
            yield from _across(question, rows, columns)


def _named(lines: Sequence[Line]) -> list[Line]:
    best = lines[0].score if lines else 0
    return [line for line in lines[:_MOST_LINES] if best and line.score >= best * _NEAR]


def _names_itself(question: Question, rows: Sequence[Line]) -> Iterator[Candidate]:
    """The cells of a row or column that is itself called an average, a change or a percentage."""
    is_difference = question.wanted is Wanted.DIFFERENCE
    for line in rows:
        for cell in _picked(line.cells, question):
            if names_operation(question.wanted, cell.names) and not (is_difference and "%" in cell.names):
                yield Candidate(cell.value, is_signed=False)


def _picked(cells: Iterable[Cell], question: Question) -> list[Cell]:
    """The cells of the asked years, all cells where none has one of them."""
    cells = list(cells)
    wanted = set(question.years)
    if question.is_range and len(wanted) >= 2 and question.wanted in {Wanted.AVERAGE, Wanted.SUM, Wanted.COUNT}:
        wanted = set(range(min(wanted), max(wanted) + 1))
    picked = [cell for cell in cells if wanted & set(cell.years)]
    return picked or cells


def _of_series(question: Question, line: Line, others: Sequence[Line]) -> Iterator[Candidate]:
    """Operations along a row over its years (or columns), or along a column."""
    cells = list(line.cells)
    years = sorted({year for cell in cells for year in cell.years})
    groups: list[list[Cell]] = []
    if others and len(years) < 2 and not line.is_column:
        groups.append(cells)
    by_heading: dict[frozenset[str], list[Cell]] = {}
    for cell in cells:
        by_heading.setdefault(cell.heading if not line.is_column else cell.label | cell.section, []).append(cell)
    if len(years) >= 2:
        groups.append(cells)
        if any(count > 1 for count in Counter(cell.years for cell in cells).values()):
            groups += [group for group in by_heading.values() if 1 < len(group) < len(cells)]
    elif not groups:
        groups.append(cells)
    for group in groups:
        picked = _picked(group, question)
        if len(question.years) > 1 and len({cell.years for cell in picked}) == 1 and picked[0].years:
            continue
        if question.wanted is Wanted.AVERAGE and len(picked) >= 2:
            yield Candidate(sum((cell.value for cell in picked), Decimal(0)) / len(picked), is_signed=True)
        elif question.wanted is Wanted.SUM and len(picked) >= 2:
            yield Candidate(sum((cell.value for cell in picked), Decimal(0)), is_signed=True)
        elif question.wanted in {Wanted.DIFFERENCE, Wanted.CHANGE}:
            pairs = (
                combinations(picked[:8], 2) if len(picked) >= 2 else ((one, other) for one in picked for other in group)
            )
            for one, other in pairs:
                if one is not other:
                    yield from _changed(question, one, other)


def _changed(question: Question, one: Cell, other: Cell) -> Iterator[Candidate]:
    old, new = one, other
    if len(question.years) > 1 and one.years and one.years == other.years:
        return
    if one.years and other.years and one.years[-1] != other.years[-1]:
        old, new = (one, other) if one.years[-1] < other.years[-1] else (other, one)
        yield from _change(question, old, new)
    elif not (one.years and other.years and one.years[-1] == other.years[-1] and one.column == other.column):
        yield from _change(question, old, new)
        yield from _change(question, new, old)


def _change(question: Question, old: Cell, new: Cell) -> Iterator[Candidate]:
    if question.wanted is Wanted.DIFFERENCE:
        yield Candidate(new.value - old.value, question.is_signed)
        if old.value < 0 and new.value < 0:
            yield Candidate(abs(new.value) - abs(old.value), question.is_signed)
    elif old.value:
        yield Candidate((new.value - old.value) / old.value * 100, is_signed=True)
        if old.value < 0:
            yield Candidate((new.value - old.value) / abs(old.value) * 100, is_signed=True)


def _across(question: Question, rows: Sequence[Line], columns: Sequence[Line]) -> Iterator[Candidate]:
    """Differences and sums of two named rows in one column, or of two named columns in one row."""
    if len(question.years) > 1:
        return
    for lines, attribute in ((rows, "column"), (columns, "row")):
        for first, second in combinations(lines, 2):
            for one in _picked(first.cells, question):
                for other in second.cells:
                    if getattr(one, attribute) == getattr(other, attribute) and one.table == other.table:
                        if question.wanted is Wanted.SUM:
                            yield Candidate(one.value + other.value, is_signed=True)
                        else:
                            yield from _change(question, one, other)
                            yield from _change(question, other, one)


def _shares(question: Question, lines: Sequence[Line]) -> Iterator[Candidate]:
    """Ratios of two cells in one column (or row), both named by the question."""
    for is_column in (False, True):
        named = [line for line in lines if line.is_column is is_column and line.score > 0][:8]
        attribute = "row" if is_column else "column"
        for top, bottom in _named_pairs(question, named):
            for one in _picked(top.cells, question):
                for other in bottom.cells:
                    if getattr(one, attribute) == getattr(other, attribute) and one.table == other.table:
                        yield from (
                            Candidate(a.value / b.value * 100, is_signed=False)
                            for a, b in ((one, other), (other, one))
                            if b.value
                        )
    for line in _named([line for line in lines if not line.is_column]):
        for one, other in permutations(line.cells[:6], 2):
            if other.value and one.years and other.years and set(one.years) | set(other.years) <= set(question.years):
                yield Candidate(one.value / other.value * 100, is_signed=False)
        for cell in _picked(line.cells, question):
            if cell.is_percent:
                yield Candidate(cell.value, is_signed=False)


def _named_pairs(question: Question, lines: Sequence[Line]) -> list[tuple[Line, Line]]:
    """The pairs of lines that together cover the question's words best."""
    scored = []
    for one, other in combinations(lines, 2):
        names = [line.cells[0].heading if line.is_column else line.cells[0].label for line in (one, other)]
        both = names[0] | names[1]
        shared = len(both & question.words)
        scored.append((2 * shared / (len(both) + len(question.words)), one, other))
    best = max((share for share, _, _ in scored), default=0.0)
    return [(one, other) for share, one, other in scored if share >= best * _NEAR]


def _looked_up(question: Question, rows: Sequence[Line], columns: Sequence[Line]) -> Iterator[Candidate]:
    for line in (*rows, *columns):
        yield from (Candidate(cell.value, is_signed=False) for cell in _picked(line.cells, question))


def _crossing(rows: Sequence[Line], columns: Sequence[Line]) -> list[Cell]:
    """The cells that lie in a named row and in a named column."""
    inside = {(cell.table, cell.row, cell.column) for line in columns for cell in line.cells}
    return [cell for line in rows for cell in line.cells if (cell.table, cell.row, cell.column) in inside]


def _counted(question: Question, lines: Sequence[Line]) -> Iterator[Candidate]:
    """How many cells of a named line exceed, or stay below, the number that the question gives."""
    more, less = _MORE_THAN.search(question.text), _LESS_THAN.search(question.text)
    bound = more or less
    if bound is None:
        return
    limit = Decimal(bound[1].replace(",", "").rstrip("."))
    for line in lines:
        over = sum(1 for cell in line.cells if (cell.value > limit if more else cell.value < limit))
        yield Candidate(Decimal(over), is_signed=False)


def _of_text(question: Question, source: str, weights: dict[str, float]) -> Iterator[Candidate]:
    """Operations on the numbers of the sentence that shares most words with the question, outside tables."""
    prose = "\n".join(line for line in source.splitlines() if "|" not in line)[:20_000]
    scored = []
    for start, end in sentences_of(prose):
        sentence = prose[start:end]
        if _DIGIT.search(sentence):
            scored.append((len(words_of(sentence) & question.words) / max(1, len(question.words)), sentence))
    scored.sort(key=lambda item: -item[0])
    for share, sentence in scored[:2]:
        if share < 0.4:
            return
        dates = [(dated.start, dated.end) for dated in dates_of(sentence)]
        amounts = [
            a
            for a in amounts_of(sentence, without=dates)
            if not (1900 <= a.value <= 2100 and a.step == 1 and not a.unit)
        ]
        values = [amount.shown for amount in amounts][:8]
        if question.wanted is Wanted.LOOKUP or (
            len(question.years) <= 1 and names_operation(question.wanted, sentence)
        ):
            yield from (Candidate(value, is_signed=False) for value in values)
        if question.wanted is Wanted.SHARE:
            yield from (Candidate(a.shown, is_signed=False) for a in amounts if a.unit == "percent")
            yield from (
                Candidate(one / other * 100, is_signed=False) for one, other in permutations(values, 2) if other
            )
        elif question.wanted is Wanted.DIFFERENCE:
            yield from (Candidate(one - other, is_signed=False) for one, other in combinations(values, 2))
        elif question.wanted is Wanted.CHANGE:
            yield from (
                Candidate((one - other) / other * 100, is_signed=True)
                for one, other in permutations(values, 2)
                if other
            )
        elif question.wanted in {Wanted.SUM, Wanted.AVERAGE}:
            for start, end in combinations(range(len(values) + 1), 2):
                if end - start > 1:
                    total = sum(values[start:end], Decimal(0))
                    mean = question.wanted is Wanted.AVERAGE
                    yield Candidate(total / (end - start) if mean else total, is_signed=False)
