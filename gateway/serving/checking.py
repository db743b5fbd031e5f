"""`preceptor serve --check`: says of each part whether it can be served, and what is wrong. Serves and asks nothing."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from core.errors import PreceptorError

if TYPE_CHECKING:
    from core.settings import RunSettings


def check(settings: "RunSettings", reference: str) -> int:
    """Print one line a part; the exit status, 1 where a part cannot be served.

    What would send all requests to the strong model counts as such a part, though `serve` would start with it.
    """
    n_faults = 0
    for name, look in _parts(settings, reference):
        try:
            said, is_fine = look(), True
        except PreceptorError as error:
            said, is_fine = str(error), False
            n_faults += 1
        click.echo(f"{'ok   ' if is_fine else 'FAULT'} {name}: {said}")
    if n_faults:
        click.echo(f"{n_faults} of these keep the gateway from serving as the settings say.", err=True)
        return 1
    click.echo("All of it can be served. Next: the same command without --check.", err=True)
    return 0


def _parts(settings: "RunSettings", reference: str) -> "Iterator[tuple[str, Callable[[], str]]]":
    from gateway.bundles.references import References

    yield "listening", lambda: _listening(settings)
    yield "store", lambda: _store(settings)
    yield "keys", lambda: _keys(settings)
    yield "models", lambda: _models(settings)
    yield "stakes", lambda: _stakes(settings)
    yield "recheck", lambda: _recheck(settings)
    references = References.of(settings.gateway, reference)
    for one in references.all:
        yield f"bundle ({', '.join(references.parts_of(one))})", lambda one=one: _bundle(settings, one)  # type: ignore[misc]


def _listening(settings: "RunSettings") -> str:
    from core.errors import SettingsError
    from gateway.keys.door import listening_fault

    gateway = settings.gateway
    if fault := listening_fault(gateway, gateway.host):
        raise SettingsError(fault)
    if gateway.tls is not None:
        from gateway.serving.tls import server_context

        server_context(gateway.tls)
    speaks = "HTTP" if gateway.tls is None else "HTTPS"
    return f"{speaks} on {gateway.host}:{gateway.port}, {gateway.workers} worker{'s' * (gateway.workers > 1)}"


def _store(settings: "RunSettings") -> str:
    from core.migrations import HEAD
    from core.store import open_store, revision_of

    engine = open_store(settings.store_url)
    try:
        with engine.connect() as connection:
            revision = revision_of(connection)
    finally:
        engine.dispose()
    if revision not in (None, HEAD):
        url = engine.url.render_as_string(hide_password=True)
        raise PreceptorError(
            f"The store has tables of revision {revision}, this release has {HEAD}. "
            f"Use `preceptor store upgrade --store {url}`, or the release that wrote it."
        )
    return f"{engine.dialect.name}, " + ("new; its tables are made by `serve`" if revision is None else revision)


def _keys(settings: "RunSettings") -> str:
    from core.errors import SettingsError
    from core.store import open_store
    from gateway.keys.from_settings import budget_fault, door_of

    if fault := budget_fault(settings):
        raise SettingsError(fault)
    if settings.gateway.keys == "store":
        return "of the store (`preceptor key list` shows them)"
    engine = open_store(settings.store_url)
    try:
        return "none is asked for" if door_of(settings.gateway, engine) is None else "one, from the environment"
    finally:
        engine.dispose()


def _models(settings: "RunSettings") -> str:
    from gateway.serving.building import models_of

    models = models_of(settings)
    return f"{models.weak.name} (weak) and {models.strong.name} (strong) have addresses and keys; neither was asked"


def _stakes(settings: "RunSettings") -> str:
    from verifiers.stakes.sources import policy_in_force

    policy = policy_in_force(settings.verifiers, settings.data.target_domains)
    return f"{policy.default.value} by default, {len(policy.rules)} rules"


def _recheck(settings: "RunSettings") -> str:
    from gateway.wiring import recheck_for

    checks = recheck_for(settings, None).checks
    return f"{len(checks)} checks of pack {settings.verifiers.pack}"


def _bundle(settings: "RunSettings", reference: str) -> str:
    from core.errors import BundleError
    from gateway.bundles.admission import Admission
    from gateway.certified import standing_of

    now = datetime.now(UTC)
    found = Admission(settings).admit(_folder_of(settings, reference), sha256=None, now=now)
    if found.bundle is None:
        raise BundleError(f"{reference} cannot decide ({found.fault}). {found.sentence}")
    standing = standing_of(found.bundle, now=now)
    if standing.fault is not None:
        raise BundleError(f"{reference} cannot decide ({standing.fault}). {found.sentence}")
    ends = "no certificate" if standing.expires_at is None else f"its certificate ends {standing.expires_at:%Y-%m-%d}"
    return f"{reference} ({found.bundle.sha256[:12]}), {ends}"


def _folder_of(settings: "RunSettings", reference: str) -> Path:
    from gateway.bundles.references import FROM_REGISTRY

    if not reference.startswith(FROM_REGISTRY):
        return Path(reference)
    from models.registry import fetch_bundle

    cache = settings.folder / settings.name / "bundles"
    return fetch_bundle(reference, tracking_uri=settings.mlflow.tracking_uri, cache=cache)
