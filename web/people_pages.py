"""The page of people: who is here, who may do what; an admin adds, grants, revokes, retires and invites.

An access link is shown once, on the page that answers the click, and is in no address and no log.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated

import sqlalchemy as sa
from fastapi import Depends, FastAPI, Form, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.templating import Jinja2Templates

from core.access import Act, Actor, Role, refusal
from core.errors import AccessDenied, PreceptorError
from core.invitations import LINK_LIFETIME, invite
from core.people import EMERGENCY_MAX, Emergency, add_person, grant, people, retire, revoke, verify_identity
from core.store import writing
from web.guard import Guard, signed_in_context

DONE = {
    "add": "Added. Give a role, and make an access link.",
    "grant": "The role is given.",
    "revoke": "The role is taken back, and the person's sessions have ended.",
    "verify": "The identity is verified; this person can sign.",
    "retire": "Retired. The name stays in the records, and the login is never given again.",
}
"""What the page says after something was done, by the word in its address."""


def add_people_pages(app: FastAPI, pages: Jinja2Templates, guard: Guard) -> None:
    """Add `/people`.

    Args:
        app: the app of `web.shell.create_shell`.
        pages: its templates.
        guard: the guard of its other pages.
    """
    viewer, admin = Depends(guard.may(Act.VIEW_PEOPLE)), Depends(guard.may_sending(Act.MANAGE_PEOPLE))

    def people_page(request: Request, actor: Actor, *, fault: str = "", link: str = "", status: int = 200) -> Response:
        with guard.engine.connect() as connection:
            everyone = people(connection, now=guard.clock())
        context = {
            **signed_in_context(request, actor.name),
            "people": everyone,
            "roles": list(Role),
            "may_manage": refusal(Act.MANAGE_PEOPLE, actor) is None,
            "emergency_hours": int(EMERGENCY_MAX.total_seconds() // 3600),
            "link": link,
            "link_days": LINK_LIFETIME.days,
            "fault": fault,
            "notice": "" if fault or link else DONE.get(request.query_params.get("after", ""), ""),
        }
        return pages.TemplateResponse(request, "people.html", context, status_code=status)

    def change(request: Request, actor: Actor, word: str, do: Callable[[sa.Connection], object]) -> Response:
        """Do it in one transaction, then show the page; a refusal is shown on it."""
        try:
            with writing(guard.engine) as connection:
                do(connection)
        except AccessDenied as refused:
            return people_page(request, actor, fault=str(refused), status=403)
        except PreceptorError as error:
            return people_page(request, actor, fault=str(error), status=422)
        return RedirectResponse(f"/people?after={word}", status_code=303)

    @app.get("/people")
    def show(request: Request, actor: Annotated[Actor, viewer]) -> Response:
        return people_page(request, actor)

    @app.post("/people/add")
    def add(request: Request, actor: Annotated[Actor, admin], name: Annotated[str, Form()] = "") -> Response:
        return change(request, actor, "add", lambda store: add_person(store, name, by=actor, now=guard.clock()))

    @app.post("/people/verify")
    def verify(request: Request, actor: Annotated[Actor, admin], name: Annotated[str, Form()] = "") -> Response:
        return change(request, actor, "verify", lambda store: verify_identity(store, name, by=actor, now=guard.clock()))

    @app.post("/people/retire")
    def end(
        request: Request,
        actor: Annotated[Actor, admin],
        name: Annotated[str, Form()] = "",
        sure: Annotated[str, Form()] = "",
    ) -> Response:
        if not sure:
            return people_page(
                request, actor, fault=f"Nobody was retired: tick that you are sure of '{name}'.", status=422
            )
        return change(request, actor, "retire", lambda store: retire(store, name, by=actor, now=guard.clock()))

    @app.post("/people/grant")
    def give(
        request: Request,
        actor: Annotated[Actor, admin],
        name: Annotated[str, Form()] = "",
        role: Annotated[str, Form()] = "",
        hours: Annotated[str, Form()] = "",
        reason: Annotated[str, Form()] = "",
    ) -> Response:
        now = guard.clock()

        def do(store: sa.Connection) -> None:
            emergency = Emergency(reason, now + timedelta(hours=_hours(hours))) if hours.strip() else None
            grant(store, name, _role(role), by=actor, now=now, emergency=emergency)

        return change(request, actor, "grant", do)

    @app.post("/people/revoke")
    def take_back(
        request: Request,
        actor: Annotated[Actor, admin],
        name: Annotated[str, Form()] = "",
        role: Annotated[str, Form()] = "",
    ) -> Response:
        now = guard.clock()
        return change(request, actor, "revoke", lambda store: revoke(store, name, _role(role), by=actor, now=now))

    @app.post("/people/invite")
    def make_link(request: Request, actor: Annotated[Actor, admin], name: Annotated[str, Form()] = "") -> Response:
        try:
            with writing(guard.engine) as connection:
                token = invite(connection, name, by=actor, now=guard.clock())
        except PreceptorError as error:
            return people_page(request, actor, fault=str(error), status=422)
        return people_page(request, actor, link=f"{str(request.base_url).rstrip('/')}/sign-in?token={token}")


def _role(text: str) -> Role:
    if text not in set(Role):
        raise PreceptorError(f"'{text}' is not a role. Choose from: {', '.join(Role)}.")
    return Role(text)


def _hours(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise PreceptorError(f"'{text}' is not a number of hours. Write a number such as 2.") from error
