"""Coming in, staying, and being shut out; on both stores."""

import statistics
import threading
import time
from datetime import timedelta

import pyotp
import pytest
import sqlalchemy as sa

from core.access import Role
from core.errors import AccessDenied
from core.ledger import Ledger, append_in
from core.people import actor_of, grant, retire, revoke
from core.store import writing
from tests.web.conftest import PASSWORD, Browser, make_app
from web.credentials import REFUSED, Try, prove
from web.guard import COOKIE
from web.sessions import open_session


def actions(store, *, subject=None):
    return [event.action for event in Ledger(store).events(subject=subject)]


@pytest.fixture
def dana(browser, people):
    """Dana, a lead, signed in by link, who has set a password."""
    one = browser()
    one.come_by_link(people("Dana", Role.LEAD))
    assert one.send("/account/password", password=PASSWORD, again=PASSWORD).status_code == 200
    return one


def enrol(one, clock):
    """Enrol an authenticator; returns what makes its codes."""
    one.send("/account/totp/start", current=PASSWORD)
    secret = one.get("/account").text.split("<code>")[1].split("</code>")[0]
    totp = pyotp.TOTP(secret)
    assert "is enrolled" in one.send("/account/totp/confirm", code=totp.at(clock())).text
    return totp


def test_a_link_lets_its_owner_in_once(browser, people):
    token = people("Dana")

    assert "Hello Dana" in browser().come_by_link(token).text
    again = browser().come_by_link(token)
    assert again.status_code == 403
    assert "unknown, used or expired" in again.text


def test_a_link_that_a_mail_scanner_opened_still_works(browser, people):
    token = people("Dana")
    browser().get(f"/sign-in?token={token}")

    assert "Hello Dana" in browser().come_by_link(token).text


def test_a_link_ends_after_seven_days(browser, people, clock):
    token = people("Dana")
    clock.skip(timedelta(days=7))

    assert browser().come_by_link(token).status_code == 403


def test_name_and_password_let_in_whoever_set_one(dana, browser):
    assert "Hello Dana" in browser().come_by_password("dana", PASSWORD).text


@pytest.mark.parametrize(
    ("name", "password"), [("Dana", "wrong wrong wrong wrong"), ("Nobody", PASSWORD), ("", PASSWORD), ("Dana", "")]
)
def test_what_is_wrong_is_not_told(dana, browser, name, password):
    answer = browser().come_by_password(name, password)

    assert answer.status_code == 403
    assert REFUSED in answer.text


def test_an_unknown_name_takes_as_long_as_a_known_one(dana, browser):
    one, took = browser(), {"Dana": [], "Nobody": []}
    for _ in range(4):
        for name, times in took.items():
            start = time.perf_counter()
            one.come_by_password(name, "wrong wrong wrong wrong")
            times.append(time.perf_counter() - start)

    unknown, known = statistics.median(took["Nobody"]), statistics.median(took["Dana"])
    assert 0.5 < unknown / known < 2


def test_five_wrong_tries_lock_sign_in_for_a_quarter_of_an_hour(dana, browser, clock, store):
    one = browser()
    for _ in range(5):
        one.come_by_password("Dana", "wrong wrong wrong wrong")
    locked = one.come_by_password("Dana", PASSWORD)
    clock.skip(timedelta(minutes=15))

    assert locked.status_code == 403
    assert REFUSED in locked.text
    assert "Hello Dana" in one.come_by_password("Dana", PASSWORD).text
    logged = [action for action in actions(store, subject="Dana") if action.startswith("login")]
    assert logged == ["login.ok", *["login.fail"] * 4, "login.locked", "login.fail", "login.ok"]


def test_a_right_try_forgives_the_wrong_ones_before(dana, browser):
    one = browser()
    for _ in range(2):
        for _ in range(4):
            one.come_by_password("Dana", "wrong wrong wrong wrong")
        assert "Hello Dana" in one.come_by_password("Dana", PASSWORD).text


def test_the_ledger_never_holds_a_name_that_nobody_has(dana, browser, store):
    browser().come_by_password("my secret by mistake", PASSWORD)

    assert Ledger(store).events()[-1].subject == "unknown"
    assert all("mistake" not in str(event) for event in Ledger(store).events())


