"""A real browser on a real server, for the tests of every screen: sign in by role, and audit what is shown.

`conftest.py` makes the fixtures known. Browser tests run on SQLite alone: give the module its own `store_url`
(`from tests.labeling.browsing import store_url`) and `pytestmark = pytest.mark.browser`.
"""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
import uvicorn

from core.access import Role
from core.access_settings import AccessSettings
from core.labeling_settings import LabelingSettings
from core.people import actor_of, add_person, find_person, grant
from core.store import writing
from labeling.app import create_app
from labeling.queueing.experts import enter
from web.sessions import open_session
from web.tables import SESSIONS

COOKIE = "preceptor_session"
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@dataclass
class Seen:
    """What the browser did and received."""

    hosts: set[str] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)


@dataclass
class Visit:
    """A signed-in person's page in a browser of their own."""

    page: Any
    seen: Seen
    address: str

    def goto(self, path: str) -> None:
        """Open a path of the server."""
        self.page.goto(self.address + path)

    def is_quiet(self) -> bool:
        """Whether the console had no error and nothing was asked of another host."""
        return self.seen.errors == [] and self.seen.hosts <= {urlsplit(self.address).netloc}


@pytest.fixture
def store_url(tmp_path: Path, sqlite_template: Path) -> str:
    """Browser tests run on SQLite alone; the store's own tests run on both."""
    shutil.copyfile(sqlite_template, tmp_path / "store.db")
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    """One Chromium for a module's tests; each visit has a context of its own, which shares nothing."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def serve(clock: Callable[[], Any]) -> Iterator[Callable[..., str]]:
    """Serve a store on loopback; returns the address. The same store, settings and access share one server."""
    running: dict[tuple[object, ...], tuple[uvicorn.Server, threading.Thread]] = {}

    def start(engine: sa.Engine, settings: LabelingSettings, access: AccessSettings) -> str:
        key = (id(engine), settings, access)
        if key not in running:
            app = create_app(engine, settings=settings, access=access, clock=clock)
            server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", access_log=False))
            thread = threading.Thread(target=server.run, daemon=True)
            thread.start()
            deadline = time.monotonic() + 20
            while not server.started:
                assert time.monotonic() < deadline, "the server did not start within 20 s"
                time.sleep(0.02)
            running[key] = (server, thread)
        port = running[key][0].servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    yield start
    for server, thread in running.values():
        server.should_exit = True
        thread.join(timeout=10)


@pytest.fixture
def visit(browser: Any, serve: Callable[..., str], clock: Callable[[], Any]) -> Iterator[Callable[..., Visit]]:
    """Open a page of a served store, signed in as a person who has these roles."""
    contexts = []

    def open_page(
        engine: sa.Engine,
        path: str = "/judge",
        *,
        name: str = "Dana Ruiz",
        roles: tuple[Role, ...] = (Role.ANNOTATOR,),
        settings: LabelingSettings = LabelingSettings(reason_required="never", gold_rate=0, repeat_rate=0),  # noqa: B008
        access: AccessSettings = AccessSettings(),  # noqa: B008
        width: int = 1280,
        height: int = 900,
        scheme: str = "light",
        scripts: bool = True,
    ) -> Visit:
        address = serve(engine, settings, access)
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, java_script_enabled=scripts
        )
        context.set_default_timeout(10_000)
        contexts.append(context)
        context.add_cookies([{"name": COOKIE, "value": signed_in(engine, name, roles, clock()), "url": address}])
        page, seen = context.new_page(), Seen()
        watch(page, seen)
        one = Visit(page, seen, address)
        one.goto(path)
        return one

    yield open_page
    for context in contexts:
        context.close()


def signed_in(engine: sa.Engine, name: str, roles: tuple[Role, ...], now: Any) -> str:
    """The cookie of a new session of this person, who is added with these roles where they are not there yet."""
    with writing(engine) as connection:
        lead = actor_of(connection, "lead", now=now, at_command_line=True)
        person = find_person(connection, name, now=now) or add_person(connection, name, by=lead, now=now)
        for role in roles:
            if role not in person.roles:
                grant(connection, name, role, by=lead, now=now)
        if Role.ANNOTATOR in roles:
            enter(connection, name, now=now)
        return open_session(connection, name, now=now)


def sign_out_everyone(engine: sa.Engine) -> None:
    """End every session, as a time-out does."""
    with writing(engine) as connection:
        connection.execute(SESSIONS.delete())


def watch(page: Any, seen: Seen) -> None:
    """Note every request, console error and response of a page."""
    page.on("request", lambda request: seen.hosts.add(urlsplit(request.url).netloc))
    page.on("console", lambda message: seen.errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.on("response", lambda response: seen.bodies.append(str(response.all_headers()) + _text_of(response)))


def audit(page: Any) -> list[str]:
    """What axe-core finds wrong with the page as shown now, and a sideways scroll; empty when there is nothing."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate(
        "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']})", AXE_TAGS
    )
    faults = [
        f"{violation['id']}: {node['target']} {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]
    if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
        faults.append("the page scrolls sideways")
    return faults


def _text_of(response: Any) -> str:
    from playwright.sync_api import Error

    if response.status in (303, 304):
        return ""
    try:
        return str(response.text())
    except Error:  # the page was left before its last answers were read
        return ""
