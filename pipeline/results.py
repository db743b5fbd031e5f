"""What stages hand on: JSON files, and the rows of a run with their parts and vectors."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from safetensors.numpy import load_file

from pipeline.engine import Work
from pipeline.table import OutcomeTable, load_table


@dataclass(frozen=True)
class Rows:
    """The rows of a run: outcomes, the part and the component of each, and its query's vector."""

    table: OutcomeTable
    parts: tuple[str, ...]
    component: Int[np.ndarray, " n"]
    embeddings: Float[np.ndarray, "n d"]

    def part(self, name: str) -> Bool[np.ndarray, " n"]:
        """Which rows are of that part."""
        return np.array([part == name for part in self.parts])

    def gap(self, weak: str, strong: str) -> Float[np.ndarray, " n"]:
        """Quality of the strong answer minus that of the weak one; NaN where one is not known."""
        weak_quality, strong_quality = self.table.pair_quality(weak, strong)
        return np.asarray(strong_quality - weak_quality)


def load_rows(work: Work) -> Rows:
    """The rows as the stages prepare, split and (where it is read) embed left them."""
    return rows_in(work.inputs)


def rows_in(folders: Mapping[str, Path]) -> Rows:
    """The rows in the folders of prepare, split and perhaps embed."""
    table = load_table(folders["prepare"])
    embeddings = np.zeros((len(table), 0), dtype=np.float32)
    if "embed" in folders:
        embeddings = load_file(folders["embed"] / "embeddings.safetensors")["embeddings"]
    component = load_file(folders["split"] / "component.safetensors")["component"]
    return Rows(table, tuple(read_json(folders["split"] / "parts.json")), component, embeddings)


def read_json(path: Path) -> Any:  # noqa: ANN401 - JSON values are of any kind
    """The value in a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(path: Path, value: object) -> None:
    """Write a value as readable JSON."""
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
