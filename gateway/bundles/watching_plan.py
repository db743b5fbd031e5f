"""What the watcher of aliases is told: references, the registry, and where to say what it saw. Opens none of them."""

import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from core.records import Record
from gateway.bundles.references import References

if TYPE_CHECKING:
    from core.settings import RunSettings


class Plan(Record):
    """What to watch, and where to say what was seen."""

    tracking_uri: str
    cache: Path
    pointer_file: Path
    references: tuple[str, ...]
    watch_s: float = 0.5

    @classmethod
    def of(cls, settings: "RunSettings", references: References) -> "Plan | None":
        """What the settings' server watches; None where no reference is of the registry.

        Each call names another pointer file: what an earlier server's watcher saw says nothing of now.
        """
        if not references.watched:
            return None
        folder = (settings.folder / settings.name).absolute()
        return cls(
            tracking_uri=settings.mlflow.tracking_uri,
            cache=folder / "bundles",
            pointer_file=folder / "watching" / f"{os.getpid()}-{uuid.uuid4().hex[:8]}.json",
            references=references.watched,
            watch_s=settings.gateway.watch_s,
        )
