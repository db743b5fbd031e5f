"""HTTPS: a real server on loopback with certificates made here, and what is said of files that do not serve."""

import http.client
import logging
import ssl
import threading
import warnings
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from core.errors import SettingsError
from core.gateway_settings import TlsSettings
from gateway.serving.tls import server_context

NOW = datetime.now(UTC)


class Authority:
    """An authority of its own, which makes certificates into a folder."""

    def __init__(self, folder, name="authority"):
        self.folder, self.key = folder, ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.certificate = self._sign(self.name, self.key, is_authority=True)
        self.path = folder / f"{name}.pem"
        self.path.write_bytes(self.certificate.public_bytes(Encoding.PEM))

    def make(self, name, *, begins=NOW - timedelta(days=1), ends=NOW + timedelta(days=60), password=None):
        """Paths of a new certificate and its private key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        certificate = self._sign(subject, key, begins=begins, ends=ends)
        paths = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        paths[0].write_bytes(certificate.public_bytes(Encoding.PEM) + self.certificate.public_bytes(Encoding.PEM))
        sealed = NoEncryption() if password is None else BestAvailableEncryption(password)
        paths[1].touch(mode=0o600)
        paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealed))
        return paths

    def _sign(self, subject, key, *, begins=NOW - timedelta(days=1), ends=NOW + timedelta(days=60), is_authority=False):
        constraints = x509.BasicConstraints(ca=is_authority, path_length=None)
        builder = x509.CertificateBuilder(self.name, subject, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(begins).not_valid_after(ends).add_extension(constraints, critical=True)
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = builder.add_extension(identifier, critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = builder.add_extension(issuer, critical=False)
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=is_authority,
            crl_sign=is_authority,
            encipher_only=False,
            decipher_only=False,
        )
        builder = builder.add_extension(usage, critical=True)
        if not is_authority:
            names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self.key, hashes.SHA256())


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@contextmanager
def serving(settings):
    """The port of a server that speaks HTTPS."""
    app = Starlette(routes=[Route("/", lambda _: PlainTextResponse("here"))])
    context = server_context(settings)
    config = uvicorn.Config(
        app, port=0, log_level="critical", http="httptools", ssl_context_factory=lambda *_: context, lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            thread.join(0.01)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def fetch(port, client):
    """The answer and the version that was spoken."""
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=client, timeout=30)
    try:
        connection.request("GET", "/")
        version = connection.sock.version()
        return connection.getresponse().read(), version
    finally:
        connection.close()


def test_a_client_that_trusts_the_authority_is_answered_by_tls_1_3(authority):
    certificate, key = authority.make("server")
    with serving(TlsSettings(certificate=certificate, private_key=key)) as port:
        assert fetch(port, ssl.create_default_context(cafile=authority.path)) == (b"here", "TLSv1.3")

        client = ssl.create_default_context(cafile=authority.path)
        client.maximum_version = ssl.TLSVersion.TLSv1_2
        assert fetch(port, client) == (b"here", "TLSv1.2")

        with pytest.raises(ssl.SSLCertVerificationError):
            fetch(port, ssl.create_default_context())


def test_an_older_protocol_is_refused(authority):
    certificate, key = authority.make("server")
    client = ssl.create_default_context(cafile=authority.path)
    client.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        client.minimum_version = ssl.TLSVersion.TLSv1
        client.maximum_version = ssl.TLSVersion.TLSv1_1
    with serving(TlsSettings(certificate=certificate, private_key=key)) as port:
        with pytest.raises(ssl.SSLError):
            fetch(port, client)
        assert fetch(port, ssl.create_default_context(cafile=authority.path))[0] == b"here"


@pytest.mark.parametrize("ciphers", ["AES256-SHA256", "ECDHE-ECDSA-AES256-SHA384"])
def test_ciphers_without_forward_secrecy_or_authentication_are_refused(authority, ciphers):
    certificate, key = authority.make("server")
    client = ssl.create_default_context(cafile=authority.path)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers(ciphers)
    with serving(TlsSettings(certificate=certificate, private_key=key)) as port, pytest.raises(ssl.SSLError):
        fetch(port, client)


def test_clients_show_a_certificate_where_the_settings_ask_for_one(authority, tmp_path):
    certificate, key = authority.make("server")
    ours, stranger = authority.make("client"), Authority(tmp_path, "stranger").make("client-of-another")
    settings = TlsSettings(certificate=certificate, private_key=key, client_authorities=authority.path)
    with serving(settings) as port:
        client = ssl.create_default_context(cafile=authority.path)
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
            fetch(port, client)

        client = ssl.create_default_context(cafile=authority.path)
        client.load_cert_chain(*stranger)
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
            fetch(port, client)

        client = ssl.create_default_context(cafile=authority.path)
        client.load_cert_chain(*ours)
        assert fetch(port, client)[0] == b"here"


def test_a_missing_file_is_named_with_its_setting(authority, tmp_path):
    certificate, key = authority.make("server")

    with pytest.raises(SettingsError, match=r"gateway\.tls\.certificate .*none\.pem cannot be read \(No such file"):
        server_context(TlsSettings(certificate=tmp_path / "none.pem", private_key=key))
    with pytest.raises(SettingsError, match=r"gateway\.tls\.private_key .*none\.pem cannot be read"):
        server_context(TlsSettings(certificate=certificate, private_key=tmp_path / "none.pem"))
    with pytest.raises(SettingsError, match=r"gateway\.tls\.client_authorities .*none\.pem cannot be read"):
        settings = TlsSettings(certificate=certificate, private_key=key, client_authorities=tmp_path / "none.pem")
        server_context(settings)


def test_a_key_of_another_certificate_is_told(authority):
    certificate, _ = authority.make("server")
    _, other = authority.make("other")

    with pytest.raises(SettingsError, match=r"other\.key is not the key of the certificate .*server\.crt"):
        server_context(TlsSettings(certificate=certificate, private_key=other))


def test_files_that_hold_something_else_are_told(authority):
    certificate, key = authority.make("server")
    _, locked = authority.make("locked", password=b"secret")

    with pytest.raises(SettingsError, match=r"certificate .*server\.key holds no certificate in PEM form"):
        server_context(TlsSettings(certificate=key, private_key=key))
    with pytest.raises(SettingsError, match=r"private_key .*server\.crt holds no private key in PEM form"):
        server_context(TlsSettings(certificate=certificate, private_key=certificate))
    with pytest.raises(SettingsError, match=r"locked\.key is encrypted, .* has no passphrase"):
        server_context(TlsSettings(certificate=certificate, private_key=locked))


def test_a_certificate_that_has_ended_or_not_begun_is_told_before_a_client_finds_out(authority):
    ended = authority.make("ended", begins=datetime(2026, 1, 1, tzinfo=UTC), ends=datetime(2026, 1, 2, tzinfo=UTC))
    later = authority.make("later", begins=NOW + timedelta(days=2))

    with pytest.raises(SettingsError, match=r"ended\.crt ended on 2026-01-02\. Renew it"):
        server_context(TlsSettings(certificate=ended[0], private_key=ended[1]))
    with pytest.raises(SettingsError, match=r"later\.crt holds from .* on\. Wait until then"):
        server_context(TlsSettings(certificate=later[0], private_key=later[1]))


def test_a_certificate_that_ends_soon_and_a_key_that_everybody_reads_are_warned_of(authority, caplog):
    certificate, key = authority.make("server", ends=NOW + timedelta(days=10))
    key.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        server_context(TlsSettings(certificate=certificate, private_key=key))

    assert "server.crt ends on" in caplog.text
    assert "Everybody on this machine can read the private key" in caplog.text
