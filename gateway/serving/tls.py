"""HTTPS of the server: a TLS context from the settings' files, or a sentence that says what is wrong with them.

TLS 1.2 at the least, with forward secrecy and authenticated encryption alone. It never makes, renews or writes a file.
"""

import logging
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from core.errors import SettingsError
from core.gateway_settings import TlsSettings

LOG = logging.getLogger("preceptor.gateway")

CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2; all of TLS 1.3's are as good."""

WARN_BEFORE: Final = timedelta(days=14)
"""How long before its end a certificate is warned of."""


def server_context(settings: TlsSettings, *, now: datetime | None = None) -> ssl.SSLContext:
    """What the server speaks HTTPS with; `now` is the moment at which its certificate must hold.

    Raises:
        SettingsError: a file is missing, is not what it should be, does not belong to the others, or has ended.
    """
    now = now or datetime.now(UTC)
    own, *_ = _certificates(settings.certificate, "certificate")
    if _spki(_private_key(settings.private_key).public_key()) != _spki(own.public_key()):
        raise SettingsError(
            f"gateway.tls.private_key {settings.private_key} is not the key of the certificate {settings.certificate}. "
            "Name the key with which that certificate was asked for."
        )
    _check_dates(settings.certificate, own, now)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(settings.certificate, settings.private_key)
        if settings.client_authorities is not None:
            _certificates(settings.client_authorities, "client_authorities")
            context.load_verify_locations(settings.client_authorities)
            context.verify_mode = ssl.CERT_REQUIRED
    except (ssl.SSLError, OSError) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        raise SettingsError(
            f"The files of gateway.tls cannot be used ({reason}). "
            "Give PEM files: the server's certificate first, then those that vouch for it, and its private key."
        ) from error
    return context


def _certificates(path: Path, field: str) -> Sequence[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_content(path, field))
    except ValueError as error:
        raise SettingsError(
            f"gateway.tls.{field} {path} holds no certificate in PEM form. "
            "It begins with -----BEGIN CERTIFICATE-----; convert a DER file: openssl x509 -inform der."
        ) from error


def _private_key(path: Path) -> PrivateKeyTypes:
    content = _content(path, "private_key")
    if path.stat().st_mode & 0o007:
        LOG.warning(
            "Everybody on this machine can read the private key %s. Take that right away: chmod o= %s", path, path
        )
    try:
        return load_pem_private_key(content, password=None)
    except TypeError as error:
        raise SettingsError(
            f"gateway.tls.private_key {path} is encrypted, and a server that starts by itself has no passphrase. "
            f"Write it in the clear where the gateway's user alone can read: openssl pkey -in {path}."
        ) from error
    except ValueError as error:
        raise SettingsError(
            f"gateway.tls.private_key {path} holds no private key in PEM form. "
            "It begins with -----BEGIN PRIVATE KEY-----; convert a DER file: openssl pkey -inform der."
        ) from error


def _content(path: Path, field: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"gateway.tls.{field} {path} cannot be read ({error.strerror}). Correct the path, or let the gateway's "
            "user read the file."
        ) from error


def _check_dates(path: Path, own: x509.Certificate, now: datetime) -> None:
    if now >= own.not_valid_after_utc:
        raise SettingsError(
            f"The certificate {path} ended on {own.not_valid_after_utc:%Y-%m-%d}. Renew it: no client would trust it."
        )
    if now < own.not_valid_before_utc:
        raise SettingsError(
            f"The certificate {path} holds from {own.not_valid_before_utc:%Y-%m-%d %H:%M} UTC on. "
            "Wait until then, or set this machine's clock right."
        )
    if now >= own.not_valid_after_utc - WARN_BEFORE:
        LOG.warning("The certificate %s ends on %s. Renew it.", path, own.not_valid_after_utc.date())


def _spki(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
