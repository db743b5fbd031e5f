"""The judging page as the browser tests use it: keys, forms sent, what the store then holds."""

import sqlalchemy as sa

from labeling.tables import JUDGEMENTS, stands


def standing(store):
    with store.connect() as connection:
        return connection.execute(sa.select(JUDGEMENTS).where(stands()).order_by(JUDGEMENTS.c.at)).all()


def rows(store, table):
    with store.connect() as connection:
        return connection.execute(sa.select(table)).all()


def press(page, *keys):
    """Press keys one after the other, once the page listens: its module runs before the document counts as loaded."""
    page.wait_for_load_state("domcontentloaded")
    for key in keys:
        page.keyboard.press(key)


def save(page, *keys):
    """Press keys, the last of which sends the form, and wait for the next page."""
    page.evaluate("document.querySelector('main').dataset.old = 'yes'")
    press(page, *keys)
    page.locator("main:not([data-old])").wait_for()


def status(page):
    return page.locator("#status").inner_text()


def draft_saved(page):
    page.locator("#draft-state", has_text="draft saved").wait_for()


def verdict_by_side(row):
    """The saved verdict, as seen on the screen."""
    if not row.swapped:
        return row.verdict
    return {"first_better": "second_better", "second_better": "first_better"}.get(row.verdict, row.verdict)
