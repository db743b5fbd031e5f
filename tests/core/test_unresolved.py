from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from core.store import create_tables, open_store, writing
from core.unresolved import UNRESOLVED, hand_over, keep_unresolved, machine_verdicts, waiting_unresolved
from tests.labeling.unresolved_rows import unresolved

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


@pytest.fixture
def store(store_url):
    engine = open_store(store_url)
    create_tables(engine)
    yield engine
    engine.dispose()


def test_what_is_kept_comes_back_as_it_was_and_once(store):
    first, second = unresolved(1), unresolved(2, strong_answer=None, verdict="not_checked")

    assert keep_unresolved(store, [first, second], origin="gateway", now=NOW) == 2
    assert keep_unresolved(store, [first], origin="verify", now=NOW) == 0
    with store.connect() as connection:
        assert waiting_unresolved(connection) == [first, second]
    assert (first.is_pair, second.is_pair) == (True, False)


def test_texts_leave_once_the_row_was_taken_over_and_the_verdict_stays(store):
    keep_unresolved(store, [unresolved(1), unresolved(2)], origin="gateway", now=NOW)
    with writing(store) as connection:
        hand_over(connection, {"dec_1": "p" * 64})

    with store.connect() as connection:
        row = connection.execute(sa.select(UNRESOLVED).where(UNRESOLVED.c.id == "dec_1")).one()
        assert (row.messages, row.weak_answer, row.strong_answer) == (None, None, None)
        assert [one.id for one in waiting_unresolved(connection)] == ["dec_2"]
        assert machine_verdicts(connection, ["p" * 64, "q" * 64]) == {"p" * 64: unresolved(1).said}
