"""How rows and manifests become text: one JSON object a line with sorted keys, so equal rows give equal bytes."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path


def json_lines(rows: Iterable[Mapping[str, object]]) -> str:
    r"""One line per row.

    >>> json_lines([{"b": 1, "a": "é"}])
    '{"a": "é", "b": 1}\n'
    """
    return "".join(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n" for row in rows)


def manifest_text(manifest: Mapping[str, object]) -> str:
    """A manifest, indented for people, in the order of its fields."""
    return json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"


def read_lines(path: Path) -> list[object]:
    """The rows of a file that `json_lines` made."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
