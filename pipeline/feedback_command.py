"""The command that writes a frozen version's judgements into MLflow."""

from pathlib import Path

import click


@click.command()
@click.argument("reference", metavar="NAME@N")
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="Settings that say where MLflow is.")
@click.option(
    "--tracking-uri", envvar="MLFLOW_TRACKING_URI", help="MLflow store; default: the settings' or sqlite:///mlflow.db."
)
@click.option("--experiment", default="preceptor-labels", show_default=True, help="Experiment of the run.")
@click.option(
    "--folder", type=click.Path(path_type=Path), default=Path("datasets"), show_default=True, help="Versions."
)
@click.option("--with-text", is_flag=True, help="Queries, answers and reasons too; without it ids and hashes alone.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def feedback(  # noqa: PLR0913 - one argument an option
    reference: str,
    *,
    config: Path | None,
    tracking_uri: str | None,
    experiment: str,
    folder: Path,
    with_text: bool,
    as_json: bool,
) -> None:
    """Write a frozen version's judgements into MLflow: a trace per pair, an assessment per expert.

    Example: preceptor feedback cardiology@1 --config configs/medical_coding.yaml
    """
    import json
    from dataclasses import asdict

    from core.settings import load_settings
    from pipeline.feedback import write_feedback
    from pipeline.tracking import Workbench

    settings = None if config is None else load_settings(config)
    uri = tracking_uri or (settings.mlflow.tracking_uri if settings else "sqlite:///mlflow.db")
    location = settings.mlflow.artifact_location if settings else None
    written = write_feedback(folder / reference, Workbench(uri, experiment, location), with_text=with_text)
    if as_json:
        click.echo(json.dumps(asdict(written)))
        return
    click.echo(f"{written.n_new} of {written.n_feedback} judgements on {written.n_traces} pairs are new in MLflow.")
    click.echo(f"Run {written.run_id} in experiment '{experiment}' at {uri}")
