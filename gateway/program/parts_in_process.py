"""What a controller is built from: the routing loop with its parts, from a program's words or from settings."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from core.errors import PreceptorError, SettingsError
from core.records import Stakes
from gateway.deciding import DecidingSource
from gateway.loop import RoutingLoop
from gateway.program.providers import Access

LOG = logging.getLogger("preceptor.gateway")


class Parts(NamedTuple):
    """The loop, what decides in it, and how it ends."""

    loop: RoutingLoop
    source: DecidingSource
    close: Callable[[], Awaitable[object]]
    """Ends what stands around the loop."""
    given_names: Mapping[str, str]
    """The program's names of the two models, by those that their endpoints know."""

    async def aclose(self) -> None:
        """Record what is under way, then let go of everything."""
        await self.loop.aclose()
        await self.close()


def parts_of(
    routers: Sequence[str],
    config: Mapping[str, Mapping[str, Any]] | None,
    *,
    weak: tuple[str, Access],
    strong: tuple[str, Access],
    stakes: str,
) -> Parts:
    """The parts that a program names: no checks, no store, the same stakes for all that name none.

    Raises:
        SettingsError: a bundle or an endpoint is not named, or they do not belong together.
        BundleError, RegistryError: a bundle cannot be fetched or read.
    """
    from gateway.asking.upstream import Upstream
    from gateway.attempts import Models
    from gateway.deciding import FixedBundles
    from gateway.guard import Guard
    from gateway.program.providers import endpoint_of_model
    from gateway.program.router_config import bundles_of
    from gateway.scoring import Scorer
    from verifiers.stakes.policy import StakesPolicy

    if stakes not in list(Stakes):
        raise SettingsError(f"'{stakes}' are no stakes. Name low, standard, high or critical.")
    endpoints = [endpoint_of_model(*one) for one in (weak, strong)]
    names = [endpoint.name for endpoint in endpoints]
    if names[0] == names[1]:
        raise SettingsError(f"The weak and the strong model are both '{names[0]}'. A router decides between two.")
    bundles = bundles_of(routers, config, weak=names[0], strong=names[1])
    source, scorer = FixedBundles(bundles), Scorer()
    loop = RoutingLoop(
        models=Models(*map(Upstream, endpoints)),
        source=source,
        guard=Guard(stakes=StakesPolicy(default=Stakes(stakes))),
        scorer=scorer,
    )

    async def close() -> None:
        scorer.close()  # nobody waits for this event loop any more

    return Parts(loop, source, close, dict(zip(names, (weak[0], strong[0]), strict=True)))


async def parts_from_settings(path: Path, bundle: str | None) -> Parts:
    """The parts of a YAML, as `preceptor serve` builds them, started on the event loop that runs this.

    Raises:
        SettingsError: the settings describe no gateway.
        PreceptorError: the store does not answer.
    """
    import asyncio

    from core.settings import load_settings
    from gateway.serving.building import Gateway
    from gateway.serving.to_serve import ToServe

    settings = load_settings(path)
    reference = await asyncio.to_thread(_folder_of, settings, bundle or settings.bundle_reference)
    gateway = Gateway(ToServe(settings, reference))
    await gateway.start()
    return Parts(gateway.loop, gateway.source, gateway.aclose, {})


def _folder_of(settings: Any, reference: str) -> str:  # noqa: ANN401 - RunSettings, which is not imported for a type
    """Where a reference leads now; one that leads nowhere stops nothing, and its requests go to the strong model."""
    if not reference.startswith("models:"):
        return reference
    from models.registry import fetch_bundle

    cache = settings.folder / settings.name / "bundles"
    try:
        return str(fetch_bundle(reference, tracking_uri=settings.mlflow.tracking_uri, cache=cache))
    except PreceptorError as error:
        LOG.error("%s Until the controller is built again, the strong model answers all.", error)
        return str(cache / "not-fetched")
