"""The `serve` command: settings in, server up. `gateway.serving.building` builds the gateway itself."""

import logging
import socket
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from core.errors import SettingsError

if TYPE_CHECKING:
    from core.settings import RunSettings
    from gateway.serving.to_serve import ToServe

LOG = logging.getLogger("preceptor.gateway")

MOST_ON_SQLITE = 3
"""Workers that one SQLite file serves well: it takes one writer at a time."""


@click.command()
@click.option(
    "--config", type=click.Path(path_type=Path), required=True, help="Settings; the pair's base_url must be set."
)
@click.option("--host", help="Address to listen on; settings say 127.0.0.1 by default.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one.")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes that answer on the port; settings say 1.")
@click.option("--bundle", "reference", help="What decides: models:/NAME@ALIAS, models:/NAME/3 or a folder.")
@click.option(
    "--check", "is_check", is_flag=True, help="Say what of it can be served and what cannot, and serve nothing."
)
def serve(
    config: Path, host: str | None, port: int | None, workers: int | None, reference: str | None, is_check: bool
) -> None:
    """Serve the OpenAI-compatible gateway: cheap answers where they can be trusted, rechecked where stakes are high.

    A bundle that cannot be loaded does not stop it: the strong model answers everything, and a line says why. SIGTERM
    lets it answer what it has and stop; SIGHUP starts several workers anew, one after another, with the settings read
    again.

    Example: preceptor serve --config configs/medical_coding.yaml --port 6060
    """
    from core.settings import load_settings
    from gateway.keys.door import listening_fault
    from gateway.serving.listening import listen
    from gateway.serving.log_lines import log_to_stderr

    given = {"host": host, "port": port, "workers": workers}
    settings = _with(load_settings(config), given)
    reference = reference or settings.bundle_reference
    if is_check:
        from gateway.serving.checking import check

        raise SystemExit(check(settings, reference))
    gateway = settings.gateway
    if fault := listening_fault(gateway, gateway.host):
        raise SettingsError(fault)
    log_to_stderr()
    with ExitStack() as ends:
        listening = ends.enter_context(listen(gateway.host, gateway.port))
        what = _watched(settings, reference, ends)
        if gateway.workers > 1:
            status = _serve_several(what, listening, ends, read_again=lambda: _with(load_settings(config), given))
            raise SystemExit(status)
        from gateway.serving.worker import serve as serve_one

        serve_one(what, listening, on_ready=lambda: _say_ready(settings, listening))


def _with(settings: "RunSettings", given: Mapping[str, object]) -> "RunSettings":
    """The settings, with what the command line says in their place."""
    said = {name: value for name, value in given.items() if value is not None}
    return settings.model_copy(update={"gateway": settings.gateway.model_copy(update=said)})


def _watched(settings: "RunSettings", reference: str, ends: ExitStack) -> "ToServe":
    """What to serve, with the process that follows its aliases started where there are any."""
    from gateway.bundles.references import References
    from gateway.bundles.watching_plan import Plan
    from gateway.serving.to_serve import ToServe

    plan = Plan.of(settings, References.of(settings.gateway, reference))
    if plan is not None:
        from gateway.bundles.watcher import Watcher

        watcher = Watcher(plan)
        watcher.start()
        ends.callback(watcher.stop)
    return ToServe(settings, reference, settings.gateway.workers, plan.pointer_file if plan is not None else None)


def _serve_several(
    what: "ToServe", listening: socket.socket, ends: ExitStack, *, read_again: Callable[[], "RunSettings"]
) -> int:
    """Serve with several workers; the exit status."""
    from gateway.records.shared_counts import forget_worker
    from gateway.serving.to_serve import Orders
    from gateway.serving.workers import Told, Workers, worker_command

    settings = what.settings
    if settings.gateway.workers > MOST_ON_SQLITE and settings.store_url.startswith("sqlite"):
        LOG.warning(
            "%d workers wait for one another on SQLite. Set store_url to PostgreSQL, or use at most %d workers.",
            *(settings.gateway.workers, MOST_ON_SQLITE),
        )
    folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="preceptor-serve-")))  # its owner's alone
    counts, orders = folder / "counts", folder / "orders.json"
    counts.mkdir()
    Orders(what, counts, listening.fileno()).write(orders)

    def renew() -> bool:
        try:
            renewed = what._replace(settings=read_again())
        except SettingsError as error:
            LOG.error("%s\nThe workers go on with the settings that they have.", error)
            return False
        Orders(renewed, counts, listening.fileno()).write(orders)
        LOG.warning("Starting the workers anew, one after another.")
        return True

    told = Told(
        on_ready=lambda: _say_ready(settings, listening),
        on_end=partial(forget_worker, counts),
        may_renew=renew,
    )
    return Workers(worker_command(orders), listening, settings.gateway.workers, told=told).run()


def _say_ready(settings: "RunSettings", listening: socket.socket) -> None:
    host, n = settings.gateway.host, settings.gateway.workers
    scheme = "http" if settings.gateway.tls is None else "https"
    url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}/v1"
    by = f" by {n} workers" if n > 1 else ""
    click.echo(f"Serving on {url}{by} (what works as a model name: GET {url}/models)", err=True)
