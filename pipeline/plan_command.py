"""The command `plan`: how many labels a promise takes. Reads no data and writes nothing."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from assurance.planning import Plan

_share = click.FloatRange(0, 1, min_open=True, max_open=True)


@click.command()
@click.option("--max-harm", type=_share, default=0.02, show_default=True, help="The promised rate, as a fraction.")
@click.option("--delta", type=_share, default=0.05, show_default=True, help="Allowed chance of a broken promise.")
@click.option("--labels", type=click.IntRange(0), help="Labels at hand in each stratum.")
@click.option("--strata", type=click.IntRange(1), default=1, show_default=True, help="Strata certified at once.")
@click.option("--harms", type=click.IntRange(0, 100), default=5, show_default=True, help="Rows of the table.")
@click.option("--presets", is_flag=True, help="Show rules of thumb for budgets instead, and what they do not promise.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def plan(  # noqa: PLR0913 - one argument an option
    max_harm: float, delta: float, labels: int | None, strata: int, harms: int, presets: bool, as_json: bool
) -> None:
    """Show how many labels a promise about harm takes, per stratum: exact counts, and the chance of success.

    Example: preceptor plan --max-harm 0.01 --delta 0.05 --labels 180
    """
    import json

    from assurance.planning import plan_labels
    from assurance.presets import PRESETS, presets_text

    if presets:
        found = {name: preset.model_dump() for name, preset in PRESETS.items()}
        click.echo(json.dumps(found) if as_json else presets_text())
        return
    only, first = (
        plan_labels(max_harm, delta=delta, n_labels=labels, n_strata=strata, attempt=attempt, harms=harms)
        for attempt in (None, 1)
    )
    if as_json:
        click.echo(json.dumps({"one_attempt": only.model_dump(), "first_of_any": first.model_dump()}))
        return
    click.echo(_text(only, first))


def _text(only: "Plan", first: "Plan") -> str:
    """Both plans beside one another: one declared attempt, and the first of any number."""
    lines = [
        only.sentence,
        "",
        f"labels per stratum that promise harm <= {only.max_harm:.2%}",
        f"{'':<44}{'one attempt':>12}{'any number':>12}",
        f"{'level per stratum':<44}{only.delta_per_stratum:>12.4g}{first.delta_per_stratum:>12.4g}",
    ]
    pairs = zip(only.labels_for_harms, first.labels_for_harms, strict=True)
    for k, (n_only, n_first) in enumerate(pairs):
        name = "no harmful answer among those that leave" if k == 0 else f"{k} harmful"
        lines.append(f"{name:<44}{n_only:>12,}{n_first:>12,}")
    for name in only.labels_for_power:
        words = f"80 % chance, true harm a {name} of the promise"
        lines.append(f"{words:<44}{only.labels_for_power[name]:>12,}{first.labels_for_power[name]:>12,}")
    lines += [
        "",
        "One attempt: certificate.attempts is 1, and later trials on the same rows certify nothing.",
        "Any number: certificate.attempts is unset; the first trial may spend half of delta.",
    ]
    return "\n".join(lines)
