"""The import and clearance pages, by forms and in a browser."""

import json
import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from core.access import Role
from core.labeling_settings import LabelingSettings
from core.ledger import Ledger
from labeling.app import create_app
from labeling.content.importing import import_pairs
from labeling.tables import ITEMS, PAIRS
from tests.labeling.browsing import COOKIE, audit, signed_in, store_url  # noqa: F401 - SQLite only
from tests.labeling.conftest import ONCE, STRONG, WEAK, row, write_rows

PHONE = "555-010-2233"
LEAD, STEWARD = (Role.LEAD,), (Role.STEWARD,)


class Person:
    """A signed-in person without JavaScript."""

    def __init__(self, app, store, name, roles, clock):
        self.http = TestClient(app)
        self.http.cookies.set(COOKIE, signed_in(store, name, roles, clock()))

    def get(self, path):
        return self.http.get(path)

    def send(self, page, path, files=None, **fields):
        """Send a form with the hidden fields that the page holds."""
        hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text)
        many = {}
        for name, value in hidden:
            many.setdefault(name, []).append(value)
        return self.http.post(path, data={**many, **fields}, files=files)


@pytest.fixture
def people(store, clock):
    app = create_app(store, clock=clock, settings=LabelingSettings(max_upload_mb=1))
    made = []

    def person(name, roles):
        made.append(Person(app, store, name, roles, clock))
        return made[-1]

    yield person
    for one in made:
        one.http.close()


def upload_of(rows, name="pairs.jsonl"):
    return {"file": (name, "".join(json.dumps(one) + "\n" for one in rows).encode())}


def n_pairs(store):
    with store.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(PAIRS)).scalar_one()


def test_a_file_is_inspected_then_imported_after_a_yes(store, people):
    lea = people("Lea", LEAD)
    files = upload_of([row(0), row(1, query=f"Call {PHONE}.", note="x")])
    report = lea.send(lea.get("/import"), "/import", files=files, data_class="deidentified", weak=WEAK, strong=STRONG)
    n_before = n_pairs(store)
    done = lea.send(report, "/import/confirm")

    assert "Import 2 pairs" in report.text
    assert "held back until a steward decides. phone in 1." in " ".join(report.text.split())
    assert PHONE not in report.text
    assert "not used" in report.text
    assert n_before == 0
    assert "New pairs imported: 2. Waiting for clearance: 1." in done.text
    assert n_pairs(store) == 2
    assert Ledger(store).events(action="item.import")[0].actor == "Lea"


def test_a_file_with_a_fault_names_its_line_and_cannot_be_imported(store, people):
    lea = people("Lea", LEAD)
    report = lea.send(lea.get("/import"), "/import", files=upload_of([row(0), row(1, query="")]), data_class="public")
    forced = lea.send(report, "/import/confirm")

    assert "pairs.jsonl:2: no query" in report.text
    assert "/import/confirm" in report.text
    assert ">Import 1" not in report.text
    assert forced.status_code == 409
    assert n_pairs(store) == 0


def test_the_upload_of_another_person_or_of_half_an_hour_ago_cannot_be_confirmed(store, people, clock):
    lea, kim = people("Lea", LEAD), people("Kim", LEAD)
    report = lea.send(lea.get("/import"), "/import", files=upload_of([row(0)]), data_class="public")
    token = re.search(r'name="token" value="([^"]+)"', report.text)[1]
    theirs = kim.send(kim.get("/import"), "/import/confirm", token=token)
    clock.skip(timedelta(minutes=31))
    lea.http.cookies.set(COOKIE, signed_in(store, "Lea", LEAD, clock()))
    late = lea.send(lea.get("/import"), "/import/confirm", token=token)

    for answer in (theirs, late):
        assert answer.status_code == 409
        assert "no longer here" in answer.text
    assert n_pairs(store) == 0


def test_what_is_no_file_of_rows_or_too_large_is_refused(store, people):
    lea = people("Lea", LEAD)
    page = lea.get("/import")
    kind = lea.send(page, "/import", files=upload_of([row(0)], name="pairs.xlsx"))
    none = lea.send(page, "/import", files={"file": ("", b"")})
    large = lea.send(page, "/import", files={"file": ("pairs.jsonl", b"x" * 1_100_000)})

    assert (kind.status_code, none.status_code, large.status_code) == (422, 422, 413)
    assert "larger than 1 MB" in large.text


