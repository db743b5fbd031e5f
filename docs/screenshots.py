"""Takes the pictures in docs/images: every screen of the labeling room, on a made-up clinic, in headless Chromium.

Example: python -m docs.screenshots
"""

import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import click
import sqlalchemy as sa
import uvicorn

from core.labeling_settings import LabelingSettings
from core.store import writing
from docs.screenshot_store import START, made_store
from labeling.app import create_app
from web.guard import COOKIE
from web.sessions import open_session

IMAGES = Path(__file__).parent / "images"
NOW = START + timedelta(days=6)

SHOTS = (
    ("judge", "/judge", "Dana Ruiz", 1280, "light"),
    ("judge-narrow-dark", "/judge", "Dana Ruiz", 360, "dark"),
    ("mine", "/mine", "Dana Ruiz", 1280, "light"),
    ("keys", "/keys", "Dana Ruiz", 1280, "light"),
    ("progress", "/progress", "Dana Ruiz", 1280, "light"),
    ("guideline", "/guideline", "Dana Ruiz", 1280, "light"),
    ("adjudicate", "/adjudicate", "Sam Roth", 1280, "light"),
    ("ruling", "/adjudicate >", "Sam Roth", 1280, "light"),
    ("quality", "/quality", "Ines Vidal", 1280, "light"),
    ("quality-dark", "/quality", "Ines Vidal", 1280, "dark"),
    ("queue", "/queue", "Ines Vidal", 1280, "light"),
    ("import", "/import", "Ines Vidal", 1280, "light"),
    ("versions", "/versions", "Ines Vidal", 1280, "light"),
    ("clearance", "/clearance", "Noor Haddad", 1280, "light"),
    ("clearance-item", "/clearance >", "Noor Haddad", 1280, "light"),
    ("freeze", "/versions/new", "Ines Vidal", 1280, "light"),
    ("log", "/log", "Ada Quist", 1280, "light"),
    ("people", "/people", "Pat Admin", 1280, "light"),
    ("account", "/account", "Dana Ruiz", 1280, "light"),
)
"""Name of the picture, path (`>`: then the first link of its table), who looks, width in pixels, colour scheme."""


@click.command()
@click.option("--only", help="Take this picture alone.")
@click.option("--folder", type=click.Path(path_type=Path), default=IMAGES, show_default=True, help="Where to.")
def main(only: str | None, folder: Path) -> None:
    """Take the pictures."""
    from playwright.sync_api import sync_playwright

    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        engine = made_store(Path(place))
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        with served(engine) as address:
            for name, path, person, width, scheme in SHOTS:
                if only not in (None, name):
                    continue
                context = browser.new_context(viewport={"width": width, "height": 860}, color_scheme=scheme)
                with writing(engine) as connection:
                    token = open_session(connection, person, now=NOW)
                context.add_cookies([{"name": COOKIE, "value": token, "url": address}])
                page = context.new_page()
                page.goto(address + path.removesuffix(" >"))
                if path.endswith(">"):
                    page.locator("main table a").first.click()
                page.wait_for_load_state()
                page.screenshot(path=folder / f"{name}.png", full_page=width < 600)
                context.close()
                click.echo(f"{folder / name}.png")
        browser.close()
        engine.dispose()


@contextmanager
def served(engine: sa.Engine) -> Iterator[str]:
    """The address of a server on the store, as long as the block runs."""
    app = create_app(engine, settings=LabelingSettings(gold_rate=0), clock=lambda: NOW)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=10)


if __name__ == "__main__":
    main()
