"""Commands of the labeling room: import, serve, invite, status, clear; freeze and export stand beside."""

import json
from typing import Any

import click

from labeling.commands.import_report import first_of
from labeling.commands.importing import clear, held, import_command
from labeling.commands.options import acting, by_option, engine_of, settings_of, store_options
from labeling.commands.quality import agreement, gold, guideline
from labeling.commands.queueing import meter, select, ties
from labeling.commands.versions import diff, export_command, freeze


@click.group()
def label() -> None:
    """Let experts judge pairs of answers, and freeze what they said.

    Example: preceptor label import pairs.jsonl --dry-run
    """


@label.command()
@click.option("--expert", metavar="NAME", multiple=True, help="Print an access link for this expert; may be repeated.")
@click.option("--overlap", type=click.IntRange(min=1), help="From now on, this many experts judge each pair.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8100, show_default=True, help="Port to listen on.")
@click.option("--allow-host", multiple=True, metavar="NAME", help="Further host name under which experts reach it.")
@by_option
@store_options
def serve(
    expert: tuple[str, ...],
    overlap: int | None,
    *,
    host: str,
    port: int,
    allow_host: tuple[str, ...],
    **where: Any,  # noqa: ANN401 - see `import_command`
) -> None:
    """Serve the judging screen, on this machine alone unless --host says otherwise.

    Example: preceptor label serve --expert "Dana Ruiz" --overlap 2
    """
    from datetime import UTC, datetime

    import uvicorn

    from core.access import Act
    from core.access_settings import AccessSettings
    from core.labeling_settings import LabelingSettings
    from core.ledger import append_in
    from core.store import writing
    from labeling.app import create_app
    from labeling.queueing.experts import invite_expert
    from labeling.queueing.places import set_wanted
    from web.shell import LOOPBACK_HOSTS

    settings = settings_of(where["config"])
    engine = engine_of(where, settings)
    if overlap is not None:
        actor = acting(engine, where["by"], Act.SELECT_QUEUE)
        with writing(engine) as connection:
            n_pairs = set_wanted(connection, high=overlap, low=overlap, audit=overlap)
            details = {"experts": overlap, "pairs": n_pairs}
            append_in(connection, actor.name, "queue.overlap", "queue", details, now=datetime.now(UTC))
    shown_host = allow_host[0] if allow_host else host
    app = create_app(
        engine,
        settings=settings.labeling if settings else LabelingSettings(),
        access=settings.access if settings else AccessSettings(),
        hosts=(*LOOPBACK_HOSTS, host, *allow_host),
    )
    for name in expert:
        token = invite_expert(engine, name, by=where["by"], now=datetime.now(UTC))
        click.echo(f"{name}: http://{shown_host}:{port}/sign-in?token={token}")
    if not expert:
        click.echo(f"http://{shown_host}:{port} (access links: preceptor label invite NAME)")
    if host not in LOOPBACK_HOSTS:
        click.echo("Others can reach this address: put a proxy that speaks TLS in front of it.", err=True)
    # No access log: its lines would hold the access tokens.
    uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False, server_header=False)


@label.command()
@click.argument("name")
@click.option("--url", default="http://127.0.0.1:8100", show_default=True, help="Where the screen is served.")
@by_option
@store_options
def invite(name: str, url: str, **where: Any) -> None:  # noqa: ANN401 - see `import_command`
    """Print a one-time access link for an expert; earlier links of theirs become void.

    Example: preceptor label invite "Dana Ruiz"
    """
    from datetime import UTC, datetime

    from labeling.queueing.experts import invite_expert

    token = invite_expert(engine_of(where), name, by=where["by"], now=datetime.now(UTC))
    click.echo(f"{url.rstrip('/')}/sign-in?token={token}")


@label.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@store_options
def status(*, as_json: bool, **where: Any) -> None:  # noqa: ANN401 - see `import_command`
    """Show how many pairs are judged, by whom, how far experts agree, and what is held back.

    Example: preceptor label status --json
    """
    from dataclasses import asdict

    from labeling.content.clearance import held_items
    from labeling.quality.overview import overview

    with engine_of(where).connect() as connection:
        state, waiting = overview(connection), held_items(connection)
    if as_json:
        click.echo(json.dumps({**asdict(state), "agreement": state.agreement.model_dump(), "held_items": waiting}))
        return
    click.echo(f"{state.n_judged} of {state.n_pairs} pairs judged, {state.n_judged_twice} by two experts or more.")
    for expert in state.experts:
        click.echo(f"  {expert.name}: {expert.judged} judged, of these {expert.cannot_judge} cannot judge")
    agreed = state.agreement
    if agreed.raw is not None:
        alpha = f", Krippendorff's alpha {agreed.alpha:.3f}" if agreed.alpha is not None else ""
        click.echo(f"Agreement on {agreed.n_items} pairs: raw {agreed.raw:.1%}{alpha}.")
    if agreed.reason:
        click.echo(agreed.reason)
    if waiting:
        click.echo(f"{len(waiting)} items held back: {first_of(waiting)}")
        click.echo(f"Next: preceptor label held --show {waiting[0]}")


label.add_command(freeze)
label.add_command(diff)
label.add_command(import_command)
label.add_command(held)
label.add_command(clear)
label.add_command(export_command)
label.add_command(select)
label.add_command(meter)
label.add_command(ties)
label.add_command(guideline)
label.add_command(gold)
label.add_command(agreement)
