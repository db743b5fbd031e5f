"""The `serve` command: settings in, server up."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from core.settings import ModelSettings, RunSettings
    from gateway.certified import RoutingBundle
    from gateway.loop import RoutingLoop
    from gateway.upstream import Upstream

LOOPBACK_HOSTS = ("127.0.0.1", "::1", "localhost")


@click.command()
@click.option(
    "--config", type=click.Path(path_type=Path), required=True, help="Settings; the pair's base_url must be set."
)
@click.option("--host", help="Address to listen on; settings say 127.0.0.1 by default.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one.")
@click.option("--bundle", "reference", help="What decides: models:/NAME@ALIAS, models:/NAME/3 or a folder.")
def serve(config: Path, host: str | None, port: int | None, reference: str | None) -> None:
    """Serve the OpenAI-compatible gateway: cheap answers where they can be trusted, rechecked where stakes are high.

    A bundle that cannot be loaded does not stop it: the strong model answers everything, and a line says why.

    Example: preceptor serve --config configs/medical_coding.yaml --port 6060
    """
    import os

    import uvicorn

    from core.errors import SettingsError
    from core.settings import load_settings
    from gateway.app import Doors, create_app
    from gateway.keys import OneKey
    from gateway.listening import listen

    settings = load_settings(config)
    host = host or settings.gateway.host
    port = settings.gateway.port if port is None else port
    variable = settings.gateway.api_key_env
    api_key = os.environ.get(variable, "") if variable is not None else None
    if api_key == "":
        raise SettingsError(f"gateway.api_key_env names ${variable}, which is not set. Run `export {variable}=...`.")
    if host not in LOOPBACK_HOSTS and api_key is None:
        raise SettingsError(
            f"Listening on {host} without a key would let anyone spend yours. "
            "Set gateway.api_key_env, or listen on 127.0.0.1."
        )
    doors = Doors(keys=None if api_key is None else OneKey(api_key))
    app = create_app(_loop(settings, reference or settings.bundle_reference), doors=doors)
    listening = listen(host, port)
    url = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}/v1"
    click.echo(f"Serving on {url} (what works as a model name: GET {url}/models)", err=True)
    # No access log: a path says little, and the decisions are on record.
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, server_header=False))
    with listening:
        server.run(sockets=[listening])


def _loop(settings: "RunSettings", reference: str) -> "RoutingLoop":
    from core.store import open_store
    from gateway.attempts import Models
    from gateway.deciding import FixedBundles
    from gateway.decision_log import DecisionLog
    from gateway.keeping import UnresolvedLog
    from gateway.loop import Guard, RoutingLoop
    from gateway.parts import InThread
    from gateway.wiring import recheck_for
    from verifiers.stakes.sources import policy_in_force

    bundle = _bundle(settings, reference)
    engine = open_store(settings.store_url)
    weak, strong = settings.pair.weak, settings.pair.strong
    keeps = settings.gateway.keep_unresolved
    unresolved = UnresolvedLog(engine, weak=weak.name, strong=strong.name) if keeps else None
    stakes = policy_in_force(settings.verifiers, settings.data.target_domains)
    recheck = recheck_for(settings, bundle)
    return RoutingLoop(
        models=Models(_upstream("weak", weak), _upstream("strong", strong)),
        source=FixedBundles({settings.router.family: bundle}, recheck, settings.data.target_domains),
        guard=Guard(stakes=stakes, unresolved=unresolved, max_calls=settings.gateway.max_calls),
        decisions=InThread(DecisionLog(engine)),
    )


def _upstream(role: str, model: "ModelSettings") -> "Upstream":
    from core.errors import SettingsError
    from gateway.upstream import Endpoint, Upstream

    if model.base_url is None:
        raise SettingsError(f"pair.{role}.base_url is not set. Name the OpenAI-compatible endpoint of {model.name}.")
    return Upstream(
        Endpoint.model_validate({**model.model_dump(exclude={"may_see_identified"}), "base_url": model.base_url})
    )


def _bundle(settings: "RunSettings", reference: str) -> "RoutingBundle | None":
    from core.errors import PreceptorError
    from gateway.certified import recheck_fault
    from gateway.wiring import load_deciding
    from verifiers.assembling import verifier_policy

    try:
        bundle = load_deciding(settings, reference)
    except PreceptorError as error:
        click.echo(f"preceptor: {error}\nUntil it is served with a bundle, the strong model answers all.", err=True)
        return None
    here = verifier_policy(settings.verifiers, settings.data.target_domains)
    if fault := recheck_fault(bundle.certificate, bundle.papers.verifier, here):
        click.echo(f"preceptor: {fault}\nUntil then the strong model answers all.", err=True)
        return None
    click.echo(f"Deciding with {reference} ({bundle.sha256[:12]})", err=True)
    return bundle
