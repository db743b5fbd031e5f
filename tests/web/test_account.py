"""A person's own account: which passwords are refused, and how an authenticator is enrolled."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.access import Role
from tests.web.conftest import PASSWORD
from web.passwords import hash_of, is_password, password_fault
from web.totp import enrolment_svg, new_secret


@pytest.fixture
def dana(browser, people):
    one = browser()
    one.come_by_link(people("Dana Ruiz", Role.LEAD))
    return one


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ("short words", "has 11 characters"),
        ("x" * 201, "has 201 characters"),
        ("Password12345", "one of the commonest"),
        ("P@ssw0rd!2026", "one of the commonest"),
        ("WelcomeSummer2026", "one of the commonest"),
        ("testtesttest1", "repeats a few"),
        ("administrator", "one of the commonest"),
        ("qwertyuiop12", "one of the commonest"),
        ("1qaz2wsx3edc", "one of the commonest"),
        ("123456789012", "one of the commonest"),
        ("abcdefghijkl", "one of the commonest"),
        ("lkjhgfdsapoi", "one of the commonest"),
        ("aaaaaaaaaaaaa", "repeats a few"),
        ("123123123123", "repeats a few"),
        ("i am dana ruiz now", "contains your login"),
        ("xxDANARUIZxx77", "contains your login"),
    ],
)
def test_a_password_that_is_guessed_first_is_refused(password, fault):
    assert fault in (password_fault(password, login="Dana Ruiz") or "")


@pytest.mark.parametrize(
    "password", [PASSWORD, "T4!vb92-Lmq0x", "drei rote Kühe singen", "четыре разных слова", "password thistle engine"]
)
def test_a_password_that_is_not_is_taken(password):
    assert password_fault(password, login="Dana Ruiz") is None


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=210))
def test_the_rules_of_passwords_answer_for_any_text(password):
    fault = password_fault(password, login="Dana Ruiz")

    assert fault is None or fault.count(". ") >= 1
    assert len(password) >= 12 or fault is not None


def test_a_hash_is_argon2id_with_a_salt_of_its_own_and_opens_for_its_password_alone():
    first, second = hash_of(PASSWORD), hash_of(PASSWORD)

    assert first.startswith("$argon2id$v=19$m=32768,t=3,p=1$")
    assert first != second
    assert is_password(PASSWORD, first)
    assert not is_password(PASSWORD + "x", first)
    assert not is_password("nobody has this password", None)


def test_two_passwords_that_differ_or_a_weak_one_are_said_on_the_page(dana):
    differ = dana.send("/account/password", password=PASSWORD, again=PASSWORD + "x")
    weak = dana.send("/account/password", password="Password1234", again="Password1234")

    assert (differ.status_code, weak.status_code) == (422, 422)
    assert "passwords differ" in differ.text
    assert "one of the commonest" in weak.text


def test_changing_a_password_or_starting_an_authenticator_takes_the_current_one(dana):
    dana.send("/account/password", password=PASSWORD, again=PASSWORD)
    new = {"password": "thistle engine forty plum", "again": "thistle engine forty plum"}

    assert dana.send("/account/password", **new).status_code == 403
    assert dana.send("/account/password", current="wrong wrong wrong", **new).status_code == 403
    assert dana.send("/account/totp/start", current="wrong wrong wrong").status_code == 403
    assert dana.send("/account/password", current=PASSWORD, **new).status_code == 200


def test_the_picture_is_its_owner_s_while_the_secret_waits_and_no_longer(dana, browser, clock):
    import pyotp

    assert dana.get("/account/totp.svg").status_code == 404
    dana.send("/account/totp/start")
    picture = dana.get("/account/totp.svg")
    secret = dana.get("/account").text.split("<code>")[1].split("</code>")[0]

    assert picture.headers["content-type"] == "image/svg+xml"
    assert picture.headers["cache-control"] == "no-store"
    assert browser().http.get("/account/totp.svg", follow_redirects=False).status_code == 303
    assert dana.send("/account/totp/confirm", code="000000").status_code == 422
    assert dana.send("/account/totp/confirm", code=pyotp.TOTP(secret).at(clock())).status_code == 200
    assert dana.get("/account/totp.svg").status_code == 404
    assert secret not in dana.get("/account").text
    again = dana.send("/account/totp/start")
    assert again.status_code == 409
    assert "enrolled" in again.text


def test_the_picture_satisfies_the_content_security_policy():
    picture = enrolment_svg(new_secret(), login="Dana Ruiz").decode()

    assert picture.startswith("<?xml")
    assert "style" not in picture
    assert "<script" not in picture


def test_an_account_shows_whose_it_is(dana):
    page = dana.get("/account").text

    assert "Dana Ruiz" in page
    assert "lead" in page
    assert "not verified" in page
    assert '<a href="/account" aria-current="page">Dana Ruiz</a>' in page
