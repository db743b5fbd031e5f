"""The pages of the site's own sign-in: going there, and coming back; also to show again, before signing, who one is.

An attempt is known by the hash of its state alone, belongs to one browser, is taken once, and ends after ten minutes.
Nobody comes in by this door whom the store does not know, unless the settings add them, and then without a role.
"""

import secrets
from datetime import datetime, timedelta

import sqlalchemy as sa
from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.templating import Jinja2Templates

from core.access import Actor, Role, is_same_person
from core.access_settings import OidcSettings
from core.errors import AccessDenied, UpstreamError
from core.fingerprint import of_text
from core.ledger import append_in
from core.moments import timestamp
from core.people import add_person, find_person
from core.store import writing
from web.guard import COOKIE, Guard
from web.oidc import Attempt, OidcProvider, is_fresh
from web.sessions import note_proof, open_session, session_of
from web.tables import OIDC_ATTEMPTS

BROWSER_COOKIE = "preceptor_oidc"
ATTEMPT_LIFETIME = timedelta(minutes=10)
BACK = "/sign-in/oidc/back"

STALE = "This attempt to sign in is unknown, was used, took too long or began in another browser. Begin again."
UNKNOWN = "Your site's sign-in knows you, and this store does not, or no longer. Ask an admin to add you."


def add_oidc(app: FastAPI, pages: Jinja2Templates, guard: Guard, *, settings: OidcSettings, home: str) -> None:
    """Add `/sign-in/oidc`, which goes to the provider, and `/sign-in/oidc/back`.

    Args:
        app: the app of `web.shell.create_shell`.
        pages: its templates.
        guard: the guard of its other pages.
        settings: of the provider.
        home: path to go to after sign-in.

    Raises:
        PreceptorError: the client's secret is not in the environment.
    """
    provider = OidcProvider(settings)

    def refused(request: Request, fault: str, status_code: int = 403) -> Response:
        context = {"token": "", "fault": fault}
        return pages.TemplateResponse(request, "sign_in.html", context, status_code=status_code)

    @app.get("/sign-in/oidc")
    def go(request: Request, prove: bool = False) -> Response:
        if prove:
            guard.anyone(request)
        redirect_url = settings.redirect_url or f"{str(request.base_url).rstrip('/')}{BACK}"
        attempt, browser = _new_attempt(redirect_url), secrets.token_urlsafe(32)
        try:
            address = provider.address(attempt, prove=prove)
        except UpstreamError as error:
            return refused(request, str(error), 502)
        _keep(guard.engine, attempt, browser=browser, proves=prove, now=guard.clock())
        response = RedirectResponse(address, status_code=303)
        secure = request.url.scheme == "https"
        lasts = int(ATTEMPT_LIFETIME.total_seconds())
        response.set_cookie(
            BROWSER_COOKIE, browser, max_age=lasts, path=BACK, httponly=True, samesite="lax", secure=secure
        )
        return response

    @app.get(BACK)
    def back(request: Request, state: str = "", code: str = "", error: str = "") -> Response:
        from web.sign_in import with_cookie

        now = guard.clock()
        found = _take(guard.engine, state, browser=request.cookies.get(BROWSER_COOKIE, ""), now=now)
        if found is None:
            return refused(request, STALE)
        attempt, proves, begun_at = found
        if error or not code:
            return refused(request, "Your site's sign-in did not let you in. Begin again, or use a local account.")
        try:
            claims = provider.claims(code, attempt, now=now)
            login = provider.login(claims)
            if proves:
                _prove(request, guard, login, was_asked=is_fresh(claims, since=begun_at), now=now)
                return RedirectResponse("/account?after=proved", status_code=303)
            session = _enter(guard, login, add=settings.add_people, now=now)
        except AccessDenied as denied:
            with writing(guard.engine) as connection:
                append_in(connection, "unknown", "login.fail", "unknown", {"by": "oidc"}, now=now)
            return refused(request, str(denied))
        except UpstreamError as upstream:
            return refused(request, str(upstream), 502)
        response = RedirectResponse(home, status_code=303)
        response.delete_cookie(BROWSER_COOKIE, path=BACK)
        return with_cookie(request, response, session, guard=guard)


def _new_attempt(redirect_url: str) -> Attempt:
    return Attempt(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48), redirect_url)


def _keep(engine: sa.Engine, attempt: Attempt, *, browser: str, proves: bool, now: datetime) -> None:
    with writing(engine) as connection:
        connection.execute(OIDC_ATTEMPTS.delete().where(OIDC_ATTEMPTS.c.begun_at < timestamp(now - ATTEMPT_LIFETIME)))
        connection.execute(
            OIDC_ATTEMPTS.insert().values(
                state_sha256=of_text(attempt.state),
                browser_sha256=of_text(browser),
                nonce=attempt.nonce,
                verifier=attempt.verifier,
                redirect_url=attempt.redirect_url,
                proves=proves,
                begun_at=timestamp(now),
            )
        )


def _take(engine: sa.Engine, state: str, *, browser: str, now: datetime) -> tuple[Attempt, bool, datetime] | None:
    """The attempt of this state and browser, which is used up; None when there is none."""
    which = (OIDC_ATTEMPTS.c.state_sha256 == of_text(state)) & (OIDC_ATTEMPTS.c.browser_sha256 == of_text(browser))
    which &= OIDC_ATTEMPTS.c.begun_at >= timestamp(now - ATTEMPT_LIFETIME)
    with writing(engine) as connection:
        row = connection.execute(OIDC_ATTEMPTS.delete().where(which).returning(*OIDC_ATTEMPTS.c)).first()
    if row is None:
        return None
    begun_at = datetime.fromisoformat(row.begun_at)
    return Attempt(state, row.nonce, row.verifier, row.redirect_url), row.proves, begun_at


def _enter(guard: Guard, login: str, *, add: bool, now: datetime) -> str:
    """A session for the person of that login, who is added where the settings say so."""
    with writing(guard.engine) as connection:
        person = find_person(connection, login, now=now)
        if person is None and add:
            person = add_person(connection, login, by=Actor("oidc", frozenset({Role.ADMIN})), now=now)
        if person is None or person.retired_at is not None:
            raise AccessDenied(UNKNOWN)
        append_in(connection, person.name, "login.ok", person.name, {"by": "oidc"}, now=now)
        return open_session(connection, person.name, now=now, method="oidc", limits=guard.limits)


def _prove(request: Request, guard: Guard, login: str, *, was_asked: bool, now: datetime) -> None:
    """Note in the browser's session that its person has just shown at the provider that it is them."""
    session = session_of(guard.engine, request.cookies.get(COOKIE), now=now, limits=guard.limits)
    if session is None or not is_same_person(session.person, login):
        raise AccessDenied(
            "Your site's sign-in named someone else than whose session this is. Sign out and begin again."
        )
    if not was_asked:
        raise AccessDenied(
            "Your site's sign-in did not ask for your password again, so this does not count. Begin again."
        )
    with writing(guard.engine) as connection:
        append_in(connection, session.person, "sign.proof", session.person, {"by": "oidc"}, now=now)
        note_proof(connection, request.cookies[COOKIE], at=now)
