"""Commands of the labeling room about frozen versions: freeze, export."""

import json
from pathlib import Path
from typing import Any

import click

from labeling.commands.options import by_option, engine_of, store_options


@click.command()
@click.argument("name")
@click.option(
    "--folder", type=click.Path(path_type=Path), default=Path("datasets"), show_default=True, help="Where to."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@by_option
@store_options
def freeze(name: str, folder: Path, *, as_json: bool, **where: Any) -> None:  # noqa: ANN401 - the options that `by_option` and `store_options` add
    """Freeze the judgements that stand as an immutable dataset version NAME@N.

    Example: preceptor label freeze cardiology
    """
    from datetime import UTC, datetime

    from core.fingerprint import of_file
    from labeling.frozen.dataset_files import MANIFEST, counts
    from labeling.frozen.freezing import freeze as freeze_judgements

    dataset, is_new = freeze_judgements(engine_of(where), name, folder, by=where["by"], now=datetime.now(UTC))
    path, n = folder / dataset.reference, counts(dataset)
    sha256 = of_file(path / MANIFEST)
    if as_json:
        found = {"dataset": dataset.reference, "new": is_new, "folder": str(path), "manifest_sha256": sha256}
        click.echo(json.dumps({**found, "counts": n}))
        return
    click.echo(f"{dataset.reference}{'' if is_new else ' (nothing changed since)'}: {path}")
    click.echo(
        f"{n['judgements']} judgements of {n['experts']} experts on {n['pairs']} pairs, {n['outcomes']} outcomes."
    )
    click.echo(f"Manifest sha256 {sha256}")
    click.echo(f"Next: name {path / 'outcomes.jsonl'} under data in the YAML, then preceptor run CONFIG")


@click.command("export")
@click.argument("reference", metavar="NAME@N")
@click.option(
    "--format",
    "form",
    type=click.Choice(["outcomes", "trl", "lmarena", "routellm"]),
    default="outcomes",
    show_default=True,
    help="The form to write.",
)
@click.option("--output", type=click.Path(path_type=Path), help="File to write; otherwise stdout.")
@click.option(
    "--folder", type=click.Path(path_type=Path), default=Path("datasets"), show_default=True, help="Versions."
)
@by_option
@store_options
def export_command(
    reference: str,
    form: str,
    *,
    output: Path | None,
    folder: Path,
    **where: Any,  # noqa: ANN401 - the options that `by_option` and `store_options` add
) -> None:
    """Write a frozen version as JSON lines in the form of another tool.

    Example: preceptor label export cardiology@1 --format trl --output preferences.jsonl
    """
    from labeling.frozen.exports import export_version

    text, n_rows, n_left_out = export_version(engine_of(where), reference, form, folder=folder, by=where["by"])
    if output is None:
        click.echo(text, nl=False)
    else:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8", newline="\n")
    click.echo(f"{n_rows} rows; {n_left_out} have no place in this form.", err=True)
