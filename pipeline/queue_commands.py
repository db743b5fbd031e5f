"""The pipeline's command for the labeling queue: prioritise."""

from pathlib import Path

import click


@click.command()
@click.argument("config", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--bundle", "reference", help="A folder, models:/NAME@ALIAS or models:/NAME/3.  [default: the champion]")
@click.option("--also", multiple=True, help="Another router's bundle, for disagreement; may be given again.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def prioritise(config: Path, reference: str | None, also: tuple[str, ...], as_json: bool) -> None:
    """Tell the labeling queue what the router thinks of the queries that wait: its doubts, and what is new to it.

    Run it after each promotion, and then: preceptor label select --stream active --n 100.

    Example: preceptor prioritise configs/medical_coding.yaml --bundle models:/medical-coding@challenger
    """
    import json
    from dataclasses import asdict
    from datetime import UTC, datetime

    from core.settings import load_settings
    from pipeline import prioritising

    written = prioritising.prioritise(load_settings(config), reference=reference, also=also, now=datetime.now(UTC))
    if as_json:
        click.echo(json.dumps(asdict(written)))
        return
    click.echo(f"{written.n_queries} queries scored by {written.bundle}.")
    for remark in written.remarks:
        click.echo(remark)
    click.echo("Next: preceptor label select --stream active --n 100", err=True)
