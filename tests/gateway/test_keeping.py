import pytest
import sqlalchemy as sa

from core.store import METADATA, open_store
from core.unresolved import UNRESOLVED, waiting_unresolved
from gateway.records.decision_log import DecisionLog
from gateway.records.keeping import UnresolvedLog
from gateway.told import Told
from tests.gateway.conftest import FixedRouter, answered

SECRET = "the tenant of the blue house"


@pytest.fixture
def store(store_url):
    engine = open_store(store_url)
    yield engine
    engine.dispose()


@pytest.fixture
def asking(make_loop, models, store):
    """Ask a gateway that keeps, or does not keep, what needs a person; returns the reply."""

    def ask(*, keeps=True, broken=False, stakes=None, probability=0.1):
        log = UnresolvedLog(store, weak="small", strong="large")
        if broken:
            log.keep = lambda *_: (_ for _ in ()).throw(RuntimeError("disk full"))
        loop = make_loop(FixedRouter(probability), decisions=DecisionLog(store), unresolved=log if keeps else None)
        messages = [{"role": "user", "content": f"Evict {SECRET}?"}]
        return answered(loop, Told(stakes=stakes), model="auto", messages=messages)

    return ask


def kept(store):
    with store.connect() as connection:
        return waiting_unresolved(connection)


def test_a_weak_answer_that_the_recheck_stopped_is_kept_with_both_answers(asking, models, store):
    models[0].text = "wrong"
    reply = asking()

    (row,) = kept(store)
    assert (row.id, row.weak, row.strong) == (reply.decision.id, "small", "large")
    assert (row.weak_answer, row.strong_answer) == ("wrong", "right, says large")
    assert row.query.messages[0].content == f"Evict {SECRET}?"
    assert (row.said.verdict, [one.check for one in row.said.checks]) == ("fail", ["test.says"])


def test_a_critical_request_is_kept_with_the_one_answer_that_there_is(asking, store):
    asking(stakes="critical")

    (row,) = kept(store)
    assert (row.weak_answer, row.strong_answer) == (None, "right, says large")
    assert (row.said.verdict, row.query.stakes.value, row.is_pair) == ("not_checked", "critical", False)


@pytest.mark.parametrize("probability", [0.1, 0.9])
def test_what_passed_or_went_to_the_strong_model_needs_no_person(asking, store, probability):
    asking(probability=probability)

    assert kept(store) == []


def test_without_the_setting_no_table_holds_a_text_of_the_request(asking, models, store):
    models[0].text = f"wrong about {SECRET}"
    asking(keeps=False)

    with store.connect() as connection:
        rows = [str(connection.execute(sa.select(table)).all()) for table in METADATA.sorted_tables]
        assert connection.execute(sa.select(UNRESOLVED)).all() == []
    assert not [row for row in rows if SECRET in row]


def test_a_store_that_takes_nothing_loses_no_request(asking, models):
    models[0].text = "wrong"

    assert asking(broken=True).text == "right, says large"
