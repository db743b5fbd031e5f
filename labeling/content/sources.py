"""Where pairs come from: files of rows, and the answers that two endpoints gave to rows without any.

Reads files as often as it is asked to, one row at a time; keeps counts and faults, never rows.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from core.errors import PreceptorError
from core.fingerprint import of_text
from core.reading import Row, stream_rows
from labeling.content.reports import Column
from labeling.content.rows import Entry, entry_of, fault_sentences, query_in, readings_of, renamed

MAX_FAULTS = 1000
"""After so many faults the rest of the rows is not read."""


@dataclass
class Tally:
    """What was seen on the way."""

    n_rows: int = 0
    readings: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    without_answer: list[str] = field(default_factory=list)

    def columns(self) -> tuple[Column, ...]:
        """The fields of the rows with their readings, in order of name."""
        ordered = sorted(self.readings.items(), key=_by_name)
        return tuple(Column(name, read_as, n) for (name, read_as), n in ordered)


Answered = Mapping[tuple[str, str], Mapping[str, Any]]
"""Answers as rows hold them, by model and the hash of the messages asked."""


@dataclass(frozen=True)
class Source:
    """Rows of files, and how they are read.

    `weak` and `strong` are named where rows hold more than two answers or the tiers shall be known: both or neither.
    """

    paths: tuple[Path, ...]
    weak: str | None = None
    strong: str | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)
    """Foreign fields by the name that is read: {"query": "question_text"}."""
    answered: Answered | None = None
    """Answers that take the place of the rows' own."""
    skips_unanswered: bool = False
    """Whether rows that lack an answer of a model are left out; otherwise they are faults."""
    given: tuple[Row, ...] = ()
    """Rows that stand in no file: read before those of the files."""

    def __post_init__(self) -> None:
        if (self.weak is None) != (self.strong is None) or (self.weak is not None and self.weak == self.strong):
            raise PreceptorError(
                f"weak is {self.weak}, strong is {self.strong}. Name two models: --weak MODEL --strong MODEL."
            )

    def rows(self, tally: Tally) -> Iterator[Row]:
        """Readable rows under our names for their fields, counted."""
        in_files = (one for path in self.paths for one in stream_rows(path, tally.faults))
        for place, values in chain(self.given, in_files):
            tally.n_rows += 1
            row = Row(place, renamed(values, self.mapping))
            self._count(values, row, tally)
            if len(tally.faults) >= MAX_FAULTS:
                return
            yield row
        for name, foreign in self.mapping.items():
            if tally.n_rows and not any(column == foreign for column, _ in tally.readings):
                tally.faults.append(f"--map {name}={foreign}: no row has a field '{foreign}'")

    def entries(self, tally: Tally) -> Iterator[Entry]:
        """The pairs of the rows; what is wrong with the others goes into the tally."""
        for row in self.rows(tally):
            try:
                complete = row if self.answered is None else self._with_answers(row, self.answered, tally)
                if complete is not None:
                    yield entry_of(complete, weak=self.weak, strong=self.strong)
            except ValueError as error:
                tally.faults.extend(f"{row.place}: {sentence}" for sentence in fault_sentences(error))

    def _with_answers(self, row: Row, answered: Answered, tally: Tally) -> Row | None:
        sha256 = of_text(query_in(row)[1])
        models = [model for model in (self.weak, self.strong) if model is not None]
        missing = [model for model in models if (model, sha256) not in answered]
        if missing:
            if not self.skips_unanswered:
                raise ValueError(f"no answer of {', '.join(missing)}")
            tally.without_answer.append(f"{row.place}: no answer of {', '.join(missing)}")
            return None
        others = {field: value for field, value in row.values.items() if not field.startswith("answers.")}
        return Row(row.place, {**others, "answers": {model: answered[model, sha256] for model in models}})

    def _count(self, values: Mapping[str, Any], row: Row, tally: Tally) -> None:
        readings = readings_of(row.values, asks=self.answered is not None)
        ours = {foreign: name for name, foreign in self.mapping.items()}
        for name in values:
            given_way = name in self.mapping and self.mapping[name] in values and name not in ours
            tally.readings[name, None if given_way else readings.get(ours.get(name, name))] += 1


def _by_name(reading: tuple[tuple[str, str | None], int]) -> tuple[str, str]:
    (name, read_as), _ = reading
    return name, read_as or ""
