"""A small OpenID Connect provider on loopback: real HTTP, real RS256 keys, and faults that a test can ask for."""

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT_ID, CLIENT_SECRET = "preceptor", "the client's secret"


@dataclass
class Provider:
    """Who is signed in there, and what it gets wrong."""

    clock: Any
    login: str = "Dana"
    asks_again: bool = True
    claims: dict[str, Any] = field(default_factory=dict)
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "first", "use": "sig"}))
    published: list[RSAKey] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    issuer: str = ""

    def __post_init__(self) -> None:
        self.published.append(self.key)
        self.signed_in_at: datetime = self.clock()

    def rotate(self) -> None:
        """Sign with a new key from now on, and publish that alone."""
        self.key = RSAKey.generate_key(2048, {"kid": secrets.token_hex(4), "use": "sig"})
        self.published[:] = [self.key]

    def redirect(self, query: dict[str, str]) -> str:
        """Sign the person in, and send the browser back with a code."""
        self.asked.append(query)
        if query.get("prompt") == "login" and self.asks_again:
            self.signed_in_at = self.clock()
        code = secrets.token_urlsafe(16)
        self.codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """An ID token for a code, once, for the client that shows its secret and the PKCE verifier."""
        query = self.codes.pop(form.get("code", ""), None)
        expected = "Basic " + base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if query is None or query["code_challenge"] != challenge or query["redirect_uri"] != form["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        if authorization != expected:
            return 401, {"error": "invalid_client"}
        now = int(self.clock().timestamp())
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "sub": "1", "iat": now, "exp": now + 300}
        claims |= {"nonce": query["nonce"], "preferred_username": self.login}
        claims |= {"auth_time": int(self.signed_in_at.timestamp()), **self.claims}
        header = {"alg": "RS256", "kid": str(self.key.kid)}
        return 200, {"id_token": jwt.encode(header, claims, self.key), "access_token": "x", "token_type": "Bearer"}


@contextmanager
def running(provider: Provider) -> Iterator[Provider]:
    """The provider, answering on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/.well-known/openid-configuration":
                facts = {"issuer": provider.issuer, "jwks_uri": f"{provider.issuer}/keys"}
                facts |= {"authorization_endpoint": f"{provider.issuer}/authorize"}
                self.answer(200, {**facts, "token_endpoint": f"{provider.issuer}/token"})
            elif parts.path == "/keys":
                self.answer(200, {"keys": [key.as_dict(private=False) for key in provider.published]})
            elif parts.path == "/authorize":
                self.send_response(302)
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                self.send_header("location", provider.redirect(query))
                self.end_headers()
            else:
                self.answer(404, {})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self.answer(*provider.token(form, self.headers.get("authorization", "")))

        def answer(self, status: int, content: dict[str, Any]) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
