"""Commands of the labeling room about quality: guideline, gold, agreement."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labeling.commands.options import acting, by_option, engine_of, settings_of, store_options

if TYPE_CHECKING:
    import sqlalchemy as sa

    from core.access import Actor


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--change", required=True, metavar="TEXT", help="What changed, in a sentence that experts read.")
@click.option("--approved-by", metavar="NAME", help="The other person, who approves it; without, it is proposed.")
@by_option
@store_options
def guideline(
    file: Path,
    change: str,
    *,
    approved_by: str | None,
    **where: Any,  # noqa: ANN401 - the options that `by_option` and `store_options` add
) -> None:
    """Propose a Markdown file as the next guideline, or publish it where another person approves it at once.

    Once the store has an admin, the one who approves gives their password here, or approves on the page.

    Example: preceptor label guideline coding.md --change "Unspecified codes count as minor errors." --approved-by bob
    """
    from datetime import UTC, datetime

    from core.access import Act
    from core.errors import DataError
    from labeling.quality.guideline import Draft, propose, publish

    engine = engine_of(where)
    author = acting(engine, where["by"], Act.PUBLISH_GUIDELINE)
    try:
        draft = Draft(file.read_text(encoding="utf-8"), change)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError([f"{file}: it cannot be read as UTF-8 text"], "Name a Markdown file.") from error
    if approved_by is None:
        proposal = propose(engine, draft, by=author, now=datetime.now(UTC))
        click.echo(f"Proposed as version {proposal.builds_on + 1}.")
        click.echo("Next: someone else approves it on the page /guideline (preceptor label serve)")
        return
    approver = _approver(engine, approved_by)
    published = publish(engine, draft, by=author, approved_by=approver, now=datetime.now(UTC))
    click.echo(f"Version {published.version} is in force: written by {author.name}, approved by {approver.name}.")
    click.echo("Experts are asked to read it before their next pair.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--kind",
    type=click.Choice(["hidden", "practice", "qualification"]),
    default="hidden",
    show_default=True,
    help="Of rows that name none.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@by_option
@store_options
def gold(file: Path, *, kind: str, as_json: bool, **where: Any) -> None:  # noqa: ANN401 - see `guideline`
    """Name pairs whose right answer is known: hidden among the work, for practice, or to qualify by.

    Example: preceptor label gold known.jsonl --kind hidden
    """
    from datetime import UTC, datetime

    from core.access import Act
    from core.reading import read_rows
    from labeling.quality.setting_gold import set_gold

    engine = engine_of(where)
    actor = acting(engine, where["by"], Act.PUBLISH_GUIDELINE)
    report = set_gold(engine, read_rows(file), kind=kind, by=actor, now=datetime.now(UTC))
    if as_json:
        click.echo(json.dumps({"set": dict(report.n_set), "unchanged": report.n_unchanged}))
        return
    counts = ", ".join(f"{n} {name}" for name, n in report.n_set.items()) or "none"
    click.echo(f"Pairs set: {counts}. Unchanged: {report.n_unchanged}.")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@store_options
def agreement(*, as_json: bool, **where: Any) -> None:  # noqa: ANN401 - see `guideline`
    """Show how far experts agree, by stratum, with intervals; what that allows; and whose work deserves a look.

    Where experts judged what the recheck could not settle, it also says how often they overruled it.

    Example: preceptor label agreement --json
    """
    from assurance.agreement_figures import Measure
    from core.labeling_settings import LabelingSettings
    from labeling.quality.report import quality_report

    settings = settings_of(where["config"])
    labeling = settings.labeling if settings else LabelingSettings()
    with engine_of(where, settings).connect() as connection:
        report = quality_report(connection, pass_share=labeling.pass_share)
    if as_json:
        strata = {
            one.stratum or "all": {
                **{str(name): figure.model_dump() for name, figure in one.verdict.figures.items()},
                "alpha_on_strength": one.strength.model_dump(),
                "alpha_weak_acceptable": one.weak_release.figures[Measure.ALPHA_NOMINAL].model_dump(),
                "alpha_strong_acceptable": one.strong_release.figures[Measure.ALPHA_NOMINAL].model_dump(),
                "pairs_judged_twice": one.verdict.n_items,
                "notes": list(one.notes),
            }
            for one in report.agreements
        }
        remarks = {one.name: list(one.remarks) for one in report.raters.raters if one.remarks}
        release = report.release.model_dump(mode="json")
        overruled = {
            **report.overruling.overrides.model_dump(),
            "not_checked": report.overruling.n_not_checked,
            "not_said": report.overruling.n_not_said,
        }
        facts = {"release": release, "strata": strata, "remarks": remarks, "waiting": report.n_waiting}
        click.echo(json.dumps({**facts, "overrides": overruled}))
        return
    click.echo(report.release.sentence)
    for one in report.agreements:
        figures = one.verdict.figures
        click.echo(
            f"{one.stratum or 'all pairs'}: {one.verdict.n_items} judged twice, raw {figures[Measure.RAW]}, "
            f"alpha {figures[Measure.ALPHA_NOMINAL]}, AC1 {figures[Measure.AC1]}, on strength {one.strength}"
        )
        for note in one.notes:
            click.echo(f"  {note}")
    overall = report.overruling.overrides.overall
    if overall.share is not None:
        click.echo(f"The recheck was overruled on {overall.n_overridden} of {overall.n} answers: {overall.share}.")
        for check, found in report.overruling.overrides.by_check.items():
            click.echo(f"  {check}: {found.n_overridden} of {found.n}, {found.share}")
    for rater in report.raters.raters:
        for remark in rater.remarks:
            click.echo(f"{rater.name}: {remark}")
    if report.n_waiting:
        click.echo(f"{report.n_waiting} pairs wait for a ruling: open /adjudicate (preceptor label serve)")


def _approver(engine: "sa.Engine", name: str) -> "Actor":
    """The person who approves; where the store has an admin, they show that it is them."""
    from datetime import UTC, datetime

    from core.people import actor_of, is_open
    from core.store import writing
    from web.guard import reauthenticate

    now = datetime.now(UTC)
    with writing(engine) as connection:
        actor = actor_of(connection, name, now=now, at_command_line=True)
        needs_proof = not is_open(connection)
    if needs_proof:
        password = click.prompt(f"Password of {actor.name}", hide_input=True, err=True)
        code = click.prompt("Code of the authenticator, if there is one", default="", show_default=False, err=True)
        reauthenticate(engine, actor.name, password, code, now=now)
    return actor
