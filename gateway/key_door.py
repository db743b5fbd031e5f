"""From settings to the door: one shared key, keys of the store, or none. Keys come from the environment alone."""

import os
from datetime import UTC, datetime

import sqlalchemy as sa

from core.errors import SettingsError
from core.gateway_settings import GatewaySettings
from core.settings import RunSettings
from gateway.key_store import StoredKey, in_force
from gateway.keys import SHARED, Door, OneKey, sha256_of
from gateway.limiter import KeyLimits
from gateway.stored_keys import Reader, StoredKeys


def door_of(settings: GatewaySettings, engine: sa.Engine, *, n_workers: int = 1) -> Door | None:
    """The door that the settings ask for; None: everyone is let in, and the gateway listens on this machine alone.

    Raises:
        SettingsError: the variable of `api_key_env` is not set.
    """
    if settings.keys == "store":
        return StoredKeys(engine, settings.limits, n_workers=n_workers)
    if settings.api_key_env is None:
        return None
    key = os.environ.get(settings.api_key_env, "")
    if not key:
        variable = settings.api_key_env
        raise SettingsError(f"gateway.api_key_env names ${variable}, which is not set. Run `export {variable}=...`.")
    limits = in_force(KeyLimits(), settings.limits)
    if limits == KeyLimits():
        return OneKey(key)
    return StoredKeys(engine, settings.limits, n_workers=n_workers, reader=_one(key, limits))


def budget_fault(settings: RunSettings) -> str | None:
    """Why budgets would hold nothing back; None where they do: requests cost only what prices say."""
    free = [
        role
        for role, model in (("weak", settings.pair.weak), ("strong", settings.pair.strong))
        if model.usd_per_million_input == 0 and model.usd_per_million_output == 0
    ]
    if settings.gateway.limits.usd_per_day is None or not free:
        return None
    return (
        f"gateway.limits.usd_per_day holds nothing back while pair.{free[0]} costs nothing. "
        f"Set pair.{free[0]}.usd_per_million_input and usd_per_million_output, or leave the budget out."
    )


def _one(key: str, limits: KeyLimits) -> Reader:
    """The shared key as if the store had it, so that it is counted and limited like any other."""
    digest, epoch = sha256_of(key), datetime(1970, 1, 1, tzinfo=UTC)
    alone = StoredKey(SHARED, SHARED, digest, epoch, "", None, None, limits, None, None)

    def read(_connection: sa.Connection, _now: datetime, wanted: str | None) -> dict[str, StoredKey]:
        return {digest: alone} if wanted in (None, digest) else {}

    return read
