"""Commands of the labeling room about frozen versions: freeze, diff, export."""

import json
from pathlib import Path
from typing import Any

import click

from labeling.commands.options import by_option, engine_of, settings_of, store_options

_folder = click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("datasets"),
    show_default=True,
    help="Folder of the versions.",
)
_json = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")

FORMS = ("outcomes", "trl", "kto", "lmarena", "argilla", "labelstudio", "routellm", "hf")


@click.command()
@click.argument("name")
@_folder
@click.option("--sign", "is_signed", is_flag=True, help="Attest and sign; asks for your password and code.")
@_json
@by_option
@store_options
def freeze(name: str, folder: Path, *, is_signed: bool, as_json: bool, **where: Any) -> None:  # noqa: ANN401 - the options that `by_option` and `store_options` add
    """Freeze the judgements that stand as an immutable dataset version NAME@N.

    A store with accounts freezes signed versions alone: here with --sign, or on the page /versions.

    Example: preceptor label freeze cardiology
    """
    from datetime import UTC, datetime

    from core.fingerprint import of_file
    from core.labeling_settings import LabelingSettings
    from labeling.frozen.dataset_files import MANIFEST, counts
    from labeling.frozen.freezing import ATTESTATION, FreezeTerms
    from labeling.frozen.freezing import freeze as freeze_judgements

    settings = settings_of(where["config"])
    engine = engine_of(where, settings)
    method = None
    if is_signed:
        from web.guard import reauthenticate

        click.confirm(f"{ATTESTATION}\nDo you attest this?", abort=True, err=True)
        password = click.prompt("Password", hide_input=True, err=True)
        code = click.prompt("Code of your authenticator (empty: none)", default="", show_default=False, err=True)
        method = reauthenticate(engine, where["by"], password, code, now=datetime.now(UTC))
    use = (settings.labeling if settings else LabelingSettings()).intended_use
    terms = FreezeTerms(intended_use=use, signing_method=method)
    dataset, is_new = freeze_judgements(engine, name, folder, by=where["by"], now=datetime.now(UTC), terms=terms)
    path, n = folder / dataset.reference, counts(dataset)
    sha256 = of_file(path / MANIFEST)
    signed = dataset.about.signed if dataset.about else None
    if as_json:
        found = {"dataset": dataset.reference, "new": is_new, "folder": str(path), "manifest_sha256": sha256}
        click.echo(json.dumps({**found, "signed": None if signed is None else str(signed), "counts": n}))
        return
    click.echo(f"{dataset.reference}{'' if is_new else ' (nothing changed since)'}: {path}")
    click.echo(
        f"{n['judgements']} judgements of {n['experts']} experts on {n['pairs']} pairs, {n['outcomes']} outcomes"
        f" and {n['audit_outcomes']} for audit."
    )
    click.echo(f"Manifest sha256 {sha256}")
    click.echo(str(signed) if signed else "Not signed.")
    click.echo(f"Next: name {path / 'outcomes.jsonl'} under data in the YAML, then preceptor run CONFIG")


@click.command()
@click.argument("before", metavar="NAME@1")
@click.argument("after", metavar="NAME@2")
@_folder
@_json
@store_options
def diff(before: str, after: str, *, folder: Path, as_json: bool, **where: Any) -> None:  # noqa: ANN401 - see `freeze`
    """Say which pairs a version has more, less or judged differently than another.

    Example: preceptor label diff cardiology@1 cardiology@2
    """
    from dataclasses import asdict

    from labeling.frozen.comparing import difference
    from labeling.frozen.versions import open_version

    engine = engine_of(where)
    found = difference(*(open_version(engine, one, folder) for one in (before, after)))
    if as_json:
        click.echo(json.dumps(asdict(found)))
        return
    numbers = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in found.numbers().items())
    click.echo(f"{before} to {after}: pairs {numbers}.")


@click.command("export")
@click.argument("reference", metavar="NAME@N", required=False)
@click.option("--format", "form", type=click.Choice(FORMS), default="outcomes", show_default=True, help="The form.")
@click.option(
    "--per-rater/--consensus",
    default=None,
    help="Each expert's verdict, or that of all together.  [default: per rater for lmarena, argilla, labelstudio]",
)
@click.option(
    "--split",
    type=click.Choice(["train", "audit", "all"]),
    default="train",
    show_default=True,
    help="Rows to learn from, rows kept for audit, or both.",
)
@click.option("--recipient", default="", metavar="NAME", help="Who gets it, for the ledger.")
@click.option("--config-xml", is_flag=True, help="Print the labeling interface for labelstudio's tasks, no rows.")
@click.option("--output", type=click.Path(path_type=Path), help="File (for hf: folder) to write; otherwise stdout.")
@_folder
@by_option
@store_options
def export_command(  # noqa: PLR0913 - one argument an option
    reference: str | None,
    form: str,
    *,
    per_rater: bool | None,
    split: Any,  # noqa: ANN401 - one of the choices
    recipient: str,
    config_xml: bool,
    output: Path | None,
    folder: Path,
    **where: Any,  # noqa: ANN401 - the options that `by_option` and `store_options` add
) -> None:
    """Write a frozen version in the form of another tool, with FILE.manifest.json beside it.

    Example: preceptor label export cardiology@1 --format trl --output preferences.jsonl
    """
    from datetime import UTC, datetime

    if config_xml:
        from labeling.frozen.annotation_forms import LABEL_STUDIO_CONFIG

        if form != "labelstudio":
            raise click.UsageError("--config-xml belongs to --format labelstudio.")
        _write_or_print(LABEL_STUDIO_CONFIG, output)
        return
    if reference is None:
        raise click.UsageError("Name a version: NAME@N.")
    if form == "hf" and output is None:
        raise click.UsageError("The form hf is a folder: name one with --output.")
    from labeling.frozen.exports import ExportTerms, export_version

    terms = ExportTerms(form, split, per_rater, recipient)
    exported = export_version(engine_of(where), reference, terms, folder=folder, by=where["by"], now=datetime.now(UTC))
    if output is None:
        click.echo(exported.text, nl=False)
    else:
        click.echo(f"Manifest: {exported.write(output)}", err=True)
    click.echo(f"{exported.n_rows} rows; {exported.n_left_out} have no place in this form.", err=True)


def _write_or_print(text: str, output: Path | None) -> None:
    if output is None:
        click.echo(text, nl=False)
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text, encoding="utf-8", newline="\n")
