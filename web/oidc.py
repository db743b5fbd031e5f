"""OpenID Connect: the site's own sign-in says who someone is, and how fresh that is. It keeps no token.

Authorization code flow with PKCE (RFC 7636), state and nonce; the ID token's signature is checked with the provider's
published keys, and its issuer, audience, times and nonce as OpenID Connect Core 1.0, section 3.1.3.7, asks.
"""

import base64
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx2
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError, MissingKeyError
from joserfc.jwk import KeySet

from core.access_settings import OidcSettings
from core.errors import AccessDenied, PreceptorError, UpstreamError

ALGORITHMS = ("RS256", "PS256", "ES256")
"""Signatures that are taken; `none` and shared-secret ones are not."""

TIMEOUT_S = 10.0
CLOCK_SKEW = timedelta(seconds=30)
"""How far the provider's clock may be from ours."""


@dataclass(frozen=True)
class Attempt:
    """What one attempt sends along and must find again: in the redirect, in the token request and in the ID token."""

    state: str
    nonce: str
    verifier: str
    redirect_url: str


class OidcProvider:
    """The provider that the settings name, found by discovery when it is first needed."""

    def __init__(self, settings: OidcSettings) -> None:
        self._settings = settings
        self._facts: Mapping[str, Any] | None = None
        self._keys: KeySet | None = None
        self._secret: str | None = None
        if settings.client_secret_env is not None:
            self._secret = os.environ.get(settings.client_secret_env)
            if not self._secret:
                raise PreceptorError(
                    f"The variable {settings.client_secret_env} (access.oidc.client_secret_env) is not set. "
                    "Set it to the client's secret, or leave the setting out for a public client."
                )

    def address(self, attempt: Attempt, *, prove: bool) -> str:
        """Where to send the browser; with `prove` the provider must ask for the password again.

        Raises:
            UpstreamError: the provider does not answer or describes itself wrongly.
        """
        digest = hashlib.sha256(attempt.verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": attempt.redirect_url,
            "scope": "openid profile email",
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        if prove:
            asked |= {"prompt": "login", "max_age": "0"}
        endpoint = str(self._described()["authorization_endpoint"])
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"

    def claims(self, code: str, attempt: Attempt, *, now: datetime) -> Mapping[str, Any]:
        """The claims of the ID token that the provider gives for this code, every one of them checked.

        Raises:
            AccessDenied: the token is not for us, not for this attempt, not of now, or not signed by the provider.
            UpstreamError: the provider does not answer, or refuses the code.
        """
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": attempt.redirect_url,
            "code_verifier": attempt.verifier,
        }
        methods = self._described().get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        by_header = self._secret is not None and "client_secret_basic" in methods
        if not by_header:
            form["client_id"] = self._settings.client_id
        if self._secret is not None and not by_header:
            form["client_secret"] = self._secret
        auth = httpx2.BasicAuth(self._settings.client_id, self._secret or "") if by_header else None
        answer = self._ask("POST", str(self._described()["token_endpoint"]), data=form, auth=auth)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise UpstreamError(
                "The site's sign-in gave no ID token. Ask its administrators to allow the scope openid."
            )
        claims = self._verified(token)
        if fault := _claims_fault(claims, self._settings, attempt, now):
            raise AccessDenied(
                f"The ID token of the site's sign-in {fault}. Sign in again, or tell its administrators."
            )
        return claims

    def login(self, claims: Mapping[str, Any]) -> str:
        """The login that the claims name.

        Raises:
            AccessDenied: the claim is missing, or is an e-mail address that the provider has not verified.
        """
        claim = self._settings.login_claim
        login = claims.get(claim)
        if not isinstance(login, str) or not login.strip():
            raise AccessDenied(f"The site's sign-in does not say your '{claim}'. Ask its administrators to send it.")
        if claim == "email" and claims.get("email_verified") is not True:
            raise AccessDenied("The site's sign-in has not verified your e-mail address. Verify it there first.")
        return login

    def _described(self) -> Mapping[str, Any]:
        if self._facts is None:
            issuer = self._settings.issuer
            facts = self._ask("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            missing = {"authorization_endpoint", "token_endpoint", "jwks_uri"}.difference(facts)
            if facts.get("issuer") != issuer or missing:
                wrong = f"lacks {', '.join(sorted(missing))}" if missing else f"calls itself '{facts.get('issuer')}'"
                raise UpstreamError(f"The provider at {issuer} {wrong}. Correct access.oidc.issuer.")
            self._facts = facts
        return self._facts

    def _verified(self, token: str) -> Mapping[str, Any]:
        """The claims of a token whose signature holds; keys are fetched anew once where the token names a new one."""
        for is_second in (False, True):
            if self._keys is None or is_second:
                keys = self._ask("GET", str(self._described()["jwks_uri"]))
                usable = [key for key in keys.get("keys", []) if key.get("use", "sig") == "sig"]
                try:
                    self._keys = KeySet.import_key_set({"keys": usable})
                except (JoseError, ValueError, KeyError, TypeError) as error:
                    raise UpstreamError(
                        "The site's sign-in publishes no usable keys. Tell its administrators."
                    ) from error
            try:
                return jwt.decode(token, self._keys, algorithms=list(ALGORITHMS)).claims
            except (InvalidKeyIdError, MissingKeyError):
                continue
            except (JoseError, ValueError) as error:
                raise AccessDenied("The ID token of the site's sign-in does not verify. Sign in again.") from error
        raise AccessDenied(
            "The ID token of the site's sign-in is signed with a key it does not publish. Sign in again."
        )

    def _ask(
        self, method: str, url: str, *, data: Mapping[str, str] | None = None, auth: httpx2.BasicAuth | None = None
    ) -> Mapping[str, Any]:
        try:
            with httpx2.Client(timeout=TIMEOUT_S, follow_redirects=False) as client:
                response = client.request(method, url, data=data, auth=auth, headers={"accept": "application/json"})
            if response.status_code != 200:
                raise UpstreamError(
                    f"The site's sign-in answered {response.status_code} at {url}. Try again, or use a local account."
                )
            answer = response.json()
        except (httpx2.HTTPError, ValueError) as error:
            raise UpstreamError(
                f"The site's sign-in at {url} does not answer ({type(error).__name__}). "
                "Try again, or use a local account."
            ) from error
        if not isinstance(answer, dict):
            raise UpstreamError(
                f"The site's sign-in answered at {url} with something that is no JSON object. Try again."
            )
        return answer


def is_fresh(claims: Mapping[str, Any], *, since: datetime) -> bool:
    """Whether the provider asked for the password after `since`, as its claim `auth_time` says.

    >>> is_fresh({"auth_time": 1000}, since=datetime.fromtimestamp(1020)), is_fresh({}, since=datetime.fromtimestamp(0))
    (True, False)
    """
    at = claims.get("auth_time")
    return isinstance(at, int | float) and not isinstance(at, bool) and at >= (since - CLOCK_SKEW).timestamp()


def _claims_fault(claims: Mapping[str, Any], settings: OidcSettings, attempt: Attempt, now: datetime) -> str | None:
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    expires, issued, skew = claims.get("exp"), claims.get("iat"), CLOCK_SKEW.total_seconds()
    if claims.get("iss") != settings.issuer:
        return "comes from another issuer"
    if settings.client_id not in audiences:
        return "is meant for someone else"
    if (len(audiences) > 1 or "azp" in claims) and claims.get("azp") != settings.client_id:
        return "was given to another client"
    if not isinstance(expires, int | float) or expires <= now.timestamp() - skew:
        return "has expired"
    if not isinstance(issued, int | float) or issued > now.timestamp() + skew:
        return "comes from the future"
    if claims.get("nonce") != attempt.nonce:
        return "belongs to another attempt"
    return None
