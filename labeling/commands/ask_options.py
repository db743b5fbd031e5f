"""What `preceptor label import --ask` adds: its options, the estimate, the asking, and where answers are kept."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    import sqlalchemy as sa

    from core.answer_file import AnswerFile
    from core.asking import AskReport
    from core.endpoint import Endpoint
    from core.settings import RunSettings
    from core.spending import Estimate
    from labeling.content.sources import Source

_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class Asked:
    """The rows with the answers that were given, and what was estimated before."""

    source: "Source"
    estimates: "tuple[Estimate, ...]"


def ask_options(command: _Command) -> _Command:
    """The options of asking."""
    options = (
        click.option("--ask", is_flag=True, help="Ask the settings' two models for the answers (needs --config)."),
        click.option(
            "--answers", type=click.Path(path_type=Path), help="Where they are kept.  [default: by the store]"
        ),
        click.option("--rate", type=float, metavar="N", help="Requests a minute to each model, at most."),
        click.option("--parallel", type=click.IntRange(1, 64), default=4, show_default=True, help="At once, each."),
        click.option("--max-usd", type=click.FloatRange(min=0), help="Stop before all answers kept cost more."),
        click.option("--max-tokens", type=click.IntRange(min=1), help="Longest answer, in tokens."),
        click.option("--skip-failed", is_flag=True, help="Import the rows that both models answered."),
        click.option("--yes", is_flag=True, help="Do not ask before sending."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def asked_source(
    engine: "sa.Engine",
    source: "Source",
    settings: "RunSettings | None",
    where: dict[str, Any],
    *,
    data_class: str,
    dry_run: bool,
) -> Asked:
    """Ask what is left to ask, and return the rows with all answers that were given.

    Raises:
        DataError: a row holds no question.
        PreceptorError: there are no settings, an endpoint is missing or may not be sent these texts, or answers are
            missing and --skip-failed was not given.
    """
    from core.answer_file import AnswerFile
    from core.asking import Asking, AskRules
    from core.endpoint import endpoint_of
    from core.errors import DataError, PreceptorError
    from labeling.content.questions import questions_in

    if settings is None:
        raise PreceptorError("--ask needs the two models' endpoints. Name the settings that hold them: --config FILE.")
    pair = settings.pair
    if (source.weak, source.strong) != (pair.weak.name, pair.strong.name):
        raise PreceptorError(
            f"--ask asks '{pair.weak.name}' and '{pair.strong.name}', which the settings name. "
            "Leave out --weak and --strong."
        )
    endpoints = [endpoint_of(f"pair.{role}", getattr(pair, role), data_class) for role in ("weak", "strong")]
    questions, tally = questions_in(replace(source, answered={}), data_class=data_class)
    if tally.faults:
        raise DataError(tally.faults, "Mend these rows (docs/labeling.md shows the form), then import again.")
    rules = AskRules(
        data_class=data_class,
        requests_per_minute=where["rate"],
        n_parallel=where["parallel"],
        max_usd=where["max_usd"],
        max_tokens=where["max_tokens"],
    )
    with AnswerFile(where["answers"] or _beside(engine)) as file:
        asking = Asking(file, rules, random.Random(), _now, _say_progress)
        estimates = tuple(asking.estimates(endpoints, questions))
        _say_estimates(estimates, file)
        if any(one.n_calls for one in estimates) and not dry_run:
            if not where["yes"]:
                click.confirm("Send them?", abort=True, err=True)
            report = asyncio.run(asking.ask_all(endpoints, questions))
            _note(engine, report, endpoints, by=where["by"])
            _say_outcome(report, file, max_usd=where["max_usd"])
            if (report.failures or report.n_open) and not where["skip_failed"]:
                raise PreceptorError(_what_is_missing(report, max_usd=where["max_usd"]))
        given = {
            key: {"text": one.text, "cost_usd": one.cost_usd, "latency_ms": one.latency_ms}
            for key, one in file.answers.items()
        }
    skips = where["skip_failed"] or dry_run
    return Asked(replace(source, answered=given, skips_unanswered=skips), estimates)


def _beside(engine: "sa.Engine") -> Path:
    """`NAME.answers.jsonl` beside a SQLite store; in the current folder where the store is a server."""
    if engine.url.get_backend_name() == "sqlite" and engine.url.database:
        return Path(engine.url.database).with_suffix(".answers.jsonl")
    return Path("preceptor.answers.jsonl")


def _note(engine: "sa.Engine", report: "AskReport", endpoints: "list[Endpoint]", *, by: str) -> None:
    from core.ledger import Detail, append_in
    from core.store import writing

    if report.n_given:
        models = ",".join(endpoint.model for endpoint in endpoints)
        details: dict[str, Detail] = {
            "answers": report.n_given,
            "failed": len(report.failures),
            "spent_usd": f"{report.spent_usd:.6f}",
        }
        with writing(engine) as connection:
            append_in(connection, by, "item.ask", models, details, now=_now())


def _say_estimates(estimates: "tuple[Estimate, ...]", file: "AnswerFile") -> None:
    click.echo(f"{len(file.answers)} answers stand in {file.path}.", err=True)
    for one in estimates:
        click.echo(
            f"{one.model}: {one.n_calls} to ask, about {one.n_input} tokens in and {one.n_output} out, "
            f"{one.cost_usd:.4f} USD.",
            err=True,
        )


def _say_outcome(report: "AskReport", file: "AnswerFile", *, max_usd: float | None) -> None:
    cap = "" if max_usd is None else f" of {max_usd:.4f}"
    click.echo(f"{report.n_given} answers came, {report.spent_usd:.4f}{cap} USD spent in all ({file.path}).", err=True)
    if report.n_cut:
        click.echo(f"{report.n_cut} answers were cut off at their longest: raise --max-tokens for new ones.", err=True)
    for failure in report.failures[:10]:
        click.echo(f"  {failure.place}: no answer of '{failure.model}' ({failure.kind})", err=True)
    if len(report.failures) > 10:
        click.echo(f"  ... and {len(report.failures) - 10} more", err=True)


def _what_is_missing(report: "AskReport", *, max_usd: float | None) -> str:
    missing = len(report.failures) + report.n_open
    if report.stopped == "cap":
        return (
            f"Asking stopped at the cap of {max_usd:.4f} USD with {missing} answers missing; nothing was imported. "
            "Run the same command with a higher --max-usd: it goes on from here and asks nothing twice."
        )
    why = f"Asking stopped ({report.stopped})" if report.stopped else "Not every question was answered"
    return (
        f"{why}: {missing} answers are missing, nothing was imported. "
        "Run the same command again to ask for these alone, or add --skip-failed to import the rest."
    )


def _say_progress(n_given: int, spent_usd: float) -> None:
    if n_given and n_given % 50 == 0:
        click.echo(f"{n_given} answers, {spent_usd:.4f} USD", err=True)


def _now() -> datetime:
    return datetime.now(UTC)
