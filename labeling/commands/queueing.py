"""Commands of the labeling room about the queue: select, meter."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labeling.commands.options import acting, by_option, engine_of, settings_of, store_options

if TYPE_CHECKING:
    from labeling.queueing.meter import Meter


@click.command()
@click.option(
    "--stream",
    type=click.Choice(["audit", "active"]),
    required=True,
    help="audit: at random, never trained on. active: by score.",
)
@click.option("--n", type=click.IntRange(1), required=True, help="Items to choose.")
@click.option("--seed", type=click.IntRange(0, 2**31), default=0, show_default=True, help="Seed of the draw.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@by_option
@store_options
def select(stream: str, n: int, seed: int, *, as_json: bool, **where: Any) -> None:  # noqa: ANN401 - the options that `by_option` and `store_options` add
    """Choose what experts judge next, with the chance that each item had.

    The active stream reads the signals that `preceptor prioritise` wrote. Chosen pairs come before all others.

    Example: preceptor label select --stream audit --n 300 --seed 7
    """
    from dataclasses import asdict
    from datetime import UTC, datetime

    from core.access import Act
    from core.labeling_settings import LabelingSettings
    from labeling.queueing.selecting import Request, select_active, select_audit

    settings = settings_of(where["config"])
    labeling = settings.labeling if settings else LabelingSettings()
    engine = engine_of(where, settings)
    actor = acting(engine, where["by"], Act.SELECT_QUEUE)
    if stream == "audit":
        request = Request(n, seed, wanted=labeling.overlap_audit)
        drawing = select_audit(engine, request, actor=actor, now=datetime.now(UTC))
    else:
        drawing = select_active(engine, Request(n, seed), actor=actor, now=datetime.now(UTC))
    if as_json:
        click.echo(json.dumps(asdict(drawing)))
        return
    click.echo(f"{drawing.n_chosen} of {drawing.n_candidates} waiting items are in the {stream} stream.")
    for reason, n_items in drawing.reasons.items():
        click.echo(f"  {n_items:>5}  {reason}")
    for remark in drawing.remarks:
        click.echo(remark)
    click.echo("Next: preceptor label serve --expert NAME")


@click.command()
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write.")
@by_option
@store_options
def ties(output: Path, **where: Any) -> None:  # noqa: ANN401 - see `select`
    """Write the waiting items whose two answers say the same, as rows to train on: no expert needs to see them.

    Each is a tie. Name the file under data.files beside the frozen outcomes; write it anew before each run.

    Example: preceptor label ties --output ties.jsonl
    """
    from datetime import UTC, datetime

    from core.access import Act
    from labeling.queueing.same_answers import write_ties

    engine = engine_of(where)
    lines = write_ties(engine, actor=acting(engine, where["by"], Act.EXPORT), now=datetime.now(UTC))
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="\n")
    click.echo(f"{len(lines)} ties written to {output}.", err=True)


@click.command()
@click.option(
    "--curve",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="What `preceptor learn-curve CONFIG --more 50 --json` printed.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@store_options
def meter(curve: Path | None, *, as_json: bool, **where: Any) -> None:  # noqa: ANN401 - see `select`
    """Show how far each stream is, what the next 50 labels are worth, and when to stop.

    Example: preceptor label meter --json
    """
    from labeling.queueing.meter import read_curve, read_meter

    with engine_of(where).connect() as connection:
        found = read_meter(connection, curve=None if curve is None else read_curve(curve))
    click.echo(json.dumps(_as_json(found)) if as_json else _as_text(found))


def _as_json(found: "Meter") -> dict[str, Any]:
    from dataclasses import asdict

    value = found.audit.value
    return {
        **asdict(found),
        "audit": {**asdict(found.audit), "value": None if value is None else value.model_dump(mode="json")},
        "n_places_left": found.n_places_left,
        "hours_left": round(found.hours_left, 1),
        "advice": found.advice,
    }


def _as_text(found: "Meter") -> str:
    lines = [f"{'stream':<8} {'stratum':<28} {'pairs':>8} {'judged':>8} {'wanted':>8}"]
    for one in found.stretches:
        lines.append(f"{one.stream:<8} {one.stratum:<28.28} {one.n_pairs:>8} {one.n_judged:>8} {one.n_places_left:>8}")
    how = "measured" if found.is_timed else "assumed"
    lines.append(
        f"\n{found.n_places_left} judgements are wanted: {found.hours_left:.1f} expert hours "
        f"at {found.minutes_a_pair:.1f} minutes a pair ({how})."
    )
    audit = found.audit
    if audit.harm_bound is not None:
        lines.append(
            f"Audit: on {audit.n_labels} pairs the weak answer is acceptable in {audit.n_acceptable:.1f}, and harms in "
            f"{audit.n_harms}: with 95 % confidence harm is below {audit.harm_bound:.1%}."
        )
    lines.append(found.advice)
    lines.append("Clean audited pairs that prove, with 95 % confidence, a harm of at most:")
    lines += [f"  {one.max_harm:.1%}: {one.n_clean}" for one in found.plan]
    return "\n".join(lines)
