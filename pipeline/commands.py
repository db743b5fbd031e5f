"""Commands of the pipeline: run, learn-curve, evaluate, score, promote, rollback."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pipeline.alias_moves import Desk
    from pipeline.promotion import Move

_bundle = click.option("--bundle", "reference", required=True, help="A folder, models:/NAME@ALIAS or models:/NAME/3.")
_config = click.option(
    "--config", type=click.Path(path_type=Path, dir_okay=False), help="Settings that say where registry and store are."
)
_tracking = click.option(
    "--tracking-uri",
    envvar="MLFLOW_TRACKING_URI",
    help="Where models:/ references are looked up; default: the settings' or sqlite:///mlflow.db.",
)
_store = click.option(
    "--store", "store_url", help="Database URL of the ledger; default: the settings' or preceptor.db."
)
_set = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="A setting said otherwise: router.family=combined."
)
_json = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
_file = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("config", type=_file)
@click.option("--from", "start_from", metavar="STAGE", help="Run this stage and all after it, changed or not.")
@click.option("--dry-run", is_flag=True, help="Say what would run, on what rows, at what cost; train nothing.")
@_set
@_json
def run(config: Path, start_from: str | None, dry_run: bool, overrides: tuple[str, ...], as_json: bool) -> None:
    """Adapt a router: prepare, split, embed, train, calibrate, evaluate, register, promote.

    A stage whose inputs did not change is not run again; a killed run goes on where it stopped.

    Example: preceptor run configs/medical_coding.yaml --dry-run
    """
    from core.settings import load_settings
    from pipeline.running import describe_plan, outcome_json, outcome_text, plan_json, plan_text, run_settings

    settings = load_settings(config, overrides)
    if dry_run:
        from pipeline.rehearsal import rehearsal_text, rehearse

        planned, rehearsal = describe_plan(settings, start_from=start_from), rehearse(settings)
        click.echo(plan_json(planned, rehearsal) if as_json else f"{plan_text(planned)}\n\n{rehearsal_text(rehearsal)}")
        return
    ran = run_settings(settings, start_from=start_from)
    click.echo(outcome_json(settings, ran) if as_json else outcome_text(settings, config))


@click.command(name="learn-curve")
@click.argument("config", type=_file)
@click.option("--size", "sizes", multiple=True, type=click.IntRange(2), help="Number of labels; may be given again.")
@click.option("--more", default=200, show_default=True, type=click.IntRange(1), help="Further labels to forecast for.")
@_set
@_json
def learn_curve(config: Path, sizes: tuple[int, ...], more: int, overrides: tuple[str, ...], as_json: bool) -> None:
    """Show quality against the number of labels, and what further labels would bring.

    Trains on growing draws of the target's rows and scores held-out ones; the run's test rows are not touched.

    Example: preceptor learn-curve configs/medical_coding.yaml --more 200
    """
    from core.settings import load_settings
    from pipeline.learning import curve_json, curve_text, measure_learning_curve
    from pipeline.running import run_folder, watching

    settings = load_settings(config, overrides)
    with watching() as watcher:
        curve = measure_learning_curve(settings, sizes=sizes or None, more=more, watcher=watcher)
    click.echo(curve_json(curve) if as_json else curve_text(curve, run_folder(settings)))


@click.command()
@_bundle
@click.option("--data", "data", type=_file, required=True, multiple=True, help="Outcome file; may be given again.")
@click.option("--weak", help="Weak model in the data; default: the bundle's.")
@click.option("--strong", help="Strong model in the data; default: the bundle's.")
@click.option("--domain", "domains", multiple=True, help="Only rows of this domain; may be given again.")
@click.option("--resamples", default=2000, show_default=True, type=click.IntRange(200), help="Bootstrap resamples.")
@_config
@_tracking
@_json
def evaluate(  # noqa: PLR0913 - one argument an option
    reference: str,
    data: tuple[Path, ...],
    weak: str | None,
    strong: str | None,
    domains: tuple[str, ...],
    resamples: int,
    config: Path | None,
    tracking_uri: str | None,
    as_json: bool,
) -> None:
    """Measure a bundle on outcomes: APGR, CPT(50 %) and CPT(80 %), each with a 95 % interval, beside the floors.

    Example: preceptor evaluate --bundle models:/medical-coding@champion --data outcomes.jsonl --json
    """
    from pipeline.applying import evaluate_bundle, evaluation_json, evaluation_text, warning_of

    evaluation = evaluate_bundle(
        reference,
        data,
        pair=(weak, strong),
        domains=domains,
        n_resamples=resamples,
        tracking_uri=_places(config, tracking_uri)[0],
    )
    if warning := warning_of(evaluation):
        click.echo(f"Warning: {warning}", err=True)
    click.echo(evaluation_json(evaluation) if as_json else evaluation_text(evaluation))


@click.command()
@_bundle
@click.option("--input", "source", type=_file, required=True, help="JSONL, CSV or Parquet with a query per row.")
@click.option("--output", type=_file, required=True, help="Written when complete: one probability a line.")
@_config
@_tracking
def score(reference: str, source: Path, output: Path, config: Path | None, tracking_uri: str | None) -> None:
    """Write the probability that the strong model is needed, one line per query, in the order of the input.

    Example: preceptor score --bundle models:/medical-coding@champion --input queries.jsonl --output scores.txt
    """
    from pipeline.applying import score_file

    n = score_file(reference, source, output, tracking_uri=_places(config, tracking_uri)[0])
    click.echo(f"{n} probabilities written to {output}.", err=True)


@click.command()
@click.argument("name")
@click.argument("version", type=int)
@click.option("--to", "alias", default="champion", show_default=True, help="The alias to move.")
@click.option("--by", "actor", required=True, help="Who runs this.")
@click.option("--approved-by", "approver", required=True, help="Who approves; not the one who trained it.")
@click.option("--reason", default="", help="Why, for the ledger.")
@click.option("--expected", type=int, help="Version the alias has now, where it was moved outside Preceptor.")
@_config
@_tracking
@_store
@_json
def promote(  # noqa: PLR0913 - one argument an option
    name: str,
    version: int,
    alias: str,
    actor: str,
    approver: str,
    reason: str,
    expected: int | None,
    config: Path | None,
    tracking_uri: str | None,
    store_url: str | None,
    as_json: bool,
) -> None:
    """Point an alias at a version whose gates all pass and which a second person approves.

    The ledger keeps who, when, why and the gates' results.

    Example: preceptor promote medical-coding 2 --to champion --by ann --approved-by bob
    """
    from pipeline import promotion

    move = promotion.promote(
        name,
        version,
        alias,
        by=promotion.Signers(actor, approver, reason),
        desk=_desk(config, tracking_uri, store_url),
        expected=expected,
    )
    _tell(move, as_json)


@click.command()
@click.argument("name")
@click.option("--to", "alias", default="champion", show_default=True, help="The alias to move back.")
@click.option("--by", "actor", required=True, help="Who runs this.")
@click.option("--reason", default="", help="Why, for the ledger.")
@_config
@_tracking
@_store
@_json
def rollback(  # noqa: PLR0913 - one argument an option
    name: str,
    alias: str,
    actor: str,
    reason: str,
    config: Path | None,
    tracking_uri: str | None,
    store_url: str | None,
    as_json: bool,
) -> None:
    """Point an alias back at the version approved before. Trains nothing, asks nobody: going back is always allowed.

    Example: preceptor rollback medical-coding --to champion --by ann
    """
    from pipeline import promotion

    move = promotion.rollback(
        name,
        alias,
        by=promotion.Signers(actor, actor, reason),
        desk=_desk(config, tracking_uri, store_url),
    )
    _tell(move, as_json)


def _desk(config: Path | None, tracking_uri: str | None, store_url: str | None) -> "Desk":
    from models.encoders import cache_folder
    from pipeline.promotion import open_desk

    gates_sha256 = None
    if config is not None:
        from core.settings import load_settings
        from pipeline.gates import gates_fingerprint

        gates_sha256 = gates_fingerprint(load_settings(config).gates)
    tracking_uri, store_url = _places(config, tracking_uri, store_url)
    cache = cache_folder() / "bundles"
    return open_desk(tracking_uri=tracking_uri, store_url=store_url, cache=cache, gates_sha256=gates_sha256)


def _places(config: Path | None, tracking_uri: str | None, store_url: str | None = None) -> tuple[str, str]:
    """Registry and store: what the options name, else what the settings name, else files in the current folder."""
    if config is not None:
        from core.settings import load_settings

        settings = load_settings(config)
        return tracking_uri or settings.mlflow.tracking_uri, store_url or settings.store_url
    return tracking_uri or "sqlite:///mlflow.db", store_url or "sqlite:///preceptor.db"


def _tell(move: "Move", as_json: bool) -> None:
    import json
    from dataclasses import asdict

    if as_json:
        click.echo(json.dumps(asdict(move)))
        return
    before = "nothing" if move.version_before is None else f"version {move.version_before}"
    click.echo(
        f"{move.name}@{move.alias}: {before} -> version {move.version_after} "
        f"(bundle {move.bundle_sha256[:12]}, ledger event {move.ledger_seq})"
    )
    click.echo(f"Next: preceptor serve --bundle models:/{move.name}@{move.alias} --config YOUR.yaml", err=True)
