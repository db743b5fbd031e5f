"""The site's own sign-in, against a real provider over HTTP."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from core.access import Role
from core.access_settings import OidcSettings
from core.errors import PreceptorError
from core.ledger import Ledger
from core.people import actor_of, find_person, retire
from core.store import writing
from tests.web.conftest import make_app
from tests.web.provider import CLIENT_ID, CLIENT_SECRET, Provider, running
from web.oidc_pages import BACK, STALE


@pytest.fixture
def store_url(tmp_path):
    """These run on SQLite alone; sessions and people are tested on both stores elsewhere."""
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def provider(clock):
    with running(Provider(clock)) as one:
        yield one


@pytest.fixture
def site(store, clock, provider, monkeypatch):
    """The app with the provider's settings, some of which a test may change."""
    monkeypatch.setenv("OIDC_SECRET", CLIENT_SECRET)

    def app(**settings):
        given = {"issuer": provider.issuer, "client_id": CLIENT_ID, "client_secret_env": "OIDC_SECRET", **settings}
        return make_app(store, clock, oidc=OidcSettings(**given))

    return app


def there(one, path="/sign-in/oidc"):
    """Go to the provider as a browser does; returns the path with which it sends the browser back."""
    leaving = one.http.get(path, follow_redirects=False)
    assert leaving.status_code == 303, leaving.text
    back = httpx2.get(leaving.headers["location"], follow_redirects=False).headers["location"]
    return back.removeprefix("http://testserver")


def come(one, path="/sign-in/oidc"):
    return one.http.get(there(one, path))


def test_whom_the_provider_and_the_store_know_comes_in(site, browser, people, store):
    people("Dana", Role.LEAD)
    one = browser(site())

    assert "Sign in with your site's account" in one.get("/sign-in").text.replace("&#39;", "'")
    assert "Hello Dana" in come(one).text
    assert "Hello Dana" in one.get("/lead").text
    assert Ledger(store).events()[-1].details == {"by": "oidc"}


def test_what_is_sent_along_is_fresh_each_time_and_the_verifier_is_not_sent(site, browser, people, provider):
    people("Dana")
    come(browser(site()))
    come(browser(site()))

    first, second = provider.asked
    assert (first["response_type"], first["code_challenge_method"]) == ("code", "S256")
    assert {"state", "nonce", "code_challenge"} <= first.keys()
    assert all(first[name] != second[name] for name in ("state", "nonce", "code_challenge"))
    assert "code_verifier" not in first


def test_whom_the_store_does_not_know_stays_outside(site, browser, people, provider):
    provider.login = "Eve"
    answer = come(browser(site()))

    assert answer.status_code == 403
    assert "Ask an admin to add you" in answer.text


def test_whom_the_store_does_not_know_is_added_without_a_role_where_the_settings_say_so(
    site, browser, people, provider, store, clock
):
    provider.login = "Eve"
    one = browser(site(add_people=True))

    assert "Hello Eve" in come(one).text
    assert one.get("/lead").status_code == 403
    with store.connect() as connection:
        assert find_person(connection, "Eve", now=clock()).roles == frozenset()


def test_who_is_retired_stays_outside(site, browser, people, store, clock):
    people("Dana")
    with writing(store) as connection:
        retire(connection, "Dana", by=actor_of(connection, "Alex", now=clock()), now=clock())

    assert come(browser(site(add_people=True))).status_code == 403


@pytest.mark.parametrize(
    ("claims", "fault"),
    [
        ({"iss": "http://127.0.0.1:1"}, "comes from another issuer"),
        ({"aud": "another client"}, "is meant for someone else"),
        ({"aud": [CLIENT_ID, "another client"]}, "was given to another client"),
        ({"azp": "another client"}, "was given to another client"),
        ({"nonce": "of another attempt"}, "belongs to another attempt"),
        ({"exp": 1}, "has expired"),
        ({"iat": 99999999999}, "comes from the future"),
        ({"preferred_username": None}, "does not say your"),
    ],
)
def test_a_token_that_is_not_for_us_here_and_now_lets_nobody_in(site, browser, people, provider, claims, fault):
    people("Dana")
    provider.claims = claims
    answer = come(browser(site()))

    assert answer.status_code == 403
    assert fault in answer.text


def test_a_token_signed_with_a_key_that_is_not_published_lets_nobody_in(site, browser, people, provider):
    people("Dana")
    provider.rotate()
    provider.published.clear()
    provider.published.append(Provider(provider.clock).key)

    assert come(browser(site())).status_code == 403


def test_a_key_that_only_has_the_name_of_the_published_one_lets_nobody_in(site, browser, people, provider):
    people("Dana")
    provider.key = Provider(provider.clock).key

    answer = come(browser(site()))
    assert answer.status_code == 403
    assert "does not verify" in answer.text


