"""The report of an import in words, for the terminal."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from labeling.content.reports import ImportReport
    from labeling.content.unresolved import TakenOver


def print_report(report: "ImportReport", *, dry_run: bool, data_class: str) -> None:
    """Print what was found, and the next command."""
    click.echo(
        f"{'Dry run: ' if dry_run else ''}{report.n_rows} rows, {report.n_new} new pairs, "
        f"{report.n_duplicates} duplicates skipped."
    )
    if dry_run:
        _print_plan(report)
    if report.n_same_question:
        click.echo(f"{report.n_same_question} new items ask what another item asks, but for case, blanks and signs.")
    if report.n_near_duplicates:
        _print_near(report)
    if report.names_a_model:
        click.echo(
            f"{len(report.names_a_model)} items have an answer that says who wrote it; experts see it struck out:"
        )
        click.echo(f"  {first_of(report.names_a_model)}")
    if report.phi_by_item:
        _print_identifiers(report, data_class=data_class)
    if report.not_asked:
        click.echo(f"{len(report.not_asked)} rows left out, since a model gave no answer:")
        click.echo(f"  {first_of(report.not_asked)}")
    if report.fields_not_used:
        click.echo(f"Fields not used: {', '.join(report.fields_not_used)}")
    if dry_run:
        faults = len(report.faults)
        click.echo("The file can be imported." if not faults else f"It cannot be imported: {faults} faults.")
    else:
        click.echo("Next: preceptor label serve --expert NAME")


def print_taken_over(taken: "TakenOver", *, dry_run: bool, data_class: str, as_json: bool) -> None:
    """Print what was taken over of what the recheck could not settle."""
    if as_json:
        reports = [asdict(report) for report in taken.reports]
        click.echo(
            json.dumps({"n_new": taken.n_new, "n_single": taken.n_single, "dry_run": dry_run, "reports": reports})
        )
        return
    for report in taken.reports:
        print_report(report, dry_run=dry_run, data_class=data_class)
    if not taken.reports:
        click.echo("No pair of answers waits for a person.")
    if taken.n_single:
        click.echo(f"{taken.n_single} requests have one answer alone, and stay where they are.")


def first_of(names: Sequence[str], n: int = 5) -> str:
    """The first names and how many more there are.

    >>> first_of(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    rest = len(names) - n
    return ", ".join(names[:n]) + (f" and {rest} more" if rest > 0 else "")


def _print_plan(report: "ImportReport") -> None:
    width = max((len(column.name) for column in report.columns), default=0)
    for column in report.columns:
        click.echo(f"  {column.name:<{width}}  {column.read_as or 'not used':<22} {column.n_rows:>7} rows")
    stakes = ", ".join(f"{n} {name}" for name, n in sorted(report.pairs_by_stakes.items()))
    if stakes:
        click.echo(f"Stakes: {stakes}. Strata: {len(report.pairs_by_stratum)}.")
        for name, n in list(report.pairs_by_stratum.items())[:10]:
            click.echo(f"  {name}  {n}")
    quick, slow = report.expert_hours
    if report.n_judgements_wanted:
        click.echo(f"{report.n_judgements_wanted} judgements wanted: {quick:.1f} to {slow:.1f} hours of experts.")


def _print_near(report: "ImportReport") -> None:
    n_crossing = sum(near.crosses_audit for near in report.near_duplicates)
    click.echo(
        f"Near duplicates in different groups: {report.n_near_duplicates}. Give those one group to keep them together."
    )
    if n_crossing:
        click.echo(f"  {n_crossing} of them stand in the audit stream on one side alone:")
    for near in report.near_duplicates[:10]:
        mark = ", across the audit stream" if near.crosses_audit else ""
        click.echo(f"  {near.first} and {near.second} ({near.similarity:.0%} alike{mark})")


def _print_identifiers(report: "ImportReport", *, data_class: str) -> None:
    kinds = ", ".join(f"{kind} in {n}" for kind, n in sorted(report.items_by_phi_kind.items()))
    if not report.held:
        items = tuple(report.phi_by_item)
        click.echo(f"{len(items)} items with findings ({kinds}), shown all the same as {data_class}: {first_of(items)}")
        return
    click.echo(f"Items held back: {len(report.held)} ({kinds}): {first_of(report.held)}")
    click.echo(f"Next: preceptor label held --show {report.held[0]}")
