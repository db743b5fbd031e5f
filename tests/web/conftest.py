"""A store with people, a clock that the test moves, and an app with one page for each kind of guard."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated

import pytest
import sqlalchemy as sa
from fastapi import Depends, FastAPI, Request, Response
from fastapi.testclient import TestClient

from core import signatures  # noqa: F401 - declares its table
from core.access import Act, Actor, Role
from core.access_settings import OidcSettings
from core.invitations import invite
from core.people import actor_of, add_person, grant
from core.store import create_tables, open_store, writing
from web import oidc_pages  # noqa: F401 - declares its table
from web.account import add_account_pages
from web.guard import Guard
from web.people_pages import add_people_pages
from web.sessions import SessionLimits
from web.shell import create_shell, message_page
from web.sign_in import add_sign_in

START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
PASSWORD = "gravel otter nineteen lamp"


class Clock:
    """A clock that stands until the test moves it."""

    def __init__(self) -> None:
        self.moment = START

    def __call__(self) -> datetime:
        return self.moment

    def skip(self, duration: timedelta) -> None:
        """Let time pass."""
        self.moment += duration


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(store_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[sa.Engine]:
    monkeypatch.setenv("PRECEPTOR_SECRET_KEY", "A" * 43 + "=")
    engine = open_store(store_url)
    create_tables(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def people(store: sa.Engine, clock: Clock) -> Callable[..., str]:
    """Add someone with roles, and return a one-time token of theirs. `Alex` is admin from the start."""
    with writing(store) as connection:
        by = actor_of(connection, "setup", now=clock(), at_command_line=True)
        add_person(connection, "Alex", by=by, now=clock())
        grant(connection, "Alex", Role.ADMIN, by=by, now=clock())

    def add(name: str, *roles: Role) -> str:
        with writing(store) as connection:
            admin = actor_of(connection, "Alex", now=clock())
            if name != "Alex":
                add_person(connection, name, by=admin, now=clock())
                for role in roles:
                    grant(connection, name, role, by=admin, now=clock())
            return invite(connection, name, by=admin, now=clock())

    return add


def make_app(
    store: sa.Engine, clock: Clock, *, require_totp: bool = False, oidc: OidcSettings | None = None
) -> FastAPI:
    """An app with a page for everyone, one for leads, and a form that asks its sender to show again who they are."""
    navigation = (("/home", "Home"), ("/lead", "Lead", Act.FREEZE), ("/people", "People", Act.VIEW_PEOPLE))
    app, pages = create_shell("Testing", navigation=navigation)
    guard = Guard(store, clock, SessionLimits(), require_totp=require_totp)
    add_sign_in(app, pages, guard, home="/home", oidc=oidc)
    add_account_pages(app, pages, guard)
    add_people_pages(app, pages, guard)

    @app.get("/home")
    def home(request: Request, name: Annotated[str, Depends(guard.person)]) -> Response:
        return message_page(pages, request, heading="Home", text=f"Hello {name}")

    @app.get("/lead")
    def lead(request: Request, actor: Annotated[Actor, Depends(guard.may(Act.FREEZE))]) -> Response:
        return message_page(pages, request, heading="Lead", text=f"Hello {actor.name}")

    @app.post("/sign")
    async def sign(request: Request, actor: Annotated[Actor, Depends(guard.may_sending(Act.FREEZE))]) -> Response:
        form = await request.form()
        method = guard.prove_again(request, str(form.get("sign_password", "")), str(form.get("sign_code", "")))
        return message_page(pages, request, heading="Signed", text=f"{actor.name} by {method}")

    return app


class Browser:
    """A browser without JavaScript that sends each form with the token of the page it stands on."""

    def __init__(self, app: FastAPI) -> None:
        self.http = TestClient(app)

    def get(self, path: str, **kwargs: object) -> Response:
        return self.http.get(path, **kwargs)

    def send(self, path: str, **fields: str) -> Response:
        """Send a form with the session's CSRF token."""
        page = self.http.get("/account").text
        found = re.search(r'name="csrf" value="(\w+)"', page)
        return self.http.post(path, data={"csrf": found.group(1) if found else "", **fields})

    def come_by_link(self, token: str) -> Response:
        return self.http.post("/sign-in", data={"token": token})

    def come_by_password(self, name: str, password: str, code: str = "") -> Response:
        return self.http.post("/sign-in", data={"name": name, "password": password, "code": code})


@pytest.fixture
def app(store: sa.Engine, clock: Clock, people: Callable[..., str]) -> FastAPI:
    return make_app(store, clock)


@pytest.fixture
def browser(app: FastAPI) -> Iterator[Callable[[], Browser]]:
    """Open a browser that shares nothing with the others."""
    opened: list[Browser] = []

    def open_browser(other: FastAPI | None = None) -> Browser:
        opened.append(Browser(other or app))
        return opened[-1]

    yield open_browser
    for one in opened:
        one.http.close()
