"""Commands of the labeling room about what is judged: import, held, clear."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labeling.commands.ask_options import Asked, ask_options, asked_source
from labeling.commands.import_report import print_report, print_taken_over
from labeling.commands.options import acting, by_option, engine_of, settings_of, store_options

if TYPE_CHECKING:
    from core.settings import RunSettings
    from labeling.content.inspecting import ImportRules

DATA_CLASSES = ("synthetic", "public", "deidentified", "limited", "identified")


@click.command("import")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--unresolved", is_flag=True, help="In place of files: the answers that the recheck could not settle.")
@click.option("--weak", metavar="MODEL", help="The cheap model, where rows hold more than two answers.")
@click.option("--strong", metavar="MODEL", help="The expensive model.")
@click.option("--map", "mapping", multiple=True, metavar="FIELD=COLUMN", help="Read this column as that field.")
@click.option("--data-class", type=click.Choice(DATA_CLASSES), help="What kind of texts.  [default: the settings']")
@click.option("--dry-run", is_flag=True, help="Report what would be imported and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@ask_options
@by_option
@store_options
def import_command(
    files: tuple[Path, ...],
    *,
    unresolved: bool,
    mapping: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
    **where: Any,  # noqa: ANN401 - the other options
) -> None:
    """Import queries with two answers each from JSONL, CSV or Parquet: all rows or none.

    Duplicates are skipped, so the same file can be imported again. Items in which an identifier of a patient seems to
    stand are held back until `preceptor label clear`. With --ask the two models of the settings give the answers:
    what they gave is kept in a file, so that a run that was stopped goes on where it was. With --unresolved it takes
    over what the gateway or `preceptor verify` kept for a person; experts get these pairs first.

    Example: preceptor label import pairs.jsonl --weak coder-small --strong coder-large
    """
    from dataclasses import asdict
    from datetime import UTC, datetime

    from core.access import Act
    from core.errors import DataError
    from labeling.content.importing import write_pairs
    from labeling.content.inspecting import inspect_pairs
    from labeling.content.rows import mapping_of
    from labeling.content.sources import Source
    from labeling.content.unresolved import import_unresolved

    settings = settings_of(where["config"])
    rules = _rules(settings, where)
    engine = engine_of(where, settings)
    actor = acting(engine, where["by"], Act.IMPORT_ITEMS)
    if unresolved == bool(files):
        raise click.UsageError("Name FILES to import, or --unresolved, and not both.")
    if unresolved:
        taken = import_unresolved(engine, by=actor.name, now=datetime.now(UTC), rules=rules, dry_run=dry_run)
        print_taken_over(taken, dry_run=dry_run, data_class=rules.data_class, as_json=as_json)
        return
    source = Source(files, weak=rules.weak, strong=rules.strong, mapping=mapping_of(mapping))
    asked = Asked(source, estimates=())
    if where["ask"]:
        asked = asked_source(engine, source, settings, where, data_class=rules.data_class, dry_run=dry_run)
    inspection = inspect_pairs(engine, asked.source, rules=rules)
    report = inspection.report
    if not dry_run:
        write_pairs(engine, asked.source, inspection, by=actor.name, now=datetime.now(UTC), rules=rules)
    if as_json:
        facts = {"can_be_imported": report.can_be_imported, "fields_not_used": report.fields_not_used}
        cost = [asdict(one) for one in asked.estimates]
        click.echo(json.dumps({**asdict(report), **facts, "dry_run": dry_run, "estimated_cost": cost}))
    else:
        print_report(report, dry_run=dry_run, data_class=rules.data_class)
    if report.faults:
        raise DataError(report.faults, "Mend these rows (docs/labeling.md shows the form), then import.")


@click.command()
@click.option("--show", "item", metavar="ITEM", help="Show this item's texts with what was found; the ledger notes it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@by_option
@store_options
def held(item: str | None, *, as_json: bool, **where: Any) -> None:  # noqa: ANN401 - see `import_command`
    """List the items that are held back, and what was found in them.

    Example: preceptor label held --json
    """
    from datetime import UTC, datetime

    from core.access import Act
    from labeling.content.clearance import findings_of, held_items, view_held
    from labeling.phi.masking import segments

    engine = engine_of(where)
    if item is not None:
        actor = acting(engine, where["by"], Act.VIEW_PHI)
        seen = view_held(engine, item, by=actor, now=datetime.now(UTC))
        for text in seen.texts:
            pieces = [
                piece if one is None else f"[{one.kind}: {piece}]" for piece, one in segments(text.text, text.findings)
            ]
            click.echo(f"{text.label}\n{''.join(pieces)}\n")
        return
    with engine.connect() as connection:
        found = {one: findings_of(connection, one) for one in held_items(connection)}
    if as_json:
        click.echo(json.dumps({"held": found}))
        return
    for one, kinds in found.items():
        click.echo(f"{one}: {', '.join(f'{kind} {n}' for kind, n in kinds.items()) or 'flagged by an expert'}")
    click.echo(f"{len(found)} items held back." if found else "Nothing is held back.")
    if found:
        click.echo(f"Next: preceptor label held --show {next(iter(found))}")


@click.command()
@click.argument("item")
@click.option("--mask", "choice", flag_value="mask", help="Replace what was found by its kind and a number.")
@click.option("--exclude", "choice", flag_value="exclude", help="Leave the item out for good.")
@click.option("--also", multiple=True, metavar="WORDS", help="With --mask: mask these words, too, wherever they stand.")
@click.option("--reason", default="", help="Why what was found identifies nobody; needed to show the item as it is.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@by_option
@store_options
def clear(
    item: str,
    *,
    choice: str | None,
    also: tuple[str, ...],
    reason: str,
    yes: bool,
    **where: Any,  # noqa: ANN401 - see `import_command`
) -> None:
    """Decide on an item that was held back: show it as it is, mask what was found, or leave it out.

    Example: preceptor label clear claim-0042 --mask --yes
    """
    from datetime import UTC, datetime

    from core.access import Act
    from labeling.content.clearance import clear_item, exclude_item, findings_of, mask_item

    engine = engine_of(where)
    actor, now = acting(engine, where["by"], Act.CLEAR_PHI), datetime.now(UTC)
    with engine.connect() as connection:
        findings = findings_of(connection, item)
    if findings and not yes:
        kinds = ", ".join(f"{kind} {n} times" for kind, n in findings.items())
        what = {"mask": "Mask it", "exclude": "Leave the item out for good"}
        question = what.get(choice or "", "Show it to experts all the same")
        click.confirm(f"The search found {kinds} in '{item}'. {question}?", abort=True)
    if choice == "mask":
        masked = mask_item(engine, item, also=also, by=actor, now=now)
        click.echo(f"Masked: {', '.join(f'{kind} {n}' for kind, n in masked.items())}.")
    elif choice == "exclude":
        exclude_item(engine, item, by=actor, now=now)
        click.echo(f"'{item}' is left out.")
        return
    else:
        clear_item(engine, item, reason=reason, by=actor, now=now)
    click.echo(f"'{item}' is in the queue.")


def _rules(settings: "RunSettings | None", where: dict[str, Any]) -> "ImportRules":
    from core.labeling_settings import LabelingSettings
    from labeling.content.inspecting import ImportRules

    labeling = settings.labeling if settings else LabelingSettings()
    weak, strong = where["weak"], where["strong"]
    if settings is not None and weak is None and strong is None:
        weak, strong = settings.pair.weak.name, settings.pair.strong.name
    return ImportRules(
        weak=weak,
        strong=strong,
        data_class=where["data_class"] or labeling.data_class,
        overlap_high_stakes=labeling.overlap_high_stakes,
        overlap_low_stakes=labeling.overlap_low_stakes,
    )
