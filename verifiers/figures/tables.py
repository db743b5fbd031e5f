"""Tables and lists of a text: rows with a label and their numbers by column. It reads; it judges nothing.

Read are rows of cells between `|` or tabs, and list lines with one amount at the end.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from verifiers.figures.amounts import Amount, amounts_of

READ_ROWS, READ_CELLS = 200, 30
"""Rows of a text and cells of a row that are read."""

_RULE = re.compile(r"^[\s|:+=-]+$")
_LIST_LINE = re.compile(r"^\s*(?:[-*•\u2013]|\d+[.)])?\s*(?P<label>[A-Za-z][^|\t]*?)\s*[:=\u2013\u2014-]?\s*$")
_EMPTY = {"", "-", "\u2014", "\u2013", "n/a"}


class Row(NamedTuple):
    """One row: its label (the first cell that is no number), its cells, and the amount of each, if any."""

    label: str
    cells: tuple[str, ...]
    amounts: tuple[Amount | None, ...]


class Table(NamedTuple):
    """Consecutive rows of one table, headers among them."""

    rows: tuple[Row, ...]

    @property
    def n_columns(self) -> int:
        """The width of its widest row."""
        return max((len(row.cells) for row in self.rows), default=0)


@lru_cache(maxsize=8)  # the checks of one answer read the same two texts
def tables_of(text: str) -> tuple[Table, ...]:
    r"""The tables of cells, in order.

    >>> table = tables_of("Item | 2019\nFixed | $ 1,452.4\nOther | (44.1)")[0]
    >>> [(row.label, [a and str(a.value) for a in row.amounts]) for row in table.rows]
    [('Item', [None, '2019']), ('Fixed', [None, '1452.4']), ('Other', [None, '-44.1'])]
    """
    if "|" not in text and "\t" not in text:
        return ()
    found: list[Table] = []
    run: list[Row] = []
    n_rows = 0
    for line in text.splitlines():
        cells = _cells(line)
        if cells is not None and _RULE.match(line):
            continue
        if cells is None or n_rows >= READ_ROWS:
            if len(run) > 1:
                found.append(Table(tuple(run)))
            run = []
            continue
        n_rows += 1
        run.append(_row(cells))
    if len(run) > 1:
        found.append(Table(tuple(run)))
    return tuple(found)


def lists_of(text: str) -> Iterator[list[tuple[str, Amount]]]:
    """Runs of lines `label: amount`, each with its last amount; a blank line ends no run, a line of prose does."""
    run: list[tuple[str, Amount]] = []
    for line in text.splitlines()[:READ_ROWS]:
        if not line.strip():
            continue
        item = _item(line)
        if item is None:
            if len(run) > 2:
                yield run
            run = []
        else:
            run.append(item)
    if len(run) > 2:
        yield run


@lru_cache(maxsize=1024)  # a table's cells are read by each check that follows a figure through it
def cell_amount(cell: str) -> Amount | None:
    """The number of a cell that holds one and little else; an amount in parentheses is negative."""
    bare = cell.strip().replace("$ ", "$").replace("€ ", "€").replace("£ ", "£")
    bare = re.sub(r"(?<=\d)\s*(?:\(\d\)|\*+|†)$", "", bare)
    if not bare or not any(character.isdigit() for character in bare):
        return None
    negative = bool(re.match(r"^[$€£]?\s?\(", bare)) and bare.rstrip("%").rstrip().endswith(")")
    inner = re.sub(r"[()]", "", bare).strip() if negative else bare
    amounts = amounts_of(inner)
    if len(amounts) != 1 or (amounts[0].end - amounts[0].start) < len(inner.strip("$€£ *%\u2014-")) * 0.6:
        return None
    amount = amounts[0]
    return amount._replace(value=-abs(amount.value), shown=-abs(amount.shown)) if negative else amount


def _cells(line: str) -> list[str] | None:
    if "|" in line:
        parts = line.strip().strip("|").split("|") if line.strip().startswith("|") else line.split("|")
    elif "\t" in line:
        parts = line.split("\t")
    else:
        return None
    return [part.strip().strip("*") for part in parts[:READ_CELLS]] if len(parts) > 1 else None


def _row(cells: list[str]) -> Row:
    amounts = tuple(None if cell.lower() in _EMPTY else cell_amount(cell) for cell in cells)
    label = next(
        (cell for cell, amount in zip(cells, amounts, strict=True) if amount is None and cell.lower() not in _EMPTY), ""
    )
    return Row(label, tuple(cells), amounts)


def _item(line: str) -> tuple[str, Amount] | None:
    amounts = amounts_of(line)
    if not amounts:
        return None
    last = amounts[-1]
    if line[last.end :].strip(" .;,)*|") or line.strip().endswith("?"):
        return None
    label = line[: last.start].strip(" -*•:=\t$€£(")
    if not re.search(r"[A-Za-z]", label) or len(label) > 90 or "<<" in line:
        return None
    if re.search(r"\d[^|:]*\s[-+*/×x]\s*[$(\d]", line) and "=" in line:
        return None
    is_marked = bool(
        re.match(r"\s*(?:[-*•\u2013]|\d+[.)])\s", line)
        or re.search(r"[:=\u2013\u2014\t]|\s{2,}|\.{3,}", line[: last.start])
    )
    if not is_marked and len(label.split()) > 4:
        return None
    if line[: last.start].rstrip().endswith("(") or re.match(r"^[$€£]?\($", line[: last.start].split(" ")[-1]):
        last = last._replace(value=-abs(last.value), shown=-abs(last.shown))
    return label, last
