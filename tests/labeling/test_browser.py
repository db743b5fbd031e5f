"""A real browser on a real server: keys, reload, lost network, two tabs, a session that ends; nothing is lost."""

import re
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa

from core.labeling_settings import LabelingSettings
from core.ledger import Ledger
from core.store import writing
from labeling.tables import ACKNOWLEDGEMENTS, DRAFTS, GUIDELINES, ITEMS, JUDGEMENTS, MARKS, RETRACTIONS, stands
from tests.labeling.browsing import COOKIE, audit, sign_out_everyone, signed_in, store_url, watch  # noqa: F401
from tests.labeling.conftest import STRONG, WEAK

pytestmark = [pytest.mark.browser]

SHORT_IDLE = LabelingSettings(reason_required="never", gold_rate=0, repeat_rate=0, idle_seconds=0.4)


def standing(store):
    with store.connect() as connection:
        return connection.execute(sa.select(JUDGEMENTS).where(stands()).order_by(JUDGEMENTS.c.at)).all()


def rows(store, table):
    with store.connect() as connection:
        return connection.execute(sa.select(table)).all()


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def save(page, *keys):
    """Press keys, the last of which sends the form, and wait for the next page."""
    page.evaluate("document.querySelector('main').dataset.old = 'yes'")
    press(page, *keys)
    page.locator("main:not([data-old])").wait_for()


def status(page):
    return page.locator("#status").inner_text()


def draft_saved(page):
    page.locator("#draft-state", has_text="draft saved").wait_for()


def verdict_by_side(row):
    """The saved verdict, as seen on the screen."""
    if not row.swapped:
        return row.verdict
    return {"first_better": "second_better", "second_better": "first_better"}.get(row.verdict, row.verdict)


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


def test_a_reload_and_another_tab_bring_back_what_was_entered(visit, imported):
    store = imported(2)
    one = visit(store)
    page = one.page
    press(page, "2", "e", "m", " ", "1", "q")
    press(page, "t")
    page.keyboard.type("half a thought")
    draft_saved(page)
    one.goto("/progress")
    one.goto("/judge")
    second = page.context.new_page()
    second.goto(one.address + "/judge")

    for tab in (page, second):
        assert tab.locator("#right_better").is_checked()
        assert tab.locator("#much").is_checked()
        assert tab.locator("#reason").input_value() == "half a thought"
        assert tab.locator(".sentence.marked").count() == 1
    assert standing(store) == []
    assert one.is_quiet()


def test_of_two_tabs_the_older_one_is_told_and_overwrites_nothing(visit, imported):
    store = imported(2)
    one = visit(store)
    first = one.page
    second = first.context.new_page()
    second.goto(one.address + "/judge")
    second.fill("#reason", "from the second tab")
    draft_saved(second)
    first.fill("#reason", "from the first tab")
    first.locator("#trouble", has_text="Newer entries").wait_for()
    (draft,) = rows(store, DRAFTS)
    assert "second tab" in draft.fields

    save(second, "Escape", "3", "Enter")
    save(first, "Escape", "4", "Enter")
    assert "the earlier verdict stands" in status(first)
    assert [row.verdict for row in standing(store)] == ["both_acceptable"]


def test_a_lost_network_keeps_the_vote_and_sends_it_once_when_it_is_back(visit, imported):
    store = imported(2)
    one = visit(store)
    page = one.page
    press(page, "1")
    draft_saved(page)
    page.context.set_offline(True)
    press(page, "Enter")
    page.locator("#trouble", has_text="Not saved yet").wait_for()
    press(page, "2", "Enter")
    warned = []
    page.on("dialog", lambda dialog: (warned.append(dialog.type), dialog.dismiss()))
    page.close(run_before_unload=True)
    page.wait_for_timeout(300)
    assert warned == ["beforeunload"]
    assert audit(page) == []
    assert standing(store) == []
    page.evaluate("document.querySelector('main').dataset.old = 'yes'")
    page.context.set_offline(False)
    page.locator("main:not([data-old])").wait_for()

    assert [verdict_by_side(row) for row in standing(store)] == ["first_better"]
    assert not page.locator("#trouble").is_visible()
    assert status(page) == "Saved. Pair 2 of 2."


