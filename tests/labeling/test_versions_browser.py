"""The versions pages in a browser: a lead freezes and signs by a plain form; axe-core finds no barrier."""

import os
from pathlib import Path

import pytest

from core.access import Role
from core.labeling_settings import LabelingSettings
from core.people import actor_of, add_person
from core.store import writing
from labeling.frozen.freezing import freeze
from tests.labeling.browsing import audit, store_url  # noqa: F401 - SQLite only
from tests.labeling.voting import judge_six, two_experts, vote
from web.credentials import set_password

PASSWORD = "correct horse battery 9"

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark"), (320, "light")])
def test_a_lead_freezes_and_signs_and_no_page_has_an_axe_violation(
    visit, imported, store, clock, tmp_path, width, scheme
):
    two_experts(imported(7), clock)
    judge_six(store, clock)
    freeze(store, "coding", tmp_path, by="lead", now=clock())
    vote(store, "Lee Okafor", clock, "weak")
    with writing(store) as connection:
        add_person(connection, "Lea", by=actor_of(connection, "lead", now=clock(), at_command_line=True), now=clock())
        set_password(connection, "Lea", PASSWORD, now=clock())
    settings = LabelingSettings(datasets_folder=tmp_path)
    lea = visit(
        store,
        "/versions",
        name="Lea",
        roles=(Role.LEAD,),
        settings=settings,
        width=width,
        scheme=scheme,
    )
    faults = {"list": audit(lea.page)}
    lea.page.click("text=See what a freeze would hold now")
    faults["form"] = audit(lea.page)
    _keep(lea.page, f"freeze-{width}-{scheme}")
    lea.page.fill("#name", "coding")
    lea.page.check("[name=attested]")
    lea.page.fill("#sign-password", PASSWORD)
    lea.page.click("button:has-text('Sign and freeze')")
    faults["version"] = audit(lea.page)
    _keep(lea.page, f"version-{width}-{scheme}")
    shown = lea.page.inner_text("main")

    assert lea.page.url.endswith("/versions/coding@2?after=new")
    assert "Signed by Lea on 2026-11-24" in shown
    assert "Changed since coding@1" in shown
    assert faults == {"list": [], "form": [], "version": []}
    assert lea.is_quiet()


def _keep(page, name):
    """A picture of the page where $PRECEPTOR_SCREENSHOTS names a folder."""
    if folder := os.environ.get("PRECEPTOR_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
