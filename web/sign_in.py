"""Sign-in by one-time access link, sign-out, and the guards that every other page stands behind.

The link opens a page with one button, so that a mail scanner that follows links does not use it up.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import sqlalchemy as sa
from fastapi import FastAPI, Form, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.templating import Jinja2Templates

from core.errors import AccessDenied
from web.sessions import LIFETIME, close_session, csrf_token, is_csrf_token, person_of

COOKIE = "preceptor_session"


class SignInNeeded(Exception):
    """The request carries no session that is open; the shell answers with the sign-in page."""


@dataclass(frozen=True)
class Guard:
    """Who may pass: the session's person on every page, and its CSRF token on every form."""

    engine: sa.Engine
    clock: Callable[[], datetime]

    def person(self, request: Request) -> str:
        """The signed-in person.

        Raises:
            SignInNeeded: no open session.
        """
        name = person_of(self.engine, request.cookies.get(COOKIE), now=self.clock())
        if name is None:
            raise SignInNeeded
        return name

    def person_sending(self, request: Request, csrf: Annotated[str, Form()] = "") -> str:
        """The signed-in person who sent this form from one of our pages.

        Raises:
            SignInNeeded: no open session.
            AccessDenied: the form does not carry this session's token.
        """
        name = self.person(request)
        refuse_foreign_form(request)
        if not is_csrf_token(csrf, of_session=request.cookies[COOKIE]):
            raise AccessDenied("This form is not from your session. Go back, reload the page and send it again.")
        return name


def add_sign_in(
    app: FastAPI, pages: Jinja2Templates, guard: Guard, *, redeem: Callable[[str], str | None], home: str
) -> None:
    """Add `/sign-in` and `/sign-out`.

    Args:
        app: the app of `web.shell.create_shell`.
        pages: its templates.
        guard: the guard of its other pages.
        redeem: turns a one-time access token into a session token; None when it is unknown, used or expired.
        home: path to go to after sign-in.
    """

    @app.get("/sign-in")
    def sign_in_page(request: Request, token: str = "") -> Response:
        return pages.TemplateResponse(request, "sign_in.html", {"token": token, "fault": ""})

    @app.post("/sign-in")
    def sign_in(request: Request, token: Annotated[str, Form()] = "") -> Response:
        refuse_foreign_form(request)
        session = redeem(token.strip())
        if session is None:
            fault = "This access link is unknown, used or expired. Ask for a new one: preceptor label invite NAME."
            return pages.TemplateResponse(request, "sign_in.html", {"token": "", "fault": fault}, status_code=403)
        response = RedirectResponse(home, status_code=303)
        response.set_cookie(
            COOKIE,
            session,
            max_age=int(LIFETIME.total_seconds()),
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return response

    @app.post("/sign-out")
    def sign_out(request: Request, csrf: Annotated[str, Form()] = "") -> Response:
        guard.person_sending(request, csrf)
        close_session(guard.engine, request.cookies[COOKIE])
        response = RedirectResponse("/sign-in", status_code=303)
        response.delete_cookie(COOKIE)
        return response

    def to_sign_in(request: Request, _: Exception) -> Response:
        if request.method == "GET":
            return RedirectResponse("/sign-in", status_code=303)
        fault = "Your session has ended, so this form was not saved. Sign in with a new access link and send it again."
        return pages.TemplateResponse(request, "sign_in.html", {"token": "", "fault": fault}, status_code=401)

    app.add_exception_handler(SignInNeeded, to_sign_in)


def signed_in_context(request: Request, person: str) -> dict[str, str]:
    """What the base template needs to know about the person."""
    return {"person": person, "csrf": csrf_token(request.cookies[COOKIE])}


def refuse_foreign_form(request: Request) -> None:
    """Let through only forms that the browser says come from our own pages.

    Raises:
        AccessDenied: the browser names another site as the sender.
    """
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise AccessDenied("This form was sent from another site. Open Preceptor's own page and send it there.")
