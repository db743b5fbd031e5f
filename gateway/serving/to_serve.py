"""What one process serves, and how the parent of several workers tells each of them. It holds no key and no text."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from core.settings import RunSettings


class ToServe(NamedTuple):
    """What one process serves."""

    settings: "RunSettings"
    reference: str
    """The bundle that decides whatever no other decides."""
    n_workers: int = 1
    pointer_file: Path | None = None
    """What the watcher of aliases writes; None where no reference is of the registry."""


class Orders(NamedTuple):
    """What a worker of several is told, in a file of a folder that only its owner reads."""

    what: ToServe
    counts: Path
    """The folder of the counts that all workers share."""
    listening: int
    """The descriptor of the socket that all workers share."""

    def write(self, path: Path) -> None:
        """Replace the file in one step: a worker that starts meanwhile reads the old orders or the new ones."""
        values: dict[str, Any] = {
            **self.what._asdict(),
            "settings": self.what.settings.model_dump(mode="json"),
            "counts": self.counts,
            "listening": self.listening,
        }
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(values, default=str), encoding="utf-8")
        partial.replace(path)

    @classmethod
    def read(cls, path: Path) -> "Orders":
        """The orders in the file."""
        from core.settings import RunSettings

        values = json.loads(path.read_bytes())
        pointer_file = values["pointer_file"]
        what = ToServe(
            RunSettings.model_validate(values["settings"]),
            values["reference"],
            values["n_workers"],
            None if pointer_file is None else Path(pointer_file),
        )
        return cls(what, Path(values["counts"]), values["listening"])
