"""A real browser on a real server: pairs judged by keyboard alone, and what the keys and the form do."""

import pytest

from core.labeling_settings import LabelingSettings
from core.ledger import Ledger
from labeling.tables import MARKS, RETRACTIONS
from tests.labeling.browsing import store_url  # noqa: F401 - the fixture overrides the store of both kinds
from tests.labeling.conftest import STRONG, WEAK
from tests.labeling.judge_page import press, rows, save, standing, status, verdict_by_side

pytestmark = [pytest.mark.browser]


SHORT_IDLE = LabelingSettings(reason_required="never", gold_rate=0, repeat_rate=0, idle_seconds=0.4)


def test_a_coder_labels_twenty_pairs_by_the_keyboard_alone(visit, imported):
    store = imported(20)
    one = visit(store)
    page = one.page
    save(page, "1", "w", "y", "n", "Enter")
    save(page, "2", "Enter")
    save(page, "3", "Enter")
    save(page, "4", "r", "b", "Enter")
    press(page, "s")
    page.keyboard.type("The record is missing, 1 or 2 pages.")
    save(page, "Control+Enter")
    press(page, "1", "m", "ArrowRight", "ArrowLeft", " ", "2", "e")
    page.locator(".marks li", has_text="Sentence 1: unsupported, critical").wait_for()
    save(page, "Escape", "Enter")
    for number in range(7, 21):
        save(page, "1234"[number % 4], "Enter")
        assert page.evaluate("document.activeElement.id") == "question"
        if number < 20:
            assert status(page) == f"Saved. Pair {number + 1} of 20."

    saved = standing(store)
    assert [verdict_by_side(row) for row in saved[:6]] == [
        *("first_better", "second_better", "both_acceptable", "neither_acceptable", "cannot_judge", "first_better")
    ]
    assert saved[0].strength == 2
    marks = (saved[0].first_acceptable, saved[0].second_acceptable)
    assert marks == ((False, True) if saved[0].swapped else (True, False))
    assert saved[3].reason_codes == '["missing specificity"]'
    assert saved[4].reason == "The record is missing, 1 or 2 pages."
    (mark,) = rows(store, MARKS)
    assert (mark.judgement_id, mark.sentence, mark.category, mark.severity) == (
        saved[5].id,
        0,
        "unsupported",
        "critical",
    )
    assert mark.is_first is not saved[5].swapped
    assert len(saved) == 20 == len({row.pair_id for row in saved})
    assert all(row.active_ms is not None and row.wall_ms >= row.active_ms for row in saved)
    assert len(Ledger(store).events(action="judge.submit")) == 20
    assert page.get_by_text("All judged. Thank you.").is_visible()
    assert one.is_quiet()
    assert len(one.seen.bodies) > 20
    assert not any(secret in body for body in one.seen.bodies for secret in (WEAK, STRONG, "task-0"))


def test_undo_by_keyboard_brings_the_pair_back_as_it_was_filled_in(visit, imported):
    store = imported(2)
    one = visit(store)
    asked = one.page.locator(".laid-out").first.inner_text()
    save(one.page, "3", "Enter")
    save(one.page, "u")

    assert one.page.locator(".laid-out").first.inner_text() == asked
    assert one.page.locator("#both_acceptable").is_checked()
    assert status(one.page).startswith("Undone. Here is the pair again.")
    assert standing(store) == []
    assert one.is_quiet()


def test_typing_a_reason_does_not_vote(visit, imported):
    store = imported(1)
    page = visit(store).page
    press(page, "t")
    page.keyboard.type("12 3 4 suynf?g")
    press(page, "Enter", "Escape")

    assert page.locator("input[name=verdict]:checked").count() == 0
    assert page.locator("#reason").input_value() == "12 3 4 suynf?g\n"
    assert standing(store) == []


def test_other_keys_can_be_chosen_and_all_be_switched_off(visit, imported):
    one = visit(imported(1), "/keys")
    page = one.page
    page.get_by_label("Left is better").fill("j")
    page.get_by_role("button", name="Save the keys").click()
    page.get_by_text("Saved.").wait_for()
    one.goto("/judge")
    press(page, "1")
    assert page.locator("input[name=verdict]:checked").count() == 0
    press(page, "j")
    assert page.locator("#left_better").is_checked()

    one.goto("/keys")
    page.get_by_label("Use single keys").uncheck()
    page.get_by_role("button", name="Save the keys").click()
    page.get_by_text("Saved.").wait_for()
    one.goto("/judge")
    press(page, "2", "u", "f", "Enter")
    assert not page.locator("#right_better").is_checked()
    assert page.locator("kbd:visible").count() == 0
    assert one.is_quiet()


def test_a_reason_that_the_rules_demand_is_asked_for_before_sending(visit, imported):
    store = imported(1, stakes="high")
    one = visit(store, settings=LabelingSettings(gold_rate=0, repeat_rate=0))
    press(one.page, "1", "Enter")
    hint = one.page.locator("#reason-due")

    assert "is-due" in hint.get_attribute("class")
    assert one.page.evaluate("document.activeElement.name") == "reason"
    assert standing(store) == []
    save(one.page, "Escape", "r", "a", "Enter")
    assert [row.reason_codes for row in standing(store)] == ['["wrong code"]']


def test_a_pause_without_a_key_or_a_move_is_not_time_at_work(visit, imported):
    store = imported(1)
    page = visit(store, settings=SHORT_IDLE).page
    press(page, "3")
    page.wait_for_timeout(1300)
    save(page, "Enter")
    (row,) = standing(store)

    assert row.wall_ms >= 1300
    assert row.active_ms < row.wall_ms - 1000


def test_a_judgement_is_changed_from_todays_list(visit, imported):
    store = imported(2)
    one = visit(store)
    save(one.page, "1", "Enter")
    one.goto("/mine")
    one.page.locator(".mine summary").click()
    one.page.get_by_label("Why should it change?").fill("misread the record")
    one.page.get_by_role("button", name="Take it back and judge anew").click()
    one.page.locator("#left_better:checked").wait_for(state="attached")
    save(one.page, "2", "Enter")

    assert [verdict_by_side(row) for row in standing(store)] == ["second_better"]
    assert [row.reason for row in rows(store, RETRACTIONS)] == ["misread the record"]


def test_the_views_are_off_at_first_and_change_no_entry(visit, imported):
    one = visit(imported(1))
    page = one.page
    assert page.evaluate("CSS.highlights.has('differs')") is False
    press(page, "d")
    words = page.evaluate("[...CSS.highlights.get('differs')].map((range) => range.toString())")
    press(page, "v", "l")

    assert {"Cheap", "Dear"} <= set(words)
    assert "words" not in words
    assert page.locator(".written").first.is_visible()
    assert [page.locator(f"#{name}").get_attribute("aria-pressed") for name in ("diff", "lock", "raw")] == ["true"] * 3
    press(page, "d")
    assert page.evaluate("CSS.highlights.has('differs')") is False
    assert one.is_quiet()
