"""Who may pass: an open session on every page, its CSRF token on every form, and a role where the page needs one."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated

import sqlalchemy as sa
from fastapi import Form, Request

from core.access import Act, Actor, refusal, require
from core.errors import AccessDenied
from core.people import actor_of
from core.store import writing
from web.credentials import Try, credential_of, prove
from web.sessions import SessionLimits, csrf_token, is_csrf_token, session_of, spend_proof

COOKIE = "preceptor_session"

PROOF_LASTS = timedelta(minutes=5)
"""A fresh proof at the site's own sign-in serves one signature, given within this time."""


class SignInNeeded(Exception):
    """The request carries no session that is open; the app answers with the sign-in page."""


class EnrolmentNeeded(Exception):
    """The site asks for an authenticator that the person has not enrolled; the app answers with their account page."""


@dataclass(frozen=True)
class Guard:
    """The guard of an app's pages; its methods are FastAPI dependencies.

    Attributes:
        engine: the store.
        clock: tells the time.
        limits: how long sessions last.
        require_totp: whether who does not come by the site's own sign-in must have an authenticator.
    """

    engine: sa.Engine
    clock: Callable[[], datetime]
    limits: SessionLimits = field(default_factory=SessionLimits)
    require_totp: bool = False

    def anyone(self, request: Request) -> str:
        """The signed-in person, who may have nothing enrolled yet; for the pages of their own account.

        Raises:
            SignInNeeded: no open session.
        """
        session = session_of(self.engine, request.cookies.get(COOKIE), now=self.clock(), limits=self.limits)
        if session is None:
            raise SignInNeeded
        request.state.session = session
        request.state.session_warn = int(self.limits.warn.total_seconds())
        request.state.session_seconds = int((session.ends_at - self.clock()).total_seconds())
        return session.person

    def anyone_sending(self, request: Request, csrf: Annotated[str, Form()] = "") -> str:
        """The signed-in person who sent this form from one of our pages, who may have nothing enrolled yet.

        Raises:
            SignInNeeded: no open session.
            AccessDenied: the form does not carry this session's token.
        """
        name = self.anyone(request)
        refuse_foreign_form(request)
        if not is_csrf_token(csrf, of_session=request.cookies[COOKIE]):
            raise AccessDenied("This form is not from your session. Go back, reload the page and send it again.")
        return name

    def person(self, request: Request) -> str:
        """The signed-in person.

        Raises:
            SignInNeeded: no open session.
            EnrolmentNeeded: the site asks for an authenticator, and none is enrolled.
        """
        return self._enrolled(request, self.anyone(request))

    def person_sending(self, request: Request, csrf: Annotated[str, Form()] = "") -> str:
        """The signed-in person who sent this form from one of our pages.

        Raises:
            SignInNeeded: no open session.
            EnrolmentNeeded: the site asks for an authenticator, and none is enrolled.
            AccessDenied: the form does not carry this session's token.
        """
        return self._enrolled(request, self.anyone_sending(request, csrf))

    def actor(self, request: Request) -> Actor:
        """The signed-in person with their roles; raises as `person` does."""
        return self._actor(request, self.person(request))

    def actor_sending(self, request: Request, csrf: Annotated[str, Form()] = "") -> Actor:
        """The signed-in sender of a form with their roles; raises as `person_sending` does."""
        return self._actor(request, self.person_sending(request, csrf))

    def note_actor(self, request: Request, name: str) -> None:
        """Let the header of a page that asks for no role show the links that this person's roles open."""
        self._actor(request, name)

    def may(self, act: Act) -> Callable[[Request], Actor]:
        """A dependency that lets through whose roles allow the act; it raises AccessDenied to others."""

        def allowed(request: Request) -> Actor:
            actor = self.actor(request)
            require(act, actor)
            return actor

        return allowed

    def may_sending(self, act: Act) -> Callable[..., Actor]:
        """As `may`, for forms."""

        def allowed(request: Request, csrf: Annotated[str, Form()] = "") -> Actor:
            actor = self.actor_sending(request, csrf)
            require(act, actor)
            return actor

        return allowed

    def prove_again(self, request: Request, password: str, code: str) -> str:
        """How the session's person has just shown again that it is them: the method that a signature names.

        By password, and code where an authenticator is enrolled; or by a fresh proof at the site's own sign-in, which
        is used up. Wrong tries count towards the lock-out.

        Raises:
            SignInNeeded: no open session.
            AccessDenied: what was typed does not fit, or nothing was and there is no fresh proof.
        """
        name, now = self.person(request), self.clock()
        if not password:
            with writing(self.engine) as connection:
                if spend_proof(connection, request.cookies[COOKIE], after=now - PROOF_LASTS):
                    return "oidc"
            raise AccessDenied(
                "A signature takes your password, or a fresh proof at your site's sign-in, and there was neither. "
                "Type the password, which you set on your account page, and send the form again."
            )
        return reauthenticate(self.engine, name, password, code, now=now)

    def signing_ways(self, request: Request) -> dict[str, bool]:
        """What the fields of a signature show, for `signing.html`: which ways the session's person has."""
        name, now = self.person(request), self.clock()
        with self.engine.connect() as connection:
            has = credential_of(connection, name)
        proved_at = request.state.session.proved_at
        return {
            "has_password": has.password_set_at is not None,
            "has_totp": has.totp_since is not None,
            "is_proved": proved_at is not None and proved_at >= now - PROOF_LASTS,
        }

    def _actor(self, request: Request, name: str) -> Actor:
        with self.engine.connect() as connection:
            actor = actor_of(connection, name, now=self.clock())
        request.state.actor = actor
        return actor

    def _enrolled(self, request: Request, name: str) -> str:
        if self.require_totp and request.state.session.method != "oidc":
            with self.engine.connect() as connection:
                if credential_of(connection, name).totp_since is None:
                    raise EnrolmentNeeded
        return name


def reauthenticate(engine: sa.Engine, person: str, password: str, code: str, *, now: datetime) -> str:
    """How a person has just shown again that it is them: `password` or `password+totp`.

    Wrong tries count towards the lock-out of sign-in.

    Raises:
        AccessDenied: anything does not fit.
    """
    return prove(engine, Try(person, password, code), action="sign", now=now)[1]


def signed_in_context(request: Request, person: str) -> dict[str, object]:
    """What the base template needs to know about the person: name, CSRF token, links, and the time they have left."""
    shown: dict[str, object] = {
        "person": person,
        "csrf": csrf_token(request.cookies[COOKIE]),
        "session_seconds": getattr(request.state, "session_seconds", None),
        "session_warn": getattr(request.state, "session_warn", 0),
    }
    actor, links = getattr(request.state, "actor", None), getattr(request.app.state, "navigation", ())
    if actor is not None and links:
        shown["navigation"] = tuple((path, label) for path, label, act in links if not act or not refusal(act, actor))
    return shown


def refuse_foreign_form(request: Request) -> None:
    """Let through only forms that the browser says come from our own pages.

    Raises:
        AccessDenied: the browser names another site as the sender.
    """
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise AccessDenied("This form was sent from another site. Open Preceptor's own page and send it there.")
