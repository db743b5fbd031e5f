"""Rows from files: JSONL, CSV and Parquet, each line with its number, all faults at once.

Knows files and rows, never what a row means.
"""

import csv
import gzip
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from core.errors import DataError, MissingExtra

MAX_FIELD_CHARS = 10_000_000
"""A CSV field longer than this is a fault; Python's own limit of 131,072 is too short for a contract."""


class Row(NamedTuple):
    """One row of a file. `place` is `file:line`, as errors name it."""

    place: str
    values: dict[str, Any]


def read_rows(path: Path) -> list[Row]:
    """All rows of a .jsonl, .csv or .parquet file; the first two may be gzipped (.gz).

    Raises:
        DataError: the file is missing, of another kind, or holds lines that cannot be read. Nothing is returned then.
    """
    kind = path.name.removesuffix(".gz").rpartition(".")[2].lower()
    readers = {"jsonl": _read_jsonl, "ndjson": _read_jsonl, "csv": _read_csv, "parquet": _read_parquet}
    if kind not in readers:
        raise DataError([f"{path}: files end in .jsonl, .csv or .parquet, not .{kind}"], "Convert it, then try again.")
    if not path.is_file():
        raise DataError([f"{path}: no such file"], "Check the path; relative paths start at the current folder.")
    return readers[kind](path)


def read_all(paths: Sequence[Path]) -> list[Row]:
    """Rows of several files in order; the faults of all files are reported together.

    Raises:
        DataError: any file has a fault.
    """
    rows: list[Row] = []
    faults: list[str] = []
    for path in paths:
        try:
            rows.extend(read_rows(path))
        except DataError as error:
            faults.extend(error.faults)
    if faults:
        raise DataError(faults, "Mend these lines, then run the command again.")
    return rows


def _open_text(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return io.TextIOWrapper(gzip.open(path, "rb"), encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _read_jsonl(path: Path) -> list[Row]:
    rows: list[Row] = []
    faults: list[str] = []
    try:
        with _open_text(path) as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                place = f"{path}:{number}"
                try:
                    values = json.loads(line, parse_constant=_refuse_constant)
                except ValueError as error:
                    faults.append(f"{place}: not JSON ({error})")
                    continue
                if isinstance(values, dict):
                    rows.append(Row(place, values))
                else:
                    faults.append(f"{place}: a row is a JSON object, not {type(values).__name__}")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        faults.append(f"{path}: cannot be read as UTF-8 text ({error})")
    return _rows_or_faults(path, rows, faults)


def _read_csv(path: Path) -> list[Row]:
    csv.field_size_limit(MAX_FIELD_CHARS)
    rows: list[Row] = []
    faults: list[str] = []
    try:
        with _open_text(path) as file:
            reader = csv.DictReader(file, restkey="\0extra", strict=True)
            for values in reader:
                place = f"{path}:{reader.line_num}"
                if "\0extra" in values:
                    faults.append(f"{place}: more fields than the header has ({len(reader.fieldnames or ())})")
                elif None in values.values():
                    faults.append(f"{place}: fewer fields than the header has ({len(reader.fieldnames or ())})")
                else:
                    rows.append(Row(place, dict(values)))
    except csv.Error as error:
        faults.append(f"{path}:{reader.line_num}: not CSV ({error})")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        faults.append(f"{path}: cannot be read as UTF-8 text ({error})")
    return _rows_or_faults(path, rows, faults)


def _read_parquet(path: Path) -> list[Row]:
    try:
        import pyarrow.parquet as parquet
        from pyarrow import ArrowException
    except ImportError as error:
        raise MissingExtra("pyarrow", "train", "Reading Parquet") from error
    try:
        values = parquet.read_table(path).to_pylist()
    except (ArrowException, OSError) as error:
        raise DataError([f"{path}: not Parquet ({error})"], "Write the file again, then try again.") from error
    rows = [Row(f"{path}:{number}", row) for number, row in enumerate(values, start=1)]
    return _rows_or_faults(path, rows, [])


def _rows_or_faults(path: Path, rows: list[Row], faults: list[str]) -> list[Row]:
    if not rows and not faults:
        faults = [f"{path}: the file holds no rows"]
    if faults:
        raise DataError(faults, "Mend these lines, then run the command again.")
    return rows


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")
