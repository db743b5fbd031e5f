import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from core.access import Role
from core.ledger import Ledger
from labeling.app import create_app
from labeling.queueing.experts import invite_expert


@pytest.fixture
def auditor(imported, clock):
    store = imported(3)
    token = invite_expert(store, "Ada", roles=(Role.AUDITOR,), by="lead", now=clock())
    with TestClient(create_app(store, clock=clock)) as http:
        http.post("/sign-in", data={"token": token})
        yield store, http


def csrf(page):
    return page.split('name="csrf" value="')[1].split('"')[0]


def test_the_log_shows_the_newest_events_first_and_filters_them(auditor):
    _, http = auditor
    page = http.get("/log").text

    assert page.index("login.ok</td>") < page.index("item.import</td>")
    assert "item.import</td>" not in http.get("/log", params={"action": "login.ok"}).text


def test_a_hundred_and_more_events_come_in_pages(auditor, clock):
    store, http = auditor
    for number in range(150):
        Ledger(store).append("lead", "test.event", f"thing-{number}", {}, now=clock())
    first = http.get("/log", params={"action": "test.event"}).text
    older = first.split('href="/log?before=')[1].split("&")[0]
    second = http.get("/log", params={"action": "test.event", "before": older}).text

    assert first.count("test.event</td>") == 100
    assert second.count("test.event</td>") == 50


def test_checking_says_how_many_events_hold(auditor):
    store, http = auditor
    n_events = len(Ledger(store).events())

    assert f"{n_events} events checked" in http.get("/log", params={"check": "yes"}).text


def test_an_edited_event_is_named(auditor, store):
    engine, http = auditor
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.execute(sa.text("DROP TRIGGER ledger_event_no_update"))
        else:
            connection.execute(sa.text("ALTER TABLE ledger_event DISABLE TRIGGER ALL"))
        connection.execute(sa.text("UPDATE ledger_event SET actor = 'nobody' WHERE seq = 2"))

    assert "event 2" in http.get("/log", params={"check": "yes"}).text


def test_an_auditor_s_review_is_an_event_and_needs_a_remark(auditor):
    store, http = auditor
    token = csrf(http.get("/log").text)

    assert http.post("/log/review", data={"csrf": token, "remark": " "}).status_code == 409
    http.post("/log/review", data={"csrf": token, "remark": "All imports are by the lead."})
    assert [event.actor for event in Ledger(store).events(action="log.review")] == ["Ada"]
    assert "All imports are by the lead." in http.get("/log").text


def test_an_annotator_does_not_see_the_log(imported, expert):
    dana = expert(imported(1))

    assert dana.http.get("/log").status_code == 403
    assert 'href="/log"' not in dana.http.get("/judge").text


def test_an_event_number_that_no_event_can_have_is_refused_in_words(auditor):
    _, http = auditor

    answer = http.get("/log", params={"before": 10**20})
    assert (answer.status_code, "no fitting value of &#39;before&#39;" in answer.text) == (422, True)
