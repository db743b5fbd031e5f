"""Rows from files: JSONL, CSV and Parquet, each line with its number, all faults at once.

Knows files and rows, never what a row means.
"""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from core.errors import DataError, MissingExtra

MAX_FIELD_CHARS = 10_000_000
"""A CSV field longer than this is a fault; Python's own limit of 131,072 is too short for a contract."""

PARQUET_ROWS = 1000
"""Rows of a Parquet file decoded at a time."""

_NEXT_STEP = "Mend these lines, then run the command again."


class Row(NamedTuple):
    """One row of a file. `place` is `file:line`, as errors name it."""

    place: str
    values: dict[str, Any]


def read_rows(path: Path) -> list[Row]:
    """All rows of a .jsonl, .csv or .parquet file; the first two may be gzipped (.gz).

    Raises:
        DataError: the file is missing, of another kind, or holds lines that cannot be read. Nothing is returned then.
    """
    faults: list[str] = []
    rows = list(stream_rows(path, faults))
    if faults:
        raise DataError(faults, _NEXT_STEP)
    return rows


def stream_rows(path: Path, faults: list[str]) -> Iterator[Row]:
    """The readable rows of such a file, one at a time; what cannot be read is appended to `faults` on the way.

    A file of any size is read in little memory. Whoever uses rows before the end must be able to undo it.
    """
    kind = path.name.removesuffix(".gz").rpartition(".")[2].lower()
    readers = {"jsonl": _stream_jsonl, "ndjson": _stream_jsonl, "csv": _stream_csv, "parquet": _stream_parquet}
    if kind not in readers:
        faults.append(f"{path}: files end in .jsonl, .csv or .parquet, not .{kind}")
        return
    if not path.is_file():
        faults.append(f"{path}: no such file; relative paths start at the current folder")
        return
    n_faults, n_rows = len(faults), 0
    for row in readers[kind](path, faults):
        n_rows += 1
        yield row
    if n_rows == 0 and len(faults) == n_faults:
        faults.append(f"{path}: the file holds no rows")


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
        raise DataError(faults, _NEXT_STEP)
    return rows


def _open_text(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return io.TextIOWrapper(gzip.open(path, "rb"), encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _stream_jsonl(path: Path, faults: list[str]) -> Iterator[Row]:
    try:
        with _open_text(path) as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                place = f"{path}:{number}"
                try:
                    values = json.loads(line, parse_constant=_refuse_constant)
                except (ValueError, RecursionError) as error:
                    faults.append(f"{place}: not JSON ({error})")
                    continue
                if isinstance(values, dict):
                    yield Row(place, values)
                else:
                    faults.append(f"{place}: a row is a JSON object, not {type(values).__name__}")
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        faults.append(f"{path}: cannot be read as UTF-8 text ({error})")


def _stream_csv(path: Path, faults: list[str]) -> Iterator[Row]:
    csv.field_size_limit(MAX_FIELD_CHARS)
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
                    yield Row(place, dict(values))
    except csv.Error as error:
        faults.append(f"{path}:{reader.line_num}: not CSV ({error})")
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        faults.append(f"{path}: cannot be read as UTF-8 text ({error})")


def _stream_parquet(path: Path, faults: list[str]) -> Iterator[Row]:
    try:
        import pyarrow.parquet as parquet
        from pyarrow import ArrowException
    except ImportError as error:
        raise MissingExtra("pyarrow", "train", "Reading Parquet") from error
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=PARQUET_ROWS):
                for values in batch.to_pylist():
                    number += 1
                    yield Row(f"{path}:{number}", values)
    except (ArrowException, OSError) as error:
        faults.append(f"{path}: not Parquet ({error})")


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")
