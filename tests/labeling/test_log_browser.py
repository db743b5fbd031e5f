"""The log screen in a real browser."""

import pytest

from core.access import Role
from core.ledger import Ledger
from tests.labeling.browsing import audit, store_url  # noqa: F401 - SQLite alone in this module

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark"), (320, "light")])
def test_the_log_has_no_violation_no_error_and_asks_no_other_host(visit, imported, clock, width, scheme):
    store = imported(3)
    for number in range(120):
        Ledger(store).append("lead", "test.event", f"thing-{number}", {"sha256": "0" * 64}, now=clock())
    one = visit(store, "/log", name="Ada", roles=(Role.AUDITOR,), width=width, scheme=scheme)

    assert audit(one.page) == []
    one.goto("/log?action=test.event&check=yes")
    assert audit(one.page) == []
    assert one.is_quiet()
