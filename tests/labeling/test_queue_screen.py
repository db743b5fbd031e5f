"""The queue screen: the meter and the two drawings, in a browser and through forms."""

import pytest
import sqlalchemy as sa

from core.access import Role
from core.signals import Signal, write_signals
from labeling.tables import SELECTED
from tests.labeling.browsing import audit, store_url  # noqa: F401 - SQLite only

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark"), (320, "light")])
def test_a_lead_draws_both_streams_without_a_script_and_the_page_has_no_axe_violation(
    visit, imported, store, clock, width, scheme
):
    imported(12)
    signals = [Signal(query_id=f"task-{n:03}", bundle="b", probability=n / 12, threshold=0.5) for n in range(12)]
    write_signals(store, signals, now=clock())
    lea = visit(store, "/queue", name="Lea", roles=(Role.LEAD,), width=width, scheme=scheme)
    assert audit(lea.page) == []
    for button, n in (("Draw the audit", 4), ("Choose by score", 3)):
        lea.page.fill("#audit-n" if n == 4 else "#active-n", str(n))
        lea.page.click(f"text={button} >> nth=-1")
    with store.connect() as connection:
        n_selected = connection.execute(sa.select(sa.func.count()).select_from(SELECTED)).scalar_one()

    assert n_selected == 7
    assert "3 of 8 waiting items are in the active stream" in lea.page.inner_text("[role=status]")
    assert audit(lea.page) == []
    assert lea.is_quiet()
