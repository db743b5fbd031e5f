"""Whatever happens to the browser - reload, two tabs, lost network, ended session - nothing is lost or doubled."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from core.ledger import Ledger
from labeling.tables import DRAFTS, ITEMS
from tests.labeling.browsing import COOKIE, audit, sign_out_everyone, signed_in, store_url  # noqa: F401 - the fixture overrides the store of both kinds
from tests.labeling.judge_page import draft_saved, press, rows, save, standing, status, verdict_by_side

pytestmark = [pytest.mark.browser]


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
