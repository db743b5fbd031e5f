"""Settings of the gateway: where it listens, what decides, who may ask and how much, what it keeps."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from core.settings_section import Settings


class CanarySettings(Settings):
    """A second bundle that decides a share of the conversations."""

    bundle: str = Field(min_length=1)
    """What decides them: `models:/NAME@challenger`, `models:/NAME/4` or a folder."""
    share: float = Field(gt=0, le=0.5)
    """Share of conversations, in (0, 0.5]; a conversation stays with the bundle that its first turn met."""


class LimitSettings(Settings):
    """What all keys together may take; a key's own limits stand with the key (`preceptor key create`)."""

    max_request_bytes: int = Field(20_000_000, ge=1000)
    """Largest body of a request, in bytes; a larger one is refused with 413."""
    requests_per_minute: int | None = Field(None, ge=1)
    """Requests in any minute, of each key; unset: no limit. A key may have one of its own."""
    usd_per_day: float | None = Field(None, gt=0)
    """What each key may spend on a day (UTC), in US dollars; unset: no limit. A key may have one of its own."""
    max_concurrent: int | None = Field(None, ge=1)
    """Requests of one key at the same time; unset: no limit."""


class TlsSettings(Settings):
    """The server's certificate, where it speaks HTTPS itself."""

    certificate: Path
    """PEM file of the certificate and those that vouch for it."""
    private_key: Path
    """PEM file of its private key."""
    client_authorities: Path | None = None
    """PEM file of the authorities whose certificates clients must show; unset: none is asked for."""


class GatewaySettings(Settings):
    """The OpenAI-compatible server."""

    host: str = "127.0.0.1"
    """Address to listen on; the default reaches this machine only."""
    port: int = Field(6060, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""
    workers: int = Field(1, ge=1, le=64)
    """Processes that answer on the port. More than two or three want PostgreSQL as `store_url`."""
    tls: TlsSettings | None = None
    """Speak HTTPS; unset: HTTP."""
    bundle: str | None = None
    """What decides: `models:/NAME@champion`, `models:/NAME/3` or a folder. Unset means this run's champion."""
    bundles: Mapping[str, str] = {}
    """What decides in a domain (`auto:DOMAIN`), where it is another bundle than the one above: domain to reference."""
    shadow: str | None = None
    """A bundle that scores every request and decides none, for `preceptor shadow`: `models:/NAME@challenger`. Unset:
    none."""
    canary: CanarySettings | None = None
    """A bundle that decides a share of the conversations; unset: none."""
    watch_s: float = Field(0.5, gt=0)
    """Seconds between two looks at the aliases and the stop switch: a promotion or rollback takes effect that soon."""
    api_key_env: str | None = None
    """Environment variable with one bearer key for all clients; unset means none such."""
    keys: Literal["off", "store"] = "off"
    """`store`: clients send keys made by `preceptor key create`, each with limits of its own."""
    limits: LimitSettings = LimitSettings()
    max_calls: int = Field(3, ge=1)
    """Calls of the weak and the strong model for one request, attempts counted; those of the recheck have a cap of
    their own (`verifiers.max_calls`). The last one is the strong model's."""
    pin_s: float = Field(3600, ge=0)
    """Seconds for which a conversation that went to the strong model stays with it; 0: each turn is decided anew."""
    embeddings: Literal["weak", "strong", "off"] = "off"
    """Whose endpoint answers /v1/embeddings; the request's own `model` is passed on."""
    keep_unresolved: bool = False
    """Keep question and answers in the store where a person must look: at critical stakes, and at high stakes where
    the recheck did not pass; `preceptor label import --unresolved` hands them to the experts."""
    keep_texts: bool = False
    """Keep every request and answer beside its decision, encrypted under $PRECEPTOR_SECRET_KEY. Unset: hashes alone."""

    @model_validator(mode="after")
    def _one_kind_of_key(self) -> Self:
        if self.keys == "store" and self.api_key_env is not None:
            raise ValueError("keys: store and api_key_env exclude each other; keep one of them")
        return self
