"""The command `shadow`: a challenger that decides nothing, or a share, beside the champion, as the store has them."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from assurance.paired_choices import PairedChoices
    from gateway.bundles.choices_on_record import Read
    from gateway.bundles.shadow_report import ArmFigures, CanaryFigures, ShadowFigures

_SPAN = re.compile(r"([1-9][0-9]{0,4})([hd])")


@click.command()
@click.option("--config", type=click.Path(path_type=Path), required=True, help="Settings that say where the store is.")
@click.option("--since", default="7d", show_default=True, metavar="SPAN", help="How far back: 12h, 7d.")
@click.option("--domain", help="Only requests of this domain.")
@click.option("--limit", type=click.IntRange(min=0), default=20, show_default=True, help="Requests listed that differ.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def shadow(config: Path, *, since: str, domain: str | None, limit: int, as_json: bool) -> None:
    """Compare the bundle that decides with the one that only scores (gateway.shadow), and with a canary's.

    Example: preceptor shadow --config configs/medical_coding.yaml --since 7d
    """
    import numpy as np

    from core.settings import load_settings
    from core.store import create_tables, open_store
    from gateway.bundles.choices_on_record import choices_since, pairs_of
    from gateway.bundles.shadow_report import canary_figures, shadow_figures

    settings = load_settings(config)
    start = datetime.now(UTC) - _span(since)
    engine = open_store(settings.store_url)
    create_tables(engine)
    with engine.connect() as connection:
        read = choices_since(connection, start, domain=domain)
        pairs = pairs_of(connection, read.rows, start)
    engine.dispose()
    weak, strong = settings.pair.weak.name, settings.pair.strong.name
    beside = shadow_figures(pairs, rng=np.random.default_rng(0), most=limit)
    canary = canary_figures(read.rows, weak=weak, strong=strong, rng=np.random.default_rng(0))
    if as_json:
        facts = {name: value for name, value in read._asdict().items() if name != "rows"}
        figures = {"shadows": [one.model_dump(mode="json") for one in beside]}
        arms = {"canary": None if canary is None else canary.model_dump(mode="json")}
        click.echo(json.dumps({"since": start.isoformat(), **facts, **figures, **arms}))
        return
    for line in (*_read_lines(read), *(line for one in beside for line in _shadow_lines(one)), *_canary_lines(canary)):
        click.echo(line)
    if not beside and canary is None:
        click.echo("Nothing was scored beside. Set gateway.shadow or gateway.canary, and serve.")
    else:
        click.echo("Next: preceptor promote NAME VERSION --to champion, or go on watching.")


def _span(text: str) -> timedelta:
    found = _SPAN.fullmatch(text)
    if found is None:
        raise click.BadParameter(f"'{text}' is no span of time. Write 12h or 7d.", param_hint="--since")
    return timedelta(**{{"h": "hours", "d": "days"}[found[2]]: int(found[1])})


def _read_lines(read: "Read") -> Iterator[str]:
    yield (
        f"{read.n_requests} requests: {len(read.rows)} compared, one a conversation; {read.n_later_turns} later turns "
        f"and {read.n_not_decided} that no router decided are left out."
    )


def _shadow_lines(one: "ShadowFigures") -> Iterator[str]:
    yield f"\nChampion {one.champion[:12]}, challenger {one.challenger[:12]}: {one.overall.n} requests scored by both"
    yield f"  {'':24} {'n':>6}  {'champion strong':22}  {'challenger strong':22}  {'difference':24}  p"
    yield _choices_line("all", one.overall)
    for stratum, found in one.by_stratum.items():
        yield _choices_line(stratum, found)
    yield f"  agreement            {one.overall.agreement}"
    if one.rank_correlation is not None:
        yield f"  rank correlation     {one.rank_correlation:.3f}"
    if one.n_not_scored:
        yield f"  not scored           {one.n_not_scored} (they would have gone to the strong model)"
    if one.cost_change_usd is not None:
        change = one.cost_change_usd
        yield f"  cost a request       {change.estimate:+.6f} USD [{change.low:+.6f}, {change.high:+.6f}]"
    if one.n_without_cost:
        yield f"  of unknown cost      {one.n_without_cost}"
    for row in one.differ:
        other = "none" if row.challenger_probability is None else f"{row.challenger_probability:.3f}"
        went, would = ("strong", "weak") if row.champion_strong else ("weak", "strong")
        yield f"  {row.id}  {row.stratum}  {went} at {row.champion_probability:.3f}, would be {would} at {other}"
    n_left = one.overall.n_only_first + one.overall.n_only_second - len(one.differ)
    if n_left > 0:
        yield f"  ... and {n_left} more that differ (--limit)"


def _choices_line(name: str, found: "PairedChoices") -> str:
    first, second, difference = str(found.first), str(found.second), str(found.difference)
    return f"  {name:24} {found.n:>6}  {first:22}  {second:22}  {difference:24}  {found.p_value:.3g}"


def _canary_lines(found: "CanaryFigures | None") -> Iterator[str]:
    if found is None:
        return
    yield "\nCanary, since its first decision"
    for arm in (found.champion, found.canary):
        yield from _arm_lines(arm)
    yield f"  canary minus champion: asked strong {found.asked_strong}; escalated {found.escalated or 'not known'}"


def _arm_lines(arm: "ArmFigures") -> Iterator[str]:
    verdicts = ", ".join(f"{name} {n}" for name, n in sorted(arm.verdicts.items()))
    cost = "not known" if arm.cost_usd is None else f"{arm.cost_usd.estimate:.6f} USD"
    if arm.cost_usd is not None:
        cost += f" [{arm.cost_usd.low:.6f}, {arm.cost_usd.high:.6f}]"
    yield f"  {arm.arm:9} {arm.n} requests by {', '.join(one[:12] for one in arm.bundles)}"
    yield f"            asked strong {arm.asked_strong}; escalated {arm.escalated or 'not known'}"
    yield f"            cost a request {cost}; recheck: {verdicts}"
