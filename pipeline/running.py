"""Runs the stages of one YAML: plan, progress on stderr, one MLflow run around them, and what to look at next."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from core import fingerprint
from core.records import Record
from core.settings import RunSettings
from models.stacking import verdict
from pipeline.engine import Planned, Watcher, plan, run_stages
from pipeline.results import read_json, write_json
from pipeline.stages import stages_of
from pipeline.tracking import Workbench, run_tracking

TRACKED = "mlflow_run.json"


def describe_plan(settings: RunSettings, *, start_from: str | None) -> list[Planned]:
    """What `run_settings` would do now, without doing it."""
    return plan(stages_of(settings), run_folder(settings), start_from=start_from)


def plan_text(planned: list[Planned]) -> str:
    """The plan as lines, one a stage."""
    width = max(len(item.stage.name) for item in planned)
    return "\n".join(
        f"{item.stage.name:<{width}}  {'skip' if item.is_current else 'run '}  {item.reason}" for item in planned
    )


def plan_json(planned: list[Planned], rehearsal: Record) -> str:
    """The plan as one JSON object: the stages, and what they would find and do."""
    stages = [
        {"stage": item.stage.name, "runs": not item.is_current, "reason": item.reason, "key": item.key}
        for item in planned
    ]
    return json.dumps({"stages": stages, **rehearsal.model_dump(mode="json")})


def run_settings(settings: RunSettings, *, start_from: str | None) -> list[str]:
    """Run what is not current, inside one MLflow run; names of the stages that ran.

    A run that was killed is taken up under its own MLflow run id. Where everything is current, MLflow is not touched.
    """
    folder = run_folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    if all(item.is_current for item in describe_plan(settings, start_from=start_from)):
        with watching() as watcher:
            return run_stages(describe_plan(settings, start_from=start_from), folder, watcher)
    values = settings.model_dump(mode="json")
    settings_sha256 = fingerprint.of_json(values)
    workbench = Workbench(settings.mlflow.tracking_uri, settings.name, settings.mlflow.artifact_location)
    with (
        watching() as watcher,
        run_tracking(
            workbench,
            run_name=settings.name,
            settings=values,
            resume_run_id=_unfinished(folder, settings_sha256),
        ) as tracked,
    ):
        record = {"run_id": tracked.run_id, "settings_sha256": settings_sha256}
        write_json(folder / TRACKED, record | {"is_finished": False})
        planned = plan(stages_of(settings, tracked), folder, start_from=start_from)
        ran = run_stages(planned, folder, watcher)
        write_json(folder / TRACKED, record | {"is_finished": True})
    return ran


def outcome_text(settings: RunSettings, config: Path) -> str:
    """What the last run of this YAML found, where to look, and what to type next."""
    folder = run_folder(settings)
    report = read_json(folder / "evaluate" / "report.json")
    registered = read_json(folder / "register" / "registered.json")
    evaluation = report["evaluation"]
    lines = [f"On {evaluation['n']} unseen queries ({report['target']}), APGR with 95 % interval; a coin has 0.5:"]
    for name, figures in evaluation["routers"].items():
        lines.append(f"  {name:<14} {_span(figures['apgr'])}")
    lines.append(f"  adapted - base {_span(evaluation['better_than']['base'])}")
    alone = {
        name.removesuffix(" alone"): (gain["estimate"], gain["low"], gain["high"])
        for name, gain in evaluation["better_than"].items()
        if name.endswith(" alone")
    }
    if alone:
        lines.append(verdict(alone).sentence)
    trained = read_json(folder / "train" / "summary.json")
    if trained.get("texts_cut"):
        lines.append(
            f"{trained['texts_cut']} of {trained['texts']} texts are longer than the router reads and were cut."
        )
    lines += [
        "",
        f"Look at  {folder / 'evaluate' / 'report.html'}",
        f"         mlflow ui --backend-store-uri {settings.mlflow.tracking_uri}",
        f"Next     preceptor promote {settings.name} {registered['adapted']} --to champion --by YOU "
        f"--approved-by SOMEONE_ELSE --config {config}",
        f"         preceptor serve --config {config}",
    ]
    return "\n".join(lines)


def outcome_json(settings: RunSettings, ran: list[str]) -> str:
    """The same as one JSON object."""
    folder = run_folder(settings)
    report = read_json(folder / "evaluate" / "report.json")
    registered = read_json(folder / "register" / "registered.json")
    return json.dumps({"ran": ran, "registered": registered, "evaluation": report["evaluation"]})


def run_folder(settings: RunSettings) -> Path:
    """Where the stages of this YAML keep their outputs."""
    return settings.folder / settings.name


@contextmanager
def watching() -> Iterator[Watcher]:
    """A watcher that draws on stderr: bars on a terminal, one line a stage elsewhere."""
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


def _unfinished(folder: Path, settings_sha256: str) -> str | None:
    """The MLflow run that a killed run with the same settings left open."""
    try:
        record = read_json(folder / TRACKED)
    except (OSError, ValueError):
        return None
    if record["is_finished"] or record["settings_sha256"] != settings_sha256:
        return None
    return str(record["run_id"])


def _span(interval: dict[str, float]) -> str:
    return f"{interval['estimate']:+.3f} [{interval['low']:+.3f}, {interval['high']:+.3f}]".replace("+", " ")
