"""A real browser on a real server: the keyboard, reload, double submit, and nothing that leaves the host."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
import uvicorn

from core.ledger import Ledger
from labeling.app import create_app
from labeling.queueing.experts import invite_expert
from labeling.tables import JUDGEMENTS, stands
from tests.labeling.conftest import STRONG, WEAK

pytestmark = [pytest.mark.browser]

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture
def store_url(tmp_path):
    """Browser tests run on SQLite alone; the store's own tests run on both."""
    return f"sqlite:///{tmp_path / 'store.db'}"


@dataclass
class Seen:
    """What the browser did and received."""

    hosts: set[str] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)


@pytest.fixture
def served(imported) -> Iterator[tuple[sa.Engine, str]]:
    """A store with six pairs, and the address of a server on it."""
    store = imported(6)
    server = uvicorn.Server(uvicorn.Config(create_app(store), port=0, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield store, f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(timeout=10)


@pytest.fixture(scope="module")
def browser(chromium):
    """One Chromium for all tests; each test opens contexts of its own, which share nothing."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, served, clock):
    """Open the judging screen, signed in, in a browser of this width and colour scheme."""
    store, address = served
    contexts = []

    def sign_in(name="Dana Ruiz", *, width=1280, scheme="light", scripts=True):
        from datetime import UTC, datetime

        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=scripts
        )
        contexts.append(context)
        page, seen = context.new_page(), Seen()
        page.on("request", lambda request: seen.hosts.add(urlsplit(request.url).netloc))
        page.on("console", lambda message: seen.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: seen.errors.append(str(error)))
        page.on("response", lambda response: seen.bodies.append(str(response.all_headers()) + text_of(response)))
        token = invite_expert(store, name, by="lead", now=datetime.now(UTC))
        page.goto(f"{address}/sign-in?token={token}")
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/judge")
        page.wait_for_load_state()
        return page, seen

    yield sign_in
    for context in contexts:
        context.close()


def text_of(response):
    return "" if response.status in (303, 304) else response.text()


def standing(store):
    with store.connect() as connection:
        return connection.execute(sa.select(JUDGEMENTS).where(stands()).order_by(JUDGEMENTS.c.at)).all()


def press(page, *keys):
    """Press keys, the last of which sends a form."""
    for key in keys[:-1]:
        page.keyboard.press(key)
    with page.expect_navigation():
        page.keyboard.press(keys[-1])


def test_five_pairs_by_keyboard_alone(open_page, served):
    store, address = served
    page, seen = open_page()
    press(page, "1", "y", "n", "Enter")
    press(page, "2", "Enter")
    press(page, "3", "Enter")
    press(page, "4", "Enter")
    page.keyboard.press("s")
    page.keyboard.type("The record is missing, 1 or 2 pages.")
    press(page, "Control+Enter")

    rows = standing(store)
    assert [row.verdict for row in rows[2:]] == ["both_acceptable", "neither_acceptable", "cannot_judge"]
    assert rows[0].verdict == ("second_better" if rows[0].swapped else "first_better")
    assert rows[1].verdict == ("first_better" if rows[1].swapped else "second_better")
    assert (rows[0].first_acceptable, rows[0].second_acceptable) == (
        (False, True) if rows[0].swapped else (True, False)
    )
    assert rows[4].reason == "The record is missing, 1 or 2 pages."
    assert all(row.active_ms is not None for row in rows)
    assert page.get_by_text("5 of 6").is_visible()
    assert seen.errors == []
    assert seen.hosts == {urlsplit(address).netloc}
    assert len(seen.bodies) > 10
    assert not any(model in body for body in seen.bodies for model in (WEAK, STRONG))


def test_undo_by_keyboard_brings_the_pair_back(open_page, served):
    store, _ = served
    page, seen = open_page()
    asked = page.locator(".answers").inner_text()
    press(page, "3", "Enter")
    press(page, "u")

    assert page.locator(".answers").inner_text() == asked
    assert page.get_by_role("status").inner_text() == "Undone. Here is the pair again."
    assert standing(store) == []
    assert seen.errors == []


def test_typing_in_the_reason_does_not_vote(open_page, served):
    store, _ = served
    page, _ = open_page()
    page.keyboard.press("r")
    page.keyboard.type("12 3 4 suyn?")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")

    assert page.locator("input[name=verdict]:checked").count() == 0
    assert page.locator("#reason").input_value() == "12 3 4 suyn?\n"
    assert standing(store) == []


def test_keys_can_be_switched_off(open_page, served):
    page, _ = open_page()
    page.keyboard.press("?")
    page.get_by_label("Use these keys").uncheck()
    page.reload()
    page.keyboard.press("1")

    assert page.locator("input[name=verdict]:checked").count() == 0


def test_a_double_click_and_a_reload_count_once(open_page, served):
    store, address = served
    page, _ = open_page()
    page.keyboard.press("3")
    page.get_by_role("button", name="Save and next").dblclick()
    page.wait_for_url("**/judge?after=saved")
    page.reload()
    page.goto(f"{address}/progress")
    page.goto(f"{address}/judge")

    assert len(standing(store)) == 1
    assert len(Ledger(store).events(action="judge.submit")) == 1


def test_after_the_back_button_the_same_pair_is_not_judged_twice(open_page, served):
    store, _ = served
    page, _ = open_page()
    press(page, "3", "Enter")
    page.go_back()
    page.wait_for_load_state()
    press(page, "4", "Enter")

    pairs = [row.pair_id for row in standing(store)]
    assert len(pairs) == len(set(pairs))
    assert standing(store)[0].verdict == "both_acceptable"


def test_the_vote_works_with_javascript_off(open_page, served):
    store, _ = served
    page, seen = open_page(scripts=False)
    page.get_by_text("Left is better").click()
    page.locator(".answer.left").get_by_text("Yes").click()
    page.get_by_role("button", name="Save and next").click()
    page.wait_for_url("**/judge?after=saved")

    assert len(standing(store)) == 1
    assert seen.errors == []


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark"), (320, "light")])
def test_the_page_never_scrolls_sideways_and_every_text_has_contrast(open_page, width, scheme):
    page, _ = open_page(width=width, scheme=scheme)
    page.keyboard.press("1")
    page.keyboard.press("?")

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(FAINT_TEXTS) == []


FAINT_TEXTS = """() => {
  // Texts whose contrast with what is painted behind them is under 4.5 to 1 (WCAG 2.2, 1.4.3).
  const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const over = (colours) => {
    paint.clearRect(0, 0, 1, 1);
    for (const colour of colours) { paint.fillStyle = colour; paint.fillRect(0, 0, 1, 1); }
    return [...paint.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const faint = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const passedOver = element.closest(":disabled, script, style, noscript");
    if (!own || passedOver || !element.checkVisibility()) continue;
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.unshift(getComputedStyle(at).backgroundColor);
    const [text, back] = [over([...layers, getComputedStyle(element).color]), over(layers)].map(light);
    const ratio = (Math.max(text, back) + 0.05) / (Math.min(text, back) + 0.05);
    if (ratio < 4.5) faint.push(`${element.tagName} ${element.textContent.trim().slice(0, 30)} ${ratio.toFixed(2)}`);
  }
  return faint;
}"""