def test_keys_may_be_rotated_while_we_run(site, browser, people, provider):
    people("Dana")
    app = site()
    assert "Hello Dana" in come(browser(app)).text
    provider.rotate()

    assert "Hello Dana" in come(browser(app)).text


def test_an_address_back_serves_once_in_the_browser_it_was_made_for_for_ten_minutes(site, browser, people, clock):
    people("Dana")
    app = site()
    one, other = browser(app), browser(app)
    back = there(one)
    stolen = other.http.get(back)
    assert stolen.status_code == 403
    assert STALE in stolen.text

    assert "Hello Dana" in one.http.get(back).text
    assert one.http.get(back).status_code == 403
    late = there(one)
    clock.skip(timedelta(minutes=10, seconds=1))
    assert one.http.get(late).status_code == 403
    assert one.http.get(f"{BACK}?state=made-up&code=x").status_code == 403


def test_an_error_of_the_provider_is_a_page_and_shows_none_of_its_words(site, browser, people):
    people("Dana")
    one = browser(site())
    state = parse_qs(urlsplit(there(one)).query)["state"][0]
    answer = one.http.get(f"{BACK}?state={state}&error=access_denied&error_description=call+0800")

    assert answer.status_code == 403
    assert "0800" not in answer.text


def test_a_provider_that_does_not_answer_leaves_local_accounts(store, clock, people, browser):
    one = browser(make_app(store, clock, oidc=OidcSettings(issuer="http://127.0.0.1:9", client_id=CLIENT_ID)))
    answer = one.get("/sign-in/oidc")

    assert answer.status_code == 502
    assert "use a local account" in answer.text
    assert "Hello Dana" in one.come_by_link(people("Dana")).text


def test_a_wrong_client_secret_lets_nobody_in(site, browser, people, monkeypatch):
    people("Dana")
    monkeypatch.setenv("OIDC_SECRET", "another secret")

    assert come(browser(site())).status_code == 502


def test_an_email_counts_only_where_the_provider_has_verified_it(site, browser, people, provider):
    people("dana@example.org")
    app = site(login_claim="email")
    provider.claims = {"email": "dana@example.org"}
    assert come(browser(app)).status_code == 403
    provider.claims = {"email": "dana@example.org", "email_verified": True}

    assert "Hello dana@example.org" in come(browser(app)).text


def test_signing_needs_the_password_asked_for_again_over_there_and_each_proof_serves_once(
    site, browser, people, provider, clock
):
    people("Dana", Role.LEAD)
    one = browser(site())
    come(one)
    clock.skip(timedelta(minutes=5))
    assert one.send("/sign").status_code == 403
    come(one, "/sign-in/oidc?prove=1")

    assert (provider.asked[-1]["prompt"], provider.asked[-1]["max_age"]) == ("login", "0")
    assert "Dana by oidc" in one.send("/sign").text
    assert one.send("/sign").status_code == 403


def test_a_proof_is_worth_nothing_after_five_minutes(site, browser, people, clock):
    people("Dana", Role.LEAD)
    one = browser(site())
    come(one)
    come(one, "/sign-in/oidc?prove=1")
    clock.skip(timedelta(minutes=5, seconds=1))

    assert one.send("/sign").status_code == 403


def test_a_provider_that_did_not_ask_again_proves_nothing(site, browser, people, provider, clock):
    people("Dana", Role.LEAD)
    one = browser(site())
    come(one)
    provider.asks_again = False
    clock.skip(timedelta(minutes=5))
    answer = come(one, "/sign-in/oidc?prove=1")

    assert answer.status_code == 403
    assert "did not ask for your password again" in answer.text
    assert one.send("/sign").status_code == 403


def test_a_proof_of_someone_else_proves_nothing(site, browser, people, provider):
    people("Dana", Role.LEAD)
    people("Lee", Role.LEAD)
    one = browser(site())
    come(one)
    provider.login = "Lee"

    assert come(one, "/sign-in/oidc?prove=1").status_code == 403
    assert one.send("/sign").status_code == 403


def test_who_comes_by_the_site_sets_no_password_here(site, browser, people):
    people("Dana")
    one = browser(site())
    come(one)

    assert "those of your site" in one.get("/account").text
    assert one.send("/account/password", password="x" * 20, again="x" * 20).status_code == 403


def test_a_secret_that_is_not_in_the_environment_is_said_at_the_start(store, clock, provider):
    settings = OidcSettings(issuer=provider.issuer, client_id=CLIENT_ID, client_secret_env="NOT_SET_ANYWHERE")

    with pytest.raises(PreceptorError, match="NOT_SET_ANYWHERE"):
        make_app(store, clock, oidc=settings)


def test_an_issuer_without_tls_is_refused_except_on_this_machine():
    with pytest.raises(ValueError, match="not an https URL"):
        OidcSettings(issuer="http://login.example.org", client_id=CLIENT_ID)
    assert OidcSettings(issuer="https://login.example.org", client_id=CLIENT_ID).login_claim == "preferred_username"
