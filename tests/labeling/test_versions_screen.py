"""The versions pages: who gets there, what they show, and freezing with a signature, without JavaScript."""

import re

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from core.access import Role
from core.labeling_settings import LabelingSettings
from core.people import actor_of, add_person, grant, verify_identity
from core.signatures import signatures_of
from core.store import writing
from labeling.app import create_app
from labeling.frozen.freezing import ATTESTATION, freeze
from labeling.tables import DATASETS
from tests.labeling.voting import two_experts, vote
from web.credentials import set_password

PASSWORD = "correct horse battery 9"


class Browser:
    """A person who signed in by password; forms carry the token of the page they stand on."""

    def __init__(self, engine, name, clock, folder):
        settings = LabelingSettings(datasets_folder=folder, intended_use="Certify the ear router.")
        self.http = TestClient(create_app(engine, settings=settings, clock=clock))
        answer = self.http.post("/sign-in", data={"name": name, "password": PASSWORD})
        assert answer.status_code == 200, answer.text

    def freeze(self, **fields):
        """Send the form of /versions/new, filled in; a field given as None is left out."""
        page = self.http.get("/versions/new").text
        csrf = re.search(r'name="csrf" value="(\w+)"', page).group(1)
        filled = {
            "csrf": csrf,
            "name": "coding",
            "intended_use": "Certify the ear router.",
            "attested": "yes",
            "sign_password": PASSWORD,
            **fields,
        }
        return self.http.post("/versions/new", data={key: value for key, value in filled.items() if value is not None})


@pytest.fixture
def store_with_lead(imported, clock):
    store = imported(3)
    vote(store, two_experts(store, clock), clock, "strong")
    with writing(store) as connection:
        root = actor_of(connection, "lead", now=clock(), at_command_line=True)
        add_person(connection, "Ada", by=root, now=clock())
        grant(connection, "Ada", Role.ADMIN, by=root, now=clock())
        ada = actor_of(connection, "Ada", now=clock())
        for name, role in (("Mia Lang", Role.LEAD), ("Eng", Role.ENGINEER)):
            add_person(connection, name, by=ada, now=clock())
            grant(connection, name, role, by=ada, now=clock())
            verify_identity(connection, name, by=ada, now=clock())
            set_password(connection, name, PASSWORD, now=clock())
    return store


@pytest.fixture
def mia(store_with_lead, clock, tmp_path):
    browser = Browser(store_with_lead, "Mia Lang", clock, tmp_path)
    yield browser
    browser.http.close()


def n_versions(store):
    with store.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(DATASETS)).scalar_one()


def test_a_lead_attests_signs_and_sees_the_version_with_the_signature(store_with_lead, mia, tmp_path):
    before = mia.http.get("/versions/new").text
    page = mia.freeze()
    with store_with_lead.connect() as connection:
        (signature,) = signatures_of(connection, "dataset", "coding@1")

    assert "Nothing stands in the way" not in before
    assert "No pair is kept for audit" in before
    assert page.url.path == "/versions/coding@1"
    assert "Frozen." in page.text
    assert "Signed by Mia Lang on 2026-11-24 at" in page.text
    assert ATTESTATION in page.text
    assert (signature.person, signature.method) == ("Mia Lang", "password")
    assert (tmp_path / "coding@1" / "outcomes.jsonl").is_file()
    assert "Signed by Mia Lang" in mia.http.get("/versions").text


@pytest.mark.parametrize(
    ("fields", "status", "sentence"),
    [
        ({"sign_password": "wrong password 1"}, 403, ""),
        ({"attested": None}, 422, "The attestation is not ticked"),
        ({"name": "../up"}, 422, "cannot name a dataset"),
    ],
)
def test_a_refused_form_freezes_nothing_and_comes_back_as_it_was_filled_in(
    store_with_lead, mia, fields, status, sentence
):
    answer = mia.freeze(intended_use="Look <twice>", **fields)

    assert answer.status_code == status
    assert sentence in answer.text
    assert "Look &lt;twice&gt;</textarea>" in answer.text
    assert 'role="alert"' in answer.text
    assert PASSWORD not in answer.text
    assert n_versions(store_with_lead) == 0


def test_freezing_again_without_news_says_so(store_with_lead, mia):
    mia.freeze()

    assert "Nothing changed since this version was frozen." in mia.freeze().text
    assert n_versions(store_with_lead) == 1


def test_the_second_version_shows_what_changed_since_the_first(store_with_lead, mia, clock):
    mia.freeze()
    vote(store_with_lead, "Dana Ruiz", clock, "weak")
    page = mia.freeze().text

    assert "Changed since coding@1" in page
    assert re.search(r"<dt>Added</dt><dd>1</dd>", page)


def test_only_a_lead_gets_here(store_with_lead, clock, tmp_path):
    other = Browser(store_with_lead, "Eng", clock, tmp_path)

    for path in ("/versions", "/versions/new", "/versions/coding@1"):
        assert other.http.get(path).status_code == 403
    assert other.http.post("/versions/new", data={"name": "coding"}).status_code == 403
    other.http.close()


def test_a_version_that_there_is_not_lists_those_there_are(mia):
    mia.freeze()

    answer = mia.http.get("/versions/coding@7")
    assert answer.status_code == 409
    assert "The versions are: coding@1" in answer.text


def test_an_altered_folder_is_told_on_the_page(store_with_lead, mia, tmp_path):
    mia.freeze()
    (tmp_path / "coding@1" / "outcomes.jsonl").write_text("", encoding="utf-8")

    answer = mia.http.get("/versions/coding@1")
    assert answer.status_code == 409
    assert "altered" in answer.text


def test_no_text_of_a_query_or_an_answer_stands_on_the_pages(mia):
    pages = [mia.freeze().text, mia.http.get("/versions").text, mia.http.get("/versions/new").text]

    for page in pages:
        assert "sporotrichosis" not in page
        assert "words say" not in page


def test_the_command_line_of_a_closed_store_is_sent_to_the_page(store_with_lead, clock, tmp_path):
    with pytest.raises(Exception, match="/versions"):
        freeze(store_with_lead, "coding", tmp_path, by="Mia Lang", now=clock())
