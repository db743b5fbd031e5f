"""Who may see and change people: every role against every page, and what an admin does there."""

import re

import pytest

from core.access import MAY, Act, Role
from core.people import find_person
from core.people import people as everyone
from core.store import writing

CHANGES = {
    "/people/add": {"name": "Eve"},
    "/people/grant": {"name": "Target", "role": "lead"},
    "/people/revoke": {"name": "Target", "role": "annotator"},
    "/people/verify": {"name": "Target"},
    "/people/invite": {"name": "Target"},
    "/people/retire": {"name": "Target", "sure": "yes"},
}


@pytest.fixture
def signed_in(browser, people):
    def come(name, *roles):
        one = browser()
        one.come_by_link(people(name, *roles))
        return one

    return come


def known(store, clock, name):
    with store.connect() as connection:
        return find_person(connection, name, now=clock())


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
def test_only_an_admin_changes_people_and_only_an_auditor_beside_them_looks(signed_in, people, store, clock, role):
    people("Target", Role.ANNOTATOR)
    one = signed_in("Someone", role)
    before = known(store, clock, "Target")

    assert one.get("/people").status_code == (200 if role in MAY[Act.VIEW_PEOPLE] else 403)
    assert one.get("/lead").status_code == (200 if role in MAY[Act.FREEZE] else 403)
    for path, fields in CHANGES.items():
        assert one.send(path, **fields).status_code == 403, path
    assert known(store, clock, "Target") == before
    assert known(store, clock, "Eve") is None


def test_an_admin_may_do_all_of_it(signed_in, people, store, clock):
    people("Target", Role.ANNOTATOR)
    admin = signed_in("Alex")

    for path, fields in CHANGES.items():
        assert admin.send(path, **fields).status_code == 200, path
    assert known(store, clock, "Eve").roles == frozenset()
    assert known(store, clock, "Target").retired_at is not None
    assert known(store, clock, "Target").verified_by == "Alex"


@pytest.mark.parametrize("path", CHANGES)
def test_without_a_session_or_the_form_s_token_nothing_changes(signed_in, browser, people, store, clock, path):
    people("Target", Role.ANNOTATOR)
    admin, before = signed_in("Alex"), known(store, clock, "Target")

    assert browser().http.post(path, data=CHANGES[path]).status_code == 401
    assert admin.http.post(path, data=CHANGES[path]).status_code == 403
    assert admin.http.post(path, data={**CHANGES[path], "csrf": "0" * 64}).status_code == 403
    assert known(store, clock, "Target") == before


def test_a_link_is_shown_once_and_lets_in(signed_in, browser, people):
    people("Target")
    admin = signed_in("Alex")
    shown = admin.send("/people/invite", name="Target").text
    token = re.search(r"/sign-in\?token=([\w-]+)", shown)

    assert token
    assert token.group(1) not in admin.get("/people").text
    assert "Hello Target" in browser().come_by_link(token.group(1)).text


@pytest.mark.parametrize(
    ("path", "fields", "fault"),
    [
        ("/people/add", {"name": "Target"}, "is a login already"),
        ("/people/add", {"name": " "}, "1 to 100"),
        ("/people/grant", {"name": "Alex", "role": "lead"}, "to themselves"),
        ("/people/grant", {"name": "Target", "role": "king"}, "is not a role"),
        ("/people/grant", {"name": "Target", "role": "lead", "hours": "many"}, "not a number of hours"),
        ("/people/grant", {"name": "Target", "role": "lead", "hours": "9", "reason": "x"}, "at most 4 hours"),
        ("/people/revoke", {"name": "Alex", "role": "admin"}, "last admin"),
        ("/people/retire", {"name": "Target"}, "Nobody was retired"),
        ("/people/invite", {"name": "Nobody"}, "Nobody is called"),
    ],
)
def test_a_refusal_is_said_on_the_page(signed_in, people, path, fields, fault):
    people("Target")
    answer = signed_in("Alex").send(path, **fields)

    assert answer.status_code in (403, 422)
    assert fault in answer.text.replace("&#39;", "'")


def test_the_header_shows_the_links_that_the_roles_open(signed_in):
    assert 'href="/people"' in signed_in("Alex").get("/account").text
    dana = signed_in("Dana", Role.LEAD).get("/account").text
    assert 'href="/lead"' in dana
    assert 'href="/people"' not in dana


def test_names_are_escaped(signed_in, people):
    people("<b>Bold</b>")

    assert "<b>Bold" not in signed_in("Alex").get("/people").text


def test_the_page_and_the_store_know_the_same_people(signed_in, people, store, clock):
    for name in ("Dana", "Lee"):
        people(name)
    page = signed_in("Alex").get("/people").text

    with writing(store) as connection:
        assert all(f'<th scope="row">{one.name}</th>' in page for one in everyone(connection, now=clock()))
