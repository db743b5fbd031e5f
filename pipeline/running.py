"""Runs the stages of one YAML: plan, progress on stderr, one MLflow run, and what to type next."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from core.settings import RunSettings
from pipeline.engine import Planned, Watcher, plan, run_stages
from pipeline.stages import stages_of


def describe_plan(settings: RunSettings, *, start_from: str | None) -> list[Planned]:
    """What `run_settings` would do now, without doing it."""
    return plan(stages_of(settings), settings.folder / settings.name, start_from=start_from)


def plan_text(planned: list[Planned]) -> str:
    """The plan as lines, one a stage."""
    width = max(len(item.stage.name) for item in planned)
    return "\n".join(
        f"{item.stage.name:<{width}}  {'skip' if item.is_current else 'run '}  {item.reason}" for item in planned
    )


def plan_json(planned: list[Planned]) -> str:
    """The plan as one JSON list."""
    return json.dumps(
        [{"stage": item.stage.name, "runs": not item.is_current, "reason": item.reason, "key": item.key} for item in planned]
    )


def run_settings(settings: RunSettings, *, start_from: str | None) -> list[str]:
    """Run what is not current; names of the stages that ran.

    Stages after one that ran are planned anew, since their inputs may have changed with it.
    """
    folder = settings.folder / settings.name
    folder.mkdir(parents=True, exist_ok=True)
    with watching() as watcher:
        return run_stages(describe_plan(settings, start_from=start_from), folder, watcher)


@contextmanager
def watching() -> Iterator[Watcher]:
    """A watcher that draws on stderr: a bar on a terminal, one line a stage elsewhere."""
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def on_progress(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        def on_end(name: str, seconds: float) -> None:
            for task in tasks.values():
                bars.remove_task(task)
            tasks.clear()
            console.print(f"  {name} done in {seconds:.1f} s")

        yield Watcher(
            on_skip=lambda name: console.print(f"- {name}: inputs unchanged, not run again"),
            on_start=lambda name, promise: console.print(f"- {name}: {promise}"),
            on_progress=on_progress,
            on_end=on_end,
        )


def results_folder(settings: RunSettings) -> Path:
    """Where the last stage outputs of this YAML lie."""
    return settings.folder / settings.name