def test_an_enrolled_authenticator_is_asked_for_and_no_code_is_taken_twice(dana, browser, clock):
    totp = enrol(dana, clock)
    used = totp.at(clock())
    clock.skip(timedelta(seconds=30))
    fresh = totp.at(clock())

    assert browser().come_by_password("Dana", PASSWORD).status_code == 403
    assert browser().come_by_password("Dana", PASSWORD, used).status_code == 403
    assert "Hello Dana" in browser().come_by_password("Dana", PASSWORD, fresh).text
    assert browser().come_by_password("Dana", PASSWORD, fresh).status_code == 403


def test_a_code_of_two_steps_ago_is_too_old(dana, browser, clock):
    totp = enrol(dana, clock)
    clock.skip(timedelta(seconds=30))
    code = totp.at(clock())
    clock.skip(timedelta(seconds=60))

    assert browser().come_by_password("Dana", PASSWORD, code).status_code == 403


def test_the_store_holds_neither_password_nor_secret_nor_token(dana, clock, store):
    totp = enrol(dana, clock)
    with store.connect() as connection:
        rows = [
            str(connection.execute(sa.text(f"SELECT * FROM {table}")).all())
            for table in sa.inspect(store).get_table_names()
        ]

    stored = "".join(rows)
    assert "$argon2id$" in stored
    assert PASSWORD not in stored
    assert totp.secret not in stored
    assert dana.http.cookies[COOKIE] not in stored


def test_a_new_link_voids_a_password_and_an_authenticator_that_were_lost(dana, browser, people, clock, store):
    from core.invitations import invite

    enrol(dana, clock)
    with writing(store) as connection:
        token = invite(connection, "Dana", by=actor_of(connection, "Alex", now=clock()), now=clock())
    found = browser()
    found.come_by_link(token)

    assert dana.get("/account").url.path == "/sign-in"  # whoever sat at the lost device is out
    assert browser().come_by_password("Dana", PASSWORD).status_code == 403
    assert "None yet: you come in by access links" in found.get("/account").text
    assert "credentials.void" in actions(store, subject="Dana")


