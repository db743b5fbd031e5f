"""A person's own account: password and authenticator. A secret is shown to its owner alone."""

from typing import Annotated

from fastapi import Depends, FastAPI, Form, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.templating import Jinja2Templates

from core.errors import AccessDenied, PreceptorError
from core.people import find_person
from core.store import writing
from web.credentials import confirm_totp, credential_of, pending_totp, set_password, start_totp
from web.guard import Guard, reauthenticate, signed_in_context
from web.passwords import MIN_CHARS
from web.sessions import open_session
from web.sign_in import with_cookie
from web.totp import enrolment_svg

NOTICES = {
    "password": "The password is set. Sessions that were open elsewhere have ended.",
    "totp": "The authenticator is enrolled. Its code is asked for from now on.",
    "enrol": "This site asks for a password and an authenticator. Set up both here; then the other pages open.",
    "proved": "You have shown that it is you. Go back to what you were signing, within five minutes.",
}
"""What the page says after something was done, by the word in its address."""


def add_account_pages(app: FastAPI, pages: Jinja2Templates, guard: Guard) -> None:
    """Add `/account`, and the link to it in the header.

    Args:
        app: the app of `web.shell.create_shell`.
        pages: its templates.
        guard: the guard of its other pages.
    """
    pages.env.globals["account_path"] = "/account"
    owner, sender = Depends(guard.anyone), Depends(guard.anyone_sending)

    def account_page(request: Request, name: str, *, fault: str = "", status_code: int = 200) -> Response:
        guard.note_actor(request, name)
        with guard.engine.connect() as connection:
            has = credential_of(connection, name)
            account = find_person(connection, name, now=guard.clock())
        context = {
            **signed_in_context(request, name),
            "has": has,
            "account": account,
            "comes_by": request.state.session.method,
            "secret": pending_totp(guard.engine, name) if has.totp_pending else None,
            "min_chars": MIN_CHARS,
            "fault": fault,
            "notice": "" if fault else NOTICES.get(request.query_params.get("after", ""), ""),
        }
        return pages.TemplateResponse(request, "account.html", context, status_code=status_code)

    def check_current(request: Request, name: str, password: str, code: str) -> None:
        """Ask for the present password before it, or what stands beside it, is changed."""
        if request.state.session.method == "oidc":
            raise AccessDenied("You come by your site's sign-in, and need no password here. Change yours over there.")
        with guard.engine.connect() as connection:
            has_password = credential_of(connection, name).password_set_at is not None
        if has_password:
            reauthenticate(guard.engine, name, password, code, now=guard.clock())

    @app.get("/account")
    def show(request: Request, name: Annotated[str, owner]) -> Response:
        return account_page(request, name)

    @app.post("/account/password")
    def change_password(
        request: Request,
        name: Annotated[str, sender],
        current: Annotated[str, Form()] = "",
        code: Annotated[str, Form()] = "",
        password: Annotated[str, Form()] = "",
        again: Annotated[str, Form()] = "",
    ) -> Response:
        now = guard.clock()
        try:
            if password != again:
                raise PreceptorError("The two new passwords differ. Type the same one twice.")
            check_current(request, name, current, code)
            method = request.state.session.method
            with writing(guard.engine) as connection:
                set_password(connection, name, password, now=now)
                session = open_session(connection, name, now=now, method=method, limits=guard.limits)
        except AccessDenied as refused:
            return account_page(request, name, fault=str(refused), status_code=403)
        except PreceptorError as error:
            return account_page(request, name, fault=str(error), status_code=422)
        response = RedirectResponse("/account?after=password", status_code=303)
        return with_cookie(request, response, session, guard=guard)

    @app.post("/account/totp/start")
    def start(request: Request, name: Annotated[str, sender], current: Annotated[str, Form()] = "") -> Response:
        try:
            check_current(request, name, current, "")
            start_totp(guard.engine, name, now=guard.clock())
        except AccessDenied as refused:
            return account_page(request, name, fault=str(refused), status_code=403)
        return RedirectResponse("/account#authenticator", status_code=303)

    @app.get("/account/totp.svg")
    def picture(name: Annotated[str, owner]) -> Response:
        secret = pending_totp(guard.engine, name)
        if secret is None:
            return Response(status_code=404)
        return Response(enrolment_svg(secret, login=name), media_type="image/svg+xml")

    @app.post("/account/totp/confirm")
    def confirm(request: Request, name: Annotated[str, sender], code: Annotated[str, Form()] = "") -> Response:
        if not confirm_totp(guard.engine, name, code, now=guard.clock()):
            fault = (
                "This is not the authenticator's code of now. Look whether the clocks agree, and type the next code."
            )
            return account_page(request, name, fault=fault, status_code=422)
        return RedirectResponse("/account?after=totp", status_code=303)
