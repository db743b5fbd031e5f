"""A look through whole files before anything is imported: counts by kind and letter, and where, never what."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import DataError
from core.reading import read_all
from labeling.phi.chain import Chain, default_chain
from labeling.phi.findings import LETTER_OF

_PLAIN_TEXT = (".txt", ".md")


@dataclass(frozen=True)
class ScanReport:
    """What stands in the files, in numbers."""

    n_files: int
    n_items: int
    """Rows of tables, and plain-text files."""
    findings_by_kind: Mapping[str, int]
    items_by_kind: Mapping[str, int]
    findings_by_letter: Mapping[str, int]
    kinds_at: Mapping[str, Mapping[str, int]]
    """Kinds and counts by place (`file:line`, or the file), for places with findings."""

    @property
    def n_items_with_findings(self) -> int:
        """Items that a person must clear."""
        return len(self.kinds_at)


def scan_files(paths: Sequence[Path], *, chain: Chain | None = None) -> ScanReport:
    """Identifiers in files of rows (.jsonl, .csv, .parquet) and of plain text (.txt, .md); nothing is written.

    Every text of a row is searched, whatever its field; numbers and names of fields are not.

    Args:
        paths: the files.
        chain: the default chain when none is given.

    Raises:
        DataError: a file cannot be read.
    """
    chain = chain or default_chain()
    findings: Counter[str] = Counter()
    items: Counter[str] = Counter()
    places: dict[str, Mapping[str, int]] = {}
    n_items = 0
    for place, texts in _items(paths):
        n_items += 1
        if kinds := chain.kinds_of(texts):
            findings.update(kinds)
            items.update(kinds.keys())
            places[place] = kinds
    letters: Counter[str] = Counter()
    for kind, n in findings.items():
        letters[LETTER_OF[kind]] += n
    return ScanReport(len(paths), n_items, dict(findings), dict(items), dict(sorted(letters.items())), places)


def _items(paths: Sequence[Path]) -> Iterator[tuple[str, list[str]]]:
    tables = [path for path in paths if path.suffix.lower() not in _PLAIN_TEXT]
    for path in paths:
        if path not in tables:
            yield str(path), [_read_text(path)]
    for row in read_all(tables):
        yield row.place, list(_texts(row.values))


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            [f"{path}: cannot be read as UTF-8 text ({error})"], "Check the path, then try again."
        ) from error


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
