"""From settings to the door: one shared key, keys of the store, or none. Keys come from the environment alone."""

import os
from datetime import UTC, datetime

import sqlalchemy as sa

from core.errors import SettingsError
from core.gateway_settings import GatewaySettings
from core.settings import RunSettings
from gateway.keys.door import SHARED, Door, OneKey, sha256_of
from gateway.keys.limiter import KeyLimits
from gateway.keys.store import StoredKey, in_force
from gateway.keys.stored_keys import StoredKeys


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
    return StoredKeys(engine, settings.limits, n_workers=n_workers, reader=_Alone(key, limits))


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


class _Alone:
    """The shared key as if the store had it, so that it is counted and limited like any other."""

    def __init__(self, key: str, limits: KeyLimits) -> None:
        digest, epoch = sha256_of(key), datetime(1970, 1, 1, tzinfo=UTC)
        self._key = StoredKey(SHARED, SHARED, digest, epoch, "", None, None, limits, None, None)

    def mark(self, connection: sa.Connection) -> int:
        return 1

    def read(self, connection: sa.Connection, *, now: datetime, key_sha256: str | None = None) -> dict[str, StoredKey]:
        digest = self._key.key_sha256
        return {digest: self._key} if key_sha256 in (None, digest) else {}
