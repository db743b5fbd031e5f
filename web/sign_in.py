"""Sign-in, sign-out, the session's time, and the guards that every other page stands behind.

People come in by a one-time access link, by name, password and code, or by the site's own sign-in (`web.oidc_pages`).
The link opens a page with one button, so that a mail scanner that follows links does not use it up.
"""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import sqlalchemy as sa
from fastapi import FastAPI, Form, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from fastapi.templating import Jinja2Templates

from core.errors import AccessDenied
from core.invitations import spend
from core.ledger import append_in
from core.people import end_sessions
from core.store import writing
from web.credentials import Try, prove, void_credentials
from web.guard import COOKIE, EnrolmentNeeded, Guard, SignInNeeded, refuse_foreign_form, signed_in_context
from web.sessions import close_session, open_session, session_of

if TYPE_CHECKING:
    from core.access_settings import OidcSettings

__all__ = ["COOKIE", "Guard", "SignInNeeded", "add_sign_in", "refuse_foreign_form", "signed_in_context"]

BAD_LINK = "This access link is unknown, used or expired. Ask an admin for a new one: preceptor people invite NAME."
ENDED = (
    "Your session has ended, so this form was not saved. What you had drafted is kept on the server: "
    "sign in, open the page again and send it."
)


def add_sign_in(
    app: FastAPI,
    pages: Jinja2Templates,
    guard: Guard,
    *,
    home: str,
    redeem: Callable[[str], str | None] | None = None,
    oidc: "OidcSettings | None" = None,
) -> None:
    """Add `/sign-in`, `/sign-out`, `/session` and `/session/extend`.

    Args:
        app: the app of `web.shell.create_shell`.
        pages: its templates.
        guard: the guard of its other pages.
        home: path to go to after sign-in.
        redeem: turns a one-time access token into a session token, None when it is unknown, used or expired; unset
            means by the links of `core.invitations`.
        oidc: the site's own sign-in; unset means local accounts alone.
    """
    redeem = redeem or (lambda token: redeem_link(guard.engine, token, now=guard.clock(), guard=guard))
    pages.env.globals["signs_in_by_oidc"] = oidc is not None
    if oidc is not None:
        from web.oidc_pages import add_oidc

        add_oidc(app, pages, guard, settings=oidc, home=home)

    def sign_in_page(request: Request, *, token: str = "", fault: str = "", status_code: int = 200) -> Response:
        context = {"token": token, "fault": fault}
        return pages.TemplateResponse(request, "sign_in.html", context, status_code=status_code)

    @app.get("/sign-in")
    def show(request: Request, token: str = "") -> Response:
        return sign_in_page(request, token=token)

    @app.post("/sign-in")
    def sign_in(
        request: Request,
        token: Annotated[str, Form()] = "",
        name: Annotated[str, Form()] = "",
        password: Annotated[str, Form()] = "",
        code: Annotated[str, Form()] = "",
    ) -> Response:
        refuse_foreign_form(request)
        if token:
            session = redeem(token.strip())
            if session is None:
                return sign_in_page(request, fault=BAD_LINK, status_code=403)
        else:
            try:
                session = sign_in_by_password(guard.engine, Try(name, password, code), now=guard.clock(), guard=guard)
            except AccessDenied as refused:
                return sign_in_page(request, fault=str(refused), status_code=403)
        return with_cookie(request, RedirectResponse(home, status_code=303), session, guard=guard)

    @app.post("/sign-out")
    def sign_out(request: Request, csrf: Annotated[str, Form()] = "") -> Response:
        guard.anyone_sending(request, csrf)
        close_session(guard.engine, request.cookies[COOKIE])
        response = RedirectResponse("/sign-in", status_code=303)
        response.delete_cookie(COOKIE)
        return response

    @app.get("/session")
    def session_time(request: Request) -> Response:
        now = guard.clock()
        session = session_of(guard.engine, request.cookies.get(COOKIE), now=now, limits=guard.limits, touch=False)
        if session is None:
            return JSONResponse({"seconds_left": 0}, status_code=401)
        return JSONResponse(_time_left(session.ends_at, now, guard))

    @app.post("/session/extend")
    def extend(request: Request, csrf: Annotated[str, Form()] = "") -> Response:
        guard.anyone_sending(request, csrf)
        return JSONResponse(_time_left(request.state.session.ends_at, guard.clock(), guard))

    def to_sign_in(request: Request, _: Exception) -> Response:
        if request.method == "GET":
            return RedirectResponse("/sign-in", status_code=303)
        return sign_in_page(request, fault=ENDED, status_code=401)

    def to_account(request: Request, _: Exception) -> Response:
        return RedirectResponse("/account?after=enrol", status_code=303)

    app.add_exception_handler(SignInNeeded, to_sign_in)
    app.add_exception_handler(EnrolmentNeeded, to_account)


def redeem_link(engine: sa.Engine, token: str, *, now: datetime, guard: Guard) -> str | None:
    """A session for the person whom this access link was made for; None when it is unknown, used or expired.

    A password and an authenticator that they had become void, and their open sessions end: whoever asks for a link has
    lost them.
    """
    with writing(engine) as connection:
        name = spend(connection, token, now=now)
        if name is None:
            return None
        void_credentials(connection, name, now=now)
        end_sessions(connection, name)
        append_in(connection, name, "login.ok", name, {"by": "access link"}, now=now)
        return open_session(connection, name, now=now, limits=guard.limits)


def sign_in_by_password(engine: sa.Engine, tried: Try, *, now: datetime, guard: Guard) -> str:
    """A session for the person who typed their password, and the code where an authenticator is enrolled.

    Raises:
        AccessDenied: anything does not fit.
    """
    name, method = prove(engine, tried, action="login", now=now)
    with writing(engine) as connection:
        append_in(connection, name, "login.ok", name, {"by": method}, now=now)
        return open_session(connection, name, now=now, method=method, limits=guard.limits)


def with_cookie(request: Request, response: Response, session: str, *, guard: Guard) -> Response:
    """The response, with the cookie that opens the session."""
    response.set_cookie(
        COOKIE,
        session,
        max_age=int(guard.limits.lifetime.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return response


def _time_left(ends_at: datetime, now: datetime, guard: Guard) -> dict[str, int]:
    left, warn = int((ends_at - now).total_seconds()), int(guard.limits.warn.total_seconds())
    return {"seconds_left": max(left, 0), "warn_at_seconds": warn}
