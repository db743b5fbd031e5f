"""No page of an expert has a barrier: axe-core, small screens, no scripts, no other host."""

import re
from pathlib import Path

import pytest

from core.labeling_settings import LabelingSettings
from core.store import writing
from labeling.tables import ACKNOWLEDGEMENTS, GUIDELINES, MARKS
from tests.labeling.browsing import audit, store_url  # noqa: F401 - the fixture overrides the store of both kinds
from tests.labeling.conftest import STRONG, WEAK
from tests.labeling.judge_page import press, rows, save, standing

pytestmark = [pytest.mark.browser]


GUIDELINE = "# Aim\n\nCode to the *last* digit.\n\n## Both wrong\n\n- Choose neither.\n"


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark"), (320, "light")])
def test_no_page_of_an_expert_has_a_barrier_or_scrolls_sideways(visit, imported, width, scheme):
    table = (
        "| | Code |\n|---|---|\n| 1 | B42.81 |\n\n```\nlong code "
        + "x" * 80
        + "\n```\n\n# Title\n\n### Deep\n\n1. One. Two."
    )
    store = imported(2, answers={WEAK: table, STRONG: "Plain. Words."}, stakes="high")
    one = visit(store, width=width, scheme=scheme, settings=LabelingSettings(gold_rate=0, repeat_rate=0))
    page = one.page
    fields = {"sha256": "0" * 64, "change": "first", "written_by": "ann", "approved_by": "bob", "at": "2026-11-24"}
    with writing(store) as connection:
        connection.execute(GUIDELINES.insert().values(version=1, text=GUIDELINE, **fields))
        connection.execute(ACKNOWLEDGEMENTS.insert().values(expert="Dana Ruiz", version=1, at="2026-11-24"))
    page.reload()
    faults = {"judge": audit(page)}
    press(page, "1", "w", "y", "r", "a", "m", " ")
    faults["mark dialog"] = audit(page)
    press(page, "1", "w", "d")
    faults["marked, differences"] = audit(page)
    press(page, "d", "v", "g")
    faults["as written, guideline"] = audit(page)
    press(page, "Escape", "f")
    faults["flag"] = audit(page)
    press(page, "f", "?")
    faults["keys"] = audit(page)
    press(page, "?")
    save(page, "Enter")
    one.goto("/mine")
    page.locator(".mine summary").first.click()
    faults["mine"] = audit(page)
    for path in ("/keys", "/progress"):
        one.goto(path)
        faults[path] = audit(page)
    one.goto("/judge")
    if page.locator("form.judge").count():
        save(page, "3", "Enter")
    faults["done"] = audit(page)

    assert {name: found for name, found in faults.items() if found} == {}
    assert one.is_quiet()


def test_with_keys_and_tab_no_focus_is_hidden_behind_the_verdict(visit, imported):
    page = visit(imported(1, answers={WEAK: "Long words. " * 300, STRONG: "Short."}), height=800).page
    for _ in range(25):
        press(page, "Tab")
        covered = page.evaluate(
            """() => {
              const at = document.activeElement, box = at.getBoundingClientRect();
              if (!at.closest("main") || box.width === 0 || at.matches("input, .pane")) return false;
              const top = document.elementFromPoint(box.left + 4, Math.max(box.top, 0) + 4);
              return top !== null && !at.contains(top) && !top.contains(at);
            }"""
        )
        assert covered is False, page.evaluate("document.activeElement.outerHTML.slice(0, 120)")


def test_styles_and_scripts_name_no_other_host():
    for room in ("labeling", "web"):
        for file in Path(room).glob("static/*.*"):
            text = file.read_text(encoding="utf-8")
            addresses = re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"')]*|@import", text)
            assert [one for one in addresses if "www.w3.org" not in one] == [], file


def test_the_vote_the_marks_and_the_flag_work_with_javascript_off(visit, imported):
    store = imported(1)
    one = visit(store, scripts=False)
    page = one.page
    page.locator("label[for=left_better]").click()
    page.locator(".answer.left").get_by_text("Yes").click()
    page.get_by_text("Mark errors in the right answer").click()
    page.locator("[name=right_sentence]").first.fill("1")
    page.locator("[name=right_category]").first.select_option("wrong")
    page.locator("[name=right_severity]").first.select_option("minor")
    page.get_by_role("button", name="Save and next").click()
    page.wait_for_url("**/judge?after=saved")

    assert len(standing(store)) == 1
    assert [(row.sentence, row.category) for row in rows(store, MARKS)] == [(0, "wrong")]
    assert one.is_quiet()
