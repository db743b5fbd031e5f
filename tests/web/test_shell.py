from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from fastapi import Request, Response
from fastapi.testclient import TestClient

from core.errors import AccessDenied
from core.people import actor_of, add_person
from core.store import create_tables, open_store, writing
from web.sessions import LIFETIME, close_session, csrf_token, is_csrf_token, open_session, session_of
from web.shell import create_shell, message_page

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


@pytest.fixture
def client() -> Iterator[TestClient]:
    app, pages = create_shell("Testing")

    @app.get("/says")
    def says(request: Request, text: str) -> Response:
        return message_page(pages, request, heading="Said", text=text)

    @app.get("/page")
    def page(request: Request, number: int) -> Response:
        return message_page(pages, request, heading="Page", text=str(number))

    @app.get("/denied")
    def denied() -> Response:
        raise AccessDenied("Only a lead may do this. Ask one.")

    with TestClient(app) as client:
        yield client


@pytest.fixture
def store(store_url: str) -> Iterator[sa.Engine]:
    engine = open_store(store_url)
    create_tables(engine)
    with writing(engine) as connection:
        add_person(connection, "Dana", by=actor_of(connection, "setup", now=NOW, at_command_line=True), now=NOW)
    yield engine
    engine.dispose()


@pytest.mark.parametrize("path", ["/says?text=hello", "/nowhere", "/denied", "/static/web/style.css"])
def test_every_response_forbids_what_is_not_ours(client, path):
    headers = client.get(path).headers

    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_pages_are_never_kept_and_static_files_are_asked_for_again(client):
    assert client.get("/says?text=hello").headers["Cache-Control"] == "no-store"
    assert client.get("/static/web/style.css").headers["Cache-Control"] == "no-cache"


def test_what_is_shown_is_escaped(client):
    assert "<script>" not in client.get("/says", params={"text": "<script>alert(1)</script>"}).text


def test_a_request_under_a_foreign_host_name_is_refused(client):
    assert client.get("/says?text=hello", headers={"Host": "evil.example"}).status_code == 400


def test_a_refusal_is_a_page_with_its_sentence(client):
    answer = client.get("/denied")

    assert answer.status_code == 403
    assert "Only a lead may do this. Ask one." in answer.text


def test_an_unknown_page_is_a_page(client):
    answer = client.get("/nowhere")

    assert answer.status_code == 404
    assert "There is no such page" in answer.text


def test_a_favicon_is_there(client):
    assert client.get("/favicon.ico").status_code == 200


def test_nothing_in_stylesheet_or_templates_points_elsewhere():
    web = Path(__file__).parents[2] / "web"
    labeling = Path(__file__).parents[2] / "labeling"
    files = [path for room in (web, labeling) for kind in ("css", "html", "js") for path in room.rglob(f"*.{kind}")]

    assert len(files) >= 8
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert "http://" not in text, path
        assert "https://" not in text, path
        assert "@import" not in text, path


def test_a_session_lasts_until_it_expires(store):
    with writing(store) as connection:
        token = open_session(connection, "Dana", now=NOW)

    assert session_of(store, token, now=NOW).person == "Dana"
    assert session_of(store, "another", now=NOW) is None
    assert session_of(store, token, now=NOW + LIFETIME) is None
    assert session_of(store, token, now=NOW) is None


def test_a_closed_session_is_over(store):
    with writing(store) as connection:
        token = open_session(connection, "Dana", now=NOW)
    close_session(store, token)

    assert session_of(store, token, now=NOW) is None


def test_the_store_never_holds_a_session_token(store):
    with writing(store) as connection:
        token = open_session(connection, "Dana", now=NOW)

    with store.connect() as connection:
        stored = str(connection.execute(sa.text("SELECT * FROM web_session")).all())
    assert token not in stored


def test_a_form_token_belongs_to_one_session():
    assert is_csrf_token(csrf_token("a"), of_session="a")
    assert not is_csrf_token(csrf_token("b"), of_session="a")
    assert not is_csrf_token("", of_session="a")


def test_a_value_of_the_wrong_kind_is_answered_by_a_page_that_names_the_field_and_not_the_value(client):
    answer = client.get("/page", params={"number": "MRN 00482913"})

    assert answer.status_code == 422
    assert "holds no fitting value of &#39;number&#39;. Go back, reload" in answer.text
    assert "00482913" not in answer.text