def test_a_session_ends_after_fifteen_idle_minutes_with_an_event(dana, clock, store):
    clock.skip(timedelta(minutes=14, seconds=59))
    assert dana.get("/home").status_code == 200
    clock.skip(timedelta(minutes=15))

    answer = dana.http.get("/home", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert actions(store, subject="Dana")[-1] == "session.timeout"


def test_a_session_ends_after_twelve_hours_whatever_happens(dana, clock):
    for _ in range(12 * 6 - 1):
        clock.skip(timedelta(minutes=10))
        assert dana.http.get("/session").status_code == 200
        assert dana.http.get("/home", follow_redirects=False).status_code == 200
    clock.skip(timedelta(minutes=10))

    assert dana.http.get("/home", follow_redirects=False).status_code == 303


def test_asking_for_the_time_left_does_not_prolong_it_and_extending_does(dana, clock):
    clock.skip(timedelta(minutes=13))
    assert dana.get("/session").json() == {"seconds_left": 120, "warn_at_seconds": 120}
    assert dana.get("/session").json()["seconds_left"] == 120

    assert dana.send("/session/extend").json()["seconds_left"] == 900
    clock.skip(timedelta(minutes=14))
    assert dana.get("/session").json()["seconds_left"] == 60
    clock.skip(timedelta(minutes=1))
    ended = dana.get("/session")
    assert (ended.status_code, ended.json()) == (401, {"seconds_left": 0})


def test_a_form_sent_after_the_end_is_told_that_the_draft_is_kept(dana, clock):
    clock.skip(timedelta(minutes=15))
    answer = dana.http.post("/sign", data={"csrf": "x"})

    assert answer.status_code == 401
    assert "kept on the server" in answer.text


def test_the_page_says_when_to_warn(dana):
    page = dana.get("/account").text

    assert 'data-session-seconds="900" data-session-warn="120"' in page
    assert '<script type="module" src="/static/web/session.js">' in page


@pytest.mark.parametrize("act", ["revoke", "retire"])
def test_losing_a_role_or_leaving_ends_every_session(dana, clock, store, act):
    with writing(store) as connection:
        admin = actor_of(connection, "Alex", now=clock())
        if act == "revoke":
            revoke(connection, "Dana", Role.LEAD, by=admin, now=clock())
        else:
            retire(connection, "Dana", by=admin, now=clock())

    assert dana.http.get("/home", follow_redirects=False).status_code == 303


def test_a_new_password_ends_the_sessions_elsewhere_and_keeps_this_one(dana, browser):
    other = browser()
    other.come_by_password("Dana", PASSWORD)
    new = "thistle engine forty plum"
    dana.send("/account/password", current=PASSWORD, password=new, again=new)

    assert other.http.get("/home", follow_redirects=False).status_code == 303
    assert dana.http.get("/home", follow_redirects=False).status_code == 200
    assert "Hello Dana" in browser().come_by_password("Dana", new).text


def test_signing_out_ends_the_session_on_the_server_too(dana):
    token = dana.http.cookies[COOKIE]
    dana.send("/sign-out")
    dana.http.cookies.set(COOKIE, token)

    assert dana.http.get("/home", follow_redirects=False).status_code == 303


def test_the_cookie_is_kept_from_scripts_and_other_sites(browser, people, app):
    from fastapi.testclient import TestClient

    with TestClient(app, base_url="https://localhost") as client:
        answer = client.post("/sign-in", data={"token": people("Dana")}, follow_redirects=False)

    cookie = answer.headers["set-cookie"].lower()
    assert all(word in cookie for word in ("httponly", "samesite=lax", "secure"))


def test_a_form_of_another_site_or_without_the_token_is_refused(dana):
    assert dana.http.post("/sign", data={}).status_code == 403
    assert dana.http.post("/sign", data={"csrf": "0" * 64}).status_code == 403
    foreign = dana.http.post("/sign-in", data={"name": "x"}, headers={"sec-fetch-site": "cross-site"})
    assert foreign.status_code == 403


def test_signing_asks_again_who_it_is_and_wrong_tries_lock_it(dana, clock, store):
    assert "Dana by password" in dana.send("/sign", sign_password=PASSWORD).text
    for _ in range(5):
        assert dana.send("/sign", sign_password="wrong wrong wrong wrong").status_code == 403

    assert dana.send("/sign", sign_password=PASSWORD).status_code == 403
    assert "sign.locked" in actions(store, subject="Dana")


def test_signing_takes_the_authenticator_s_code_where_one_is_enrolled(dana, clock):
    totp = enrol(dana, clock)
    clock.skip(timedelta(seconds=30))

    assert dana.send("/sign", sign_password=PASSWORD).status_code == 403
    signed = dana.send("/sign", sign_password=PASSWORD, sign_code=totp.at(clock()))
    assert "Dana by password+totp" in signed.text


def test_someone_without_a_password_cannot_sign(browser, people):
    one = browser()
    one.come_by_link(people("Lee", Role.LEAD))

    for _ in range(6):
        refused = one.send("/sign", sign_password="")
    assert refused.status_code == 403
    assert "A signature takes your password" in refused.text


def test_where_the_site_asks_for_an_authenticator_nothing_else_opens_before(store, clock, people, browser):
    one = browser(make_app(store, clock, require_totp=True))
    one.come_by_link(people("Dana", Role.LEAD))
    assert one.http.get("/home", follow_redirects=False).headers["location"] == "/account?after=enrol"
    assert one.http.get("/lead", follow_redirects=False).status_code == 303
    one.send("/account/password", password=PASSWORD, again=PASSWORD)
    enrol(one, clock)

    assert one.http.get("/home", follow_redirects=False).status_code == 200


def test_a_role_that_was_just_given_counts_at_the_next_request(browser, people, store, clock):
    one = browser()
    one.come_by_link(people("Dana"))
    assert one.get("/lead").status_code == 403
    with writing(store) as connection:
        grant(connection, "Dana", Role.LEAD, by=actor_of(connection, "Alex", now=clock()), now=clock())

    assert one.get("/lead").status_code == 200


def test_burst_of_wrong_tries_at_once_is_counted_one_by_one(dana, app, store, clock):
    import threading

    def guess():
        one = Browser(app)
        one.come_by_password("Dana", "wrong wrong wrong wrong")
        one.http.close()

    threads = [threading.Thread(target=guess) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    logged = [event.details for event in Ledger(store).events(subject="Dana") if event.action.startswith("login.")]
    assert sum("locked" in details for details in logged) == 3


def test_a_wrong_try_while_the_same_person_comes_in_does_not_block_either(store, people, clock):
    people("Dana")
    answers = []

    def try_wrongly():
        try:
            prove(store, Try("Dana", "wrong"), action="login", now=clock())
        except AccessDenied as refused:
            answers.append(str(refused))

    with writing(store) as connection:
        append_in(connection, "Dana", "login.ok", "Dana", {}, now=clock())
        other = threading.Thread(target=try_wrongly)
        other.start()
        time.sleep(1)  # the try holds the person's row by now, and waits for the ledger (PostgreSQL)
        open_session(connection, "Dana", now=clock())
    other.join()

    assert answers == [REFUSED]
