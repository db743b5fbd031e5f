"""Cells of a table with the words and the years that name them, and how well a question names each. Judges nothing."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from verifiers.figures.amounts import Amount
from verifiers.figures.asked import words_of, years_of
from verifiers.figures.tables import Row, Table

READ_CELLS = 1_500
"""Cells of all tables that are read."""


class Cell(NamedTuple):
    """One number of a table. `label` are the words of its row, `heading` those of its column, `section` those above.

    `names` is the row's label and the column's heading as written.
    """

    value: Decimal
    is_percent: bool
    row: int
    column: int
    table: int
    label: frozenset[str]
    heading: frozenset[str]
    section: frozenset[str]
    years: tuple[int, ...]
    names: str


class Line(NamedTuple):
    """The cells of one row, or of one column where `is_column`, with how well the question names it."""

    cells: tuple[Cell, ...]
    score: float
    is_column: bool


def cells_of(tables: Sequence[Table]) -> list[Cell]:
    """The numeric cells of the tables, headers left out."""
    found: list[Cell] = []
    for number, table in enumerate(tables):
        first = _first_data_row(table)
        written = [
            " ".join(row.cells[c] for row in table.rows[:first] if c < len(row.cells)) for c in range(table.n_columns)
        ]
        headings = _headings(table.rows[:first], table.n_columns)
        section = frozenset().union(*(words_of(row.label) for row in table.rows[:first]))
        for index, row in enumerate(table.rows[first:], start=first):
            if all(amount is None for amount in row.amounts):
                if row.label:
                    section = words_of(row.label)
                if any(years_of(cell) for cell in row.cells[1:]):
                    headings = _headings([row], table.n_columns)
                continue
            first_cell = row.cells[0]
            is_dated = bool(row.amounts[0] is not None and years_of(first_cell))
            label = words_of(row.label or ("" if is_dated else "Total"))
            label_years = tuple(years_of(first_cell if is_dated else row.label))[:1]
            for column, amount in enumerate(row.amounts):
                if amount is None or (column == 0 and is_dated):
                    continue
                words, years = headings[column]
                shown = amount.shown
                names = f"{row.label} {written[column]}"
                is_percent = amount.unit == "percent"
                of_years = years or label_years
                found.append(Cell(shown, is_percent, index, column, number, label, words, section, of_years, names))
                if len(found) == READ_CELLS:
                    return found
    return found


def lines_of(cells: Iterable[Cell], words: frozenset[str], weights: dict[str, float]) -> list[Line]:
    """The rows and columns of the cells, best named first."""
    rows: dict[tuple[int, int], list[Cell]] = {}
    columns: dict[tuple[int, int], list[Cell]] = {}
    for cell in cells:
        rows.setdefault((cell.table, cell.row), []).append(cell)
        columns.setdefault((cell.table, cell.column), []).append(cell)
    found = []
    for group in rows.values():
        head = group[0]
        found.append(Line(tuple(group), score(words, head.label, head.section, weights), is_column=False))
    for group in columns.values():
        head = group[0]
        found.append(Line(tuple(group), score(words, head.heading, frozenset(), weights), is_column=True))
    return sorted(found, key=lambda line: -line.score)


def weights_of(cells: Sequence[Cell]) -> dict[str, float]:
    """How telling each word of the labels is: one over the square root of the rows and columns that have it."""
    rows = {(cell.table, cell.row, cell.label) for cell in cells}
    columns = {(cell.table, -1 - cell.column, cell.heading) for cell in cells}
    counts = Counter(word for _, _, words in rows | columns for word in words)
    return {word: 1 / count**0.5 for word, count in counts.items()}


def score(words: frozenset[str], label: frozenset[str], section: frozenset[str], weights: dict[str, float]) -> float:
    """F1 of the question's words and a label's, each word weighted; words that a section covers count for 0.7."""
    known = sum(weights.get(word, 0.3) for word in words)
    own = sum(weights.get(word, 0.3) for word in label)
    shared = sum(weights.get(word, 0.3) for word in words & label)
    if not shared or not known or not own:
        return 0.0
    covered = shared + 0.7 * sum(weights.get(word, 0.3) for word in (words & section) - label)
    recall, precision = covered / known, shared / own
    return 2 * recall * precision / (recall + precision)


def _first_data_row(table: Table) -> int:
    for index, row in enumerate(table.rows):
        numbers = [amount for amount in row.amounts[1:] if amount is not None]
        if numbers and not all(_is_year(amount.shown, cell) for amount, cell in _pairs(row)):
            return index
    return len(table.rows)


def _pairs(row: Row) -> list[tuple[Amount, str]]:
    return [(amount, cell) for amount, cell in zip(row.amounts[1:], row.cells[1:], strict=True) if amount is not None]


def _is_year(value: Decimal, cell: str) -> bool:
    return bool(re.search(r"(?<![\d,.])(?:19|20)\d\d(?![\d,.])", cell)) and 1900 <= value <= 2100


def _headings(rows: Sequence[Row], n_columns: int) -> list[tuple[frozenset[str], tuple[int, ...]]]:
    """Words and year of each column; a single year in a heading holds for all columns, two in one cell for none."""
    found = []
    for column in range(n_columns):
        texts = [row.cells[column] for row in rows if column < len(row.cells)]
        years = [year for text in texts for year in set(years_of(text)) if len(set(years_of(text))) == 1]
        words = frozenset().union(*(words_of(text) for text in texts)) if texts else frozenset()
        found.append((words, tuple(years[-1:])))
    all_years = {year for _, years in found for year in years}
    return [(words, tuple(all_years)) for words, _ in found] if len(all_years) == 1 else found
