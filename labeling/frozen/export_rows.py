"""What an export is made of, whatever its form."""

from collections.abc import Mapping
from typing import NamedTuple

ExportRow = Mapping[str, object]


class Export(NamedTuple):
    """Rows in a foreign form, and how many pairs (judgements, answers) have no place in it."""

    rows: list[ExportRow]
    n_left_out: int