@pytest.mark.parametrize(("path", "roles"), [("/import", (Role.ANNOTATOR,)), ("/clearance", LEAD)])
def test_a_page_that_a_role_does_not_open_is_refused(people, path, roles):
    assert people("Dana Ruiz", roles).get(path).status_code == 403


@pytest.fixture
def held(store, tmp_path, clock):
    """Two items with a phone number."""
    rows = [row(number, query=f"Call {PHONE} about fracture {number}.") for number in (1, 2)]
    import_pairs(store, [write_rows(tmp_path / "held.jsonl", rows)], by="lead", now=clock(), rules=ONCE)
    return store


def states(store):
    with store.connect() as connection:
        return {one.id: one.phi_state for one in connection.execute(sa.select(ITEMS))}


def test_a_steward_masks_one_item_and_leaves_the_next_out(held, people):
    sam = people("Sam", STEWARD)
    listed = sam.get("/clearance")
    first = sam.get("/clearance/item?item=task-001")
    place = re.search(r'name="masked" value="([^"]+)"', first.text)[1]
    second = sam.send(first, "/clearance/item", decision="mask", masked=place)
    end = sam.send(second, "/clearance/item", decision="exclude")

    assert PHONE not in listed.text
    assert PHONE in first.text
    assert (WEAK in first.text, STRONG in first.text) == (False, False)
    assert "Clearance of task-002" in second.text
    assert "Nothing is held back." in end.text
    assert states(held) == {"task-001": "cleared", "task-002": "excluded"}
    assert [event.subject for event in Ledger(held).events(action="phi.view")] == ["task-001", "task-002"]


def test_a_fault_is_shown_with_what_was_entered(held, people):
    sam = people("Sam", STEWARD)
    page = sam.get("/clearance/item?item=task-001")
    unmarked = sam.send(page, "/clearance/item", decision="mask", also="", reason="kept words")
    no_reason = sam.send(page, "/clearance/item", decision="clear")

    assert unmarked.status_code == no_reason.status_code == 422
    assert "kept words" in unmarked.text
    assert "needs a reason" in no_reason.text
    assert set(states(held).values()) == {"held"}


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark"), (320, "light")])
def test_the_import_page_works_without_a_script_and_has_no_axe_violation(visit, store, tmp_path, width, scheme):
    rows = [row(0), row(1, query=f"Call {PHONE}."), row(2, answers={WEAK: "As GPT-4, I10.", STRONG: "I10."})]
    path = write_rows(tmp_path / "pairs.jsonl", rows)
    lea = visit(store, "/import", name="Lea", roles=LEAD, width=width, scheme=scheme, scripts=True)
    faults = audit(lea.page)
    lea.page.set_input_files("#file", path)
    lea.page.click("text=Inspect the file")
    faults += audit(lea.page)
    lea.page.click("text=Import 3 pairs")
    faults += audit(lea.page)

    assert faults == []
    assert "New pairs imported: 3." in lea.page.inner_text("[role=status]")
    assert lea.is_quiet()


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark"), (320, "light")])
def test_the_clearance_pages_have_no_axe_violation(visit, held, width, scheme):
    sam = visit(held, "/clearance", name="Sam", roles=STEWARD, width=width, scheme=scheme)
    faults = audit(sam.page)
    sam.page.click("text=task-001")
    faults += audit(sam.page)
    sam.page.click("text=Show as it is")
    sam.page.fill("#reason", "A number of the ministry.")
    faults += audit(sam.page)
    sam.page.click("text=Show as it is")
    sam.page.click("text=Mask and show")

    assert faults == []
    assert sam.page.inner_text("h1") == "Clearance"
    assert "422" in " ".join(sam.seen.errors)  # the one refused form; nothing else went wrong
    assert len(sam.seen.errors) == 1
    assert states(held) == {"task-001": "cleared", "task-002": "cleared"}


def test_a_form_of_three_megabytes_is_refused_before_anyone_signs_in(store, clock):
    app = create_app(store, clock=clock)
    answer = TestClient(app).post("/sign-in", data={"name": "x" * 3_000_000})

    assert answer.status_code == 413
    assert "The form is larger than 2 MB. Send less." in answer.text