def test_a_vote_whose_answer_got_lost_counts_once(visit, imported):
    store = imported(2)
    page = visit(store).page
    lost = []

    def lose_the_answer(route):
        if not lost:
            lost.append(route.fetch(max_redirects=0).status)
            return route.abort()
        return route.continue_()

    page.route(
        "**/judge", lambda route: lose_the_answer(route) if route.request.method == "POST" else route.continue_()
    )
    save(page, "3", "Enter")

    assert lost == [303]
    assert status(page).startswith("Already saved; it counts once.")
    assert [row.verdict for row in standing(store)] == ["both_acceptable"]
    assert len(Ledger(store).events(action="judge.submit")) == 1


def test_after_a_session_ended_the_pair_comes_back_filled_in(visit, imported, clock):
    store = imported(2)
    one = visit(store)
    page = one.page
    press(page, "1", "t")
    page.keyboard.type("before the end")
    draft_saved(page)
    clock.skip(timedelta(minutes=20))
    one.goto("/judge")
    assert urlsplit(page.url).path == "/sign-in"
    token = signed_in(store, "Dana Ruiz", (), clock())
    page.context.add_cookies([{"name": COOKIE, "value": token, "url": one.address}])
    one.goto("/judge")

    assert page.locator("#left_better").is_checked()
    assert page.locator("#reason").input_value() == "before the end"
    save(page, "Enter")
    assert [row.reason for row in standing(store)] == ["before the end"]


def test_a_vote_after_the_end_of_the_session_waits_for_the_next_sign_in(visit, imported, clock):
    store = imported(2)
    one = visit(store)
    page = one.page
    press(page, "4")
    draft_saved(page)
    sign_out_everyone(store)
    press(page, "Enter")
    page.locator("#trouble", has_text="Your session has ended").wait_for()
    assert page.locator("#trouble").get_by_role("link", name="Sign in").is_visible()
    assert standing(store) == []
    page.evaluate("document.querySelector('main').dataset.old = 'yes'")
    token = signed_in(store, "Dana Ruiz", (), clock())
    page.context.add_cookies([{"name": COOKIE, "value": token, "url": one.address}])
    page.evaluate("window.dispatchEvent(new Event('focus'))")
    page.locator("main:not([data-old])").wait_for()

    assert [row.verdict for row in standing(store)] == ["neither_acceptable"]


def test_a_double_click_and_a_reload_count_once(visit, imported):
    store = imported(6)
    one = visit(store)
    press(one.page, "3")
    one.page.evaluate("document.querySelector('main').dataset.old = 'yes'")
    one.page.get_by_role("button", name="Save and next").dblclick()
    one.page.locator("main:not([data-old])").wait_for()
    one.page.reload()
    one.goto("/progress")
    one.goto("/judge")

    assert len(standing(store)) == 1
    assert len(Ledger(store).events(action="judge.submit")) == 1


def test_after_the_back_button_the_same_pair_is_not_judged_twice(visit, imported):
    store = imported(6)
    one = visit(store, "/progress")
    one.goto("/judge")
    save(one.page, "3", "Enter")
    one.goto("/mine")
    one.page.go_back()
    one.page.locator("form.judge").wait_for()
    save(one.page, "4", "Enter")

    assert [row.verdict for row in standing(store)] == ["both_acceptable", "neither_acceptable"]
    assert len({row.pair_id for row in standing(store)}) == 2


def test_a_pause_without_a_key_or_a_move_is_not_time_at_work(visit, imported):
    store = imported(1)
    page = visit(store, settings=SHORT_IDLE).page
    press(page, "3")
    page.wait_for_timeout(1300)
    save(page, "Enter")
    (row,) = standing(store)

    assert row.wall_ms >= 1300
    assert row.active_ms < row.wall_ms - 1000


def test_a_flag_keeps_what_was_entered_and_an_identifier_takes_the_pair_away(visit, imported):
    store = imported(2)
    one = visit(store)
    page = one.page
    press(page, "2", "f", "ArrowDown", "Tab")
    page.keyboard.type("the dose is tenfold")
    press(page, "Tab")
    save(page, "Enter")
    assert status(page).startswith("The flag is noted. You can go on")
    assert page.locator("#right_better").is_checked()
    asked = page.locator(".asked").inner_text()
    press(page, "f", " ")
    page.get_by_role("button", name="Send the flag").focus()
    save(page, "Enter")

    assert status(page).startswith("The flag is noted, and the pair is held back")
    assert page.locator(".asked").inner_text() != asked
    assert [row.phi_state for row in rows(store, ITEMS)].count("held") == 1
    assert one.is_quiet()


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
