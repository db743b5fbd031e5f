"""The pages of accounts in a real browser: accessible in both schemes, nothing from elsewhere, the warning appears."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import axe_playwright_python
import pytest
import uvicorn

from core.access import Role
from tests.web.conftest import PASSWORD, make_app

pytestmark = [pytest.mark.browser]

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
FLAGS += ["--disable-sync", "--no-first-run"]
AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
VIEWS = [(1280, "light"), (360, "dark")]


@pytest.fixture
def store_url(tmp_path):
    """Browser tests run on SQLite alone."""
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def address(store, clock, people) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(make_app(store, clock), port=0, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=10)


@pytest.fixture(scope="module")
def chrome(chromium):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chrome, address):
    """A page, and what went wrong on it: foreign hosts, errors, and findings of axe."""
    contexts = []

    def opened(width, scheme):
        context = chrome.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page, wrong = context.new_page(), []
        host = urlsplit(address).netloc
        page.on("request", lambda sent: wrong.append(sent.url) if urlsplit(sent.url).netloc != host else None)
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        return page, wrong

    yield opened
    for context in contexts:
        context.close()


def findings(page):
    """Rules of axe that the page breaks, and whether it scrolls sideways."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    run = "tags => axe.run({runOnly: {type: 'tag', values: tags}}).then(found => found.violations)"
    broken = [f"{one['id']}: {one['nodes'][0]['html'][:120]}" for one in page.evaluate(run, TAGS)]
    if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
        broken.append("the page scrolls sideways")
    return broken


def enter(page, address, token):
    page.goto(f"{address}/sign-in?token={token}")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/home")
    page.goto(f"{address}/account")


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_signing_in_and_the_account_are_accessible_to_the_end(open_page, address, people, clock, width, scheme):
    page, wrong = open_page(width, scheme)
    token = people("Dana Ruiz", Role.LEAD)
    page.goto(f"{address}/sign-in")
    page.get_by_text("I have an access link").click()
    assert findings(page) == []
    page.goto(f"{address}/sign-in?token={token}")
    assert findings(page) == []
    enter(page, address, token)
    assert findings(page) == []
    page.get_by_label("New password", exact=True).fill(PASSWORD)
    page.get_by_label("New password again").fill(PASSWORD)
    page.get_by_role("button", name="Set the password").click()
    page.get_by_role("status").wait_for()
    page.locator("#totp-current").fill(PASSWORD)
    page.get_by_role("button", name="Set up an authenticator").click()
    page.locator("img.qr").wait_for()
    page.wait_for_load_state("load")
    assert page.evaluate("document.querySelector('img.qr').naturalWidth") > 0
    assert findings(page) == []
    assert wrong == []


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_the_page_of_people_is_accessible_with_a_link_on_it(open_page, address, people, width, scheme):
    page, wrong = open_page(width, scheme)
    for name in ("Dana Ruiz", "Lee Okafor"):
        people(name, Role.ANNOTATOR)
    enter(page, address, people("Alex"))
    page.goto(f"{address}/people")
    assert findings(page) == []
    page.locator("#invite-name").select_option("Dana Ruiz")
    page.get_by_role("button", name="Make an access link").click()
    page.get_by_role("heading", name="Access link").wait_for()
    assert findings(page) == []
    assert wrong == []


def test_a_page_warns_before_its_session_ends_and_staying_prolongs_it(open_page, address, people, clock):
    page, wrong = open_page(1280, "light")
    enter(page, address, people("Dana Ruiz"))
    clock.skip(timedelta(minutes=13, seconds=1))
    page.evaluate("document.body.dataset.sessionSeconds = '121'")
    page.evaluate("import('/static/web/session.js?again')")
    page.get_by_role("alert").wait_for(timeout=10_000)
    assert "ends in 2 minutes" in page.get_by_role("alert").inner_text()
    assert findings(page) == []
    page.get_by_role("button", name="Stay signed in").click()
    page.get_by_role("alert").wait_for(state="detached", timeout=5000)

    assert page.evaluate("fetch('/session').then(answer => answer.json())")["seconds_left"] == 900
    assert wrong == []


def test_a_page_says_when_its_session_has_ended(open_page, address, people, clock):
    page, _ = open_page(360, "dark")
    enter(page, address, people("Dana Ruiz"))
    clock.skip(timedelta(minutes=15))
    page.evaluate("document.body.dataset.sessionSeconds = '121'")
    page.evaluate("import('/static/web/session.js?again')")
    page.get_by_role("alert").wait_for(timeout=10_000)

    assert "kept on the server" in page.get_by_role("alert").inner_text()
    assert findings(page) == []
