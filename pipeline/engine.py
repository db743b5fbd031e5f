"""The engine: runs stages in order, and none whose inputs did not change.

A stage's key is the hash of its settings, its revision, the keys of the stages it reads, and the files it names.
Outputs are written beside and renamed when complete, `stage.json` last of all: a killed stage leaves nothing that
looks finished, and the next run goes on from there.
"""

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core import fingerprint
from core.errors import SettingsError

RECORD = "stage.json"


@dataclass(frozen=True)
class Stage:
    """One step of a run.

    `action(work)` reads the outputs of earlier stages and writes its own into `work.out`.
    `depends` are the JSON values that decide its outcome: settings and file hashes, computed when the plan is made.
    `revision` rises when the stage's code would give another outcome.
    """

    name: str
    promise: str
    action: Callable[["Work"], None]
    depends: Callable[[], object]
    reads: tuple[str, ...] = ()
    revision: int = 1


@dataclass(frozen=True)
class Work:
    """What a running stage sees: where to write, what came before, and how to tell of its progress.

    `scratch` outlives a kill: a long stage keeps there what it needs to go on. It bears the stage's key, so other
    inputs find it empty, and it is thrown away when the stage ends.
    """

    out: Path
    scratch: Path
    inputs: Mapping[str, Path]
    progress: Callable[[str, int, int], None]
    key: str


@dataclass(frozen=True)
class Planned:
    """What the engine will do with a stage, and why."""

    stage: Stage
    key: str
    is_current: bool
    reason: str


@dataclass
class Watcher:
    """Who is told how a run goes; the default says nothing."""

    on_skip: Callable[[str], None] = field(default=lambda name: None)
    on_start: Callable[[str, str], None] = field(default=lambda name, promise: None)
    on_progress: Callable[[str, int, int], None] = field(default=lambda what, done, total: None)
    on_end: Callable[[str, float], None] = field(default=lambda name, seconds: None)


def plan(stages: Sequence[Stage], folder: Path, *, start_from: str | None = None) -> list[Planned]:
    """What each stage would do now: current ones are skipped; from `start_from` on, all are run again.

    Raises:
        SettingsError: `start_from` names no stage.
    """
    names = [stage.name for stage in stages]
    if start_from is not None and start_from not in names:
        raise SettingsError(f"There is no stage '{start_from}'. The stages are {', '.join(names)}.")
    keys: dict[str, str] = {}
    planned: list[Planned] = []
    forced = False
    for stage in stages:
        forced = forced or stage.name == start_from
        upstream = {name: keys[name] for name in stage.reads}
        key = fingerprint.of_json([stage.name, stage.revision, stage.depends(), upstream])
        keys[stage.name] = key
        reason = "asked for with --from" if forced else _why_not_current(folder / stage.name, key)
        planned.append(Planned(stage, key, not reason, reason or "inputs unchanged"))
    return planned


def run_stages(planned: Sequence[Planned], folder: Path, watcher: Watcher) -> list[str]:
    """Run what is not current, in order; names of the stages that ran.

    What a stage raises is not caught: its outputs are then absent, and the next run starts there.
    """
    ran = []
    for item in planned:
        stage = item.stage
        if item.is_current:
            watcher.on_skip(stage.name)
            continue
        watcher.on_start(stage.name, stage.promise)
        started = time.monotonic()
        partial = folder / f"{stage.name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        scratch = folder / f"{stage.name}.scratch" / item.key[:16]
        scratch.mkdir(parents=True, exist_ok=True)
        inputs = {name: folder / name for name in stage.reads}
        stage.action(Work(partial, scratch, inputs, watcher.on_progress, item.key))
        seconds = time.monotonic() - started
        _finish(partial, folder / stage.name, {"stage": stage.name, "key": item.key, "seconds": round(seconds, 3)})
        shutil.rmtree(scratch.parent)
        watcher.on_end(stage.name, seconds)
        ran.append(stage.name)
    return ran


def _finish(partial: Path, final: Path, record: Mapping[str, Any]) -> None:
    files = fingerprint.of_folder(partial)
    (partial / RECORD).write_text(json.dumps({**record, "files": files}, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(final, ignore_errors=True)
    partial.rename(final)


def _why_not_current(folder: Path, key: str) -> str:
    """Empty when the stage's outputs are those of `key` and unaltered, else the reason to run it."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return "never finished"
    except ValueError:
        return f"{RECORD} is damaged"
    if record.get("key") != key:
        return "inputs changed"
    files = fingerprint.of_folder(folder)
    files.pop(RECORD, None)
    return "" if files == record.get("files") else "outputs were altered"
