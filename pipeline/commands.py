"""Commands of the pipeline: run, evaluate, score, promote, rollback."""

from pathlib import Path

import click

_bundle = click.option("--bundle", "reference", required=True, help="A folder, models:/NAME@ALIAS or models:/NAME/3.")
_tracking = click.option(
    "--tracking-uri",
    envvar="MLFLOW_TRACKING_URI",
    default="sqlite:///mlflow.db",
    show_default=True,
    help="Where models:/ references are looked up.",
)
_store = click.option(
    "--store", "store_url", default="sqlite:///preceptor.db", show_default=True, help="Database URL of the ledger."
)
_json = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
_file = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("config", type=_file)
@click.option("--from", "start_from", metavar="STAGE", help="Run this stage and all after it, changed or not.")
@click.option("--dry-run", is_flag=True, help="Say what would run and why, then stop.")
@_json
def run(config: Path, start_from: str | None, dry_run: bool, as_json: bool) -> None:
    """Adapt a router: prepare, split, embed, train, calibrate, evaluate, register, promote.

    A stage whose inputs did not change is not run again; a killed run goes on where it stopped.

    Example: preceptor run configs/medical_coding.yaml --dry-run
    """
    from core.settings import load_settings
    from pipeline.running import describe_plan, run_settings

    settings = load_settings(config)
    if dry_run:
        click.echo(describe_plan(settings, start_from=start_from, as_json=as_json))
        return
    click.echo(run_settings(settings, config=config, start_from=start_from, as_json=as_json))


@click.command()
@_bundle
@click.option("--data", "data", type=_file, required=True, multiple=True, help="Outcome file; may be given again.")
@click.option("--weak", help="Weak model in the data; default: the bundle's.")
@click.option("--strong", help="Strong model in the data; default: the bundle's.")
@click.option("--domain", "domains", multiple=True, help="Only rows of this domain; may be given again.")
@click.option("--resamples", default=2000, show_default=True, type=click.IntRange(200), help="Bootstrap resamples.")
@_tracking
@_json
def evaluate(  # noqa: PLR0913 - one argument an option
    reference: str,
    data: tuple[Path, ...],
    weak: str | None,
    strong: str | None,
    domains: tuple[str, ...],
    resamples: int,
    tracking_uri: str,
    as_json: bool,
) -> None:
    """Measure a bundle on outcomes: APGR, CPT(50 %) and CPT(80 %), each with a 95 % interval, beside the floors.

    Example: preceptor evaluate --bundle models:/medical-coding@champion --data outcomes.jsonl --json
    """
    from pipeline.applying import evaluate_bundle

    click.echo(
        evaluate_bundle(
            reference,
            data,
            pair=(weak, strong),
            domains=domains,
            n_resamples=resamples,
            tracking_uri=tracking_uri,
            as_json=as_json,
        )
    )


@click.command()
@_bundle
@click.option("--input", "source", type=_file, required=True, help="JSONL, CSV or Parquet with a query per row.")
@click.option("--output", type=_file, required=True, help="Written when complete: one probability a line.")
@_tracking
def score(reference: str, source: Path, output: Path, tracking_uri: str) -> None:
    """Write the probability that the strong model is needed, one line per query, in the order of the input.

    Example: preceptor score --bundle models:/medical-coding@champion --input queries.jsonl --output scores.txt
    """
    from pipeline.applying import score_file

    n = score_file(reference, source, output, tracking_uri=tracking_uri)
    click.echo(f"{n} probabilities written to {output}.", err=True)
