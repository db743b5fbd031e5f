"""Secrets at rest: AES-256-GCM under one key that is kept outside the database. It never writes a secret in the clear.

The key comes from the environment variable PRECEPTOR_SECRET_KEY (32 bytes in base64), or, for a SQLite store without
that variable, from a file beside the store that its owner alone can read, made when it is first needed.
"""

import base64
import binascii
import os
import secrets
from pathlib import Path

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.errors import PreceptorError

KEY_VARIABLE = "PRECEPTOR_SECRET_KEY"
KEY_BYTES = 32
NONCE_BYTES = 12
VERSION = "v1:"
_NEW_KEY = "python -c 'import base64, secrets; print(base64.b64encode(secrets.token_bytes(32)).decode())'"


def secret_key(engine: sa.Engine) -> bytes:
    """The 32 bytes under which this store's secrets are sealed.

    Raises:
        PreceptorError: the variable is not a key; or it is unset and the store is not a SQLite file; or the key's file
            is readable by others or damaged.
    """
    given = os.environ.get(KEY_VARIABLE)
    if given is not None:
        return _decoded(given, f"The environment variable {KEY_VARIABLE}")
    database = engine.url.database
    if engine.dialect.name != "sqlite" or not database or database == ":memory:":
        raise PreceptorError(
            f"This store keeps secrets under a key, and {KEY_VARIABLE} is not set. "
            f"Make one, keep it apart from the database, and set it wherever Preceptor runs: {_NEW_KEY}"
        )
    return _key_beside(Path(f"{database}.key"))


def seal(key: bytes, secret: str, *, context: str) -> str:
    """The secret, sealed; it opens only with the same key and the same context, such as the row it belongs to."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return VERSION + base64.b64encode(nonce + AESGCM(key).encrypt(nonce, secret.encode(), context.encode())).decode()


def unseal(key: bytes, sealed: str, *, context: str) -> str:
    """The secret in `sealed`.

    Raises:
        PreceptorError: another key or context, or an edited text.

    >>> key = bytes(32)
    >>> unseal(key, seal(key, "JBSWY3DP", context="totp:ann"), context="totp:ann")
    'JBSWY3DP'
    """
    try:
        if not sealed.startswith(VERSION):
            raise ValueError(sealed[: len(VERSION)])
        raw = base64.b64decode(sealed.removeprefix(VERSION), validate=True)
        return AESGCM(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], context.encode()).decode()
    except (InvalidTag, ValueError) as error:
        raise PreceptorError(
            f"A secret in the store does not open with this key. Set {KEY_VARIABLE} to the key it was sealed with, "
            "or invite the person anew and let them enrol again."
        ) from error


def _key_beside(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        if path.stat().st_mode & 0o077:
            raise PreceptorError(
                f"Others than its owner can read the key {path}. Take that right away: chmod 600 {path}"
            ) from None
        return _decoded(path.read_text(encoding="ascii", errors="replace"), f"The file {path}")
    key = secrets.token_bytes(KEY_BYTES)
    with os.fdopen(descriptor, "wb") as file:
        file.write(base64.b64encode(key) + b"\n")
    return key


def _decoded(text: str, where: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise PreceptorError(f"{where} does not hold a key of {KEY_BYTES} bytes in base64. Make one: {_NEW_KEY}")
    return key
