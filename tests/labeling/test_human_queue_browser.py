"""The checks' word reaches the browser after the vote and never before; axe-core finds no barrier beside it."""

import pytest

from core.access import Role
from core.unresolved import keep_unresolved
from labeling.content.unresolved import import_unresolved
from tests.labeling.browsing import audit, store_url  # noqa: F401 - SQLite only
from tests.labeling.conftest import ONCE
from tests.labeling.judge_page import save, status
from tests.labeling.unresolved_rows import unresolved

pytestmark = pytest.mark.browser

NAMES = ("The checks had said", "wording.quote", "changed_number", "changed number")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_an_expert_votes_before_the_browser_knows_what_the_checks_said(visit, store, clock, width, scheme):
    keep_unresolved(store, [unresolved(1), unresolved(2)], origin="gateway", now=clock())
    import_unresolved(store, by="lead", now=clock(), rules=ONCE)
    one = visit(store, width=width, scheme=scheme)
    before = "".join(one.seen.bodies) + one.page.content()

    save(one.page, "3", "Enter")
    said = one.page.locator(".checks-said")
    faults = {"next pair": audit(one.page)}
    shown, told = said.inner_text(), status(one.page)
    save(one.page, "4", "Enter")
    faults["done"] = audit(one.page)
    one.goto("/mine")
    faults["mine"] = audit(one.page)
    n_mine = one.page.locator(".checks-said").count()
    lead = visit(store, "/quality", name="Lea", roles=(Role.LEAD,), width=width, scheme=scheme)
    faults["quality"] = audit(lead.page)
    rates = lead.page.locator("[aria-label='Overruled rechecks']").inner_text()

    assert [name for name in NAMES if name in before] == []
    assert "The checks had said: wrong" in shown
    assert "wording.quote: fail, changed number" in shown
    assert "Above the question" in told
    assert n_mine == 2
    assert "wording.quote" in rates
    assert faults == {"next pair": [], "done": [], "mine": [], "quality": []}
    assert one.is_quiet()
