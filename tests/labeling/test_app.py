from datetime import timedelta

import sqlalchemy as sa

from core.access import Role
from core.ledger import Ledger
from core.people import actor_of, grant
from core.store import writing
from labeling.queueing.experts import invite_expert
from labeling.queueing.offering import offer_pair
from labeling.tables import ACKNOWLEDGEMENTS, ASSIGNMENTS, GUIDELINES, JUDGEMENTS, PAIRS
from tests.labeling.conftest import START, STRONG, WEAK, want
from web.sessions import LIFETIME


def n_judgements(store):
    with store.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(JUDGEMENTS)).scalar_one()


def test_without_a_session_every_page_leads_to_sign_in(imported, expert):
    dana = expert(imported(1))
    dana.http.cookies.clear()

    for path in ("/", "/judge", "/progress", "/mine", "/keys"):
        assert dana.http.get(path).url.path == "/sign-in"
    for path in ("/judge", "/draft", "/undo", "/flag", "/mine", "/keys"):
        assert dana.http.post(path, data={"verdict": "left_better"}).status_code == 401


def test_opening_the_access_link_does_not_use_it_up(imported, expert, clock):
    dana = expert(imported(1))
    token = invite_expert(imported(1), "Lee", by="lead", now=clock())

    for _ in range(2):
        assert token in dana.http.get("/sign-in", params={"token": token}).text
    assert dana.http.post("/sign-in", data={"token": token}).url.path == "/judge"
    assert dana.http.post("/sign-in", data={"token": token}).status_code == 403


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(imported, expert, clock):
    dana = expert(imported(1))
    token = invite_expert(imported(1), "Dana Ruiz", by="lead", now=clock())
    answer = dana.http.post("/sign-in", data={"token": token}, follow_redirects=False)
    cookie = answer.headers["set-cookie"].lower()

    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_model_names_and_costs_never_reach_the_browser(imported, expert):
    dana = expert(imported(4))
    entered = {"verdict": "left_better", "mark": ["left:0:major:wrong", "right:0:minor:unclear"]}
    pages = [dana.http.get(path) for path in ("/judge", "/progress", "/keys", "/static/labeling/judge.js")]
    pages += [dana.http.post("/draft", data={**dana.fields(), **entered}), dana.http.get("/judge")]
    pages += [dana.http.post("/judge", data={**dana.fields(), **entered, "edition": "1"}), dana.http.get("/mine")]
    flag = {"csrf": dana.fields()["csrf"], "assignment": dana.fields()["assignment"]}
    pages += [dana.http.post("/flag", data={**flag, "kind": "safety"})]
    pages += [dana.http.post("/judge", data={**dana.fields(), "verdict": "both_acceptable"}) for _ in range(3)]
    pages += [dana.http.get("/judge"), dana.http.get("/mine")]

    assert all(page.status_code == 200 for page in pages)
    for page in pages:
        for secret in (WEAK, STRONG, "0.001", "0.02", "task-00"):
            assert secret not in page.text + str(page.headers) + str(page.url), (page.url, secret)


def test_a_form_without_the_sessions_token_is_refused(imported, expert):
    store = imported(1)
    dana = expert(store)
    fields = {**dana.fields(), "verdict": "both_acceptable"}

    assert dana.http.post("/judge", data={**fields, "csrf": ""}).status_code == 403
    assert dana.http.post("/judge", data={**fields, "csrf": "0" * 64}).status_code == 403
    assert dana.http.post("/judge", data=fields, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert n_judgements(store) == 0


def test_every_verdict_works_without_javascript(imported, expert):
    store = imported(5)
    dana = expert(store)
    for verdict in ("left_better", "right_better", "both_acceptable", "neither_acceptable"):
        assert "Saved." in dana.vote(verdict)
    page = dana.vote("cannot_judge", reason="The record is missing.")

    assert "All judged. Thank you." in page
    assert n_judgements(store) == 5


def test_progress_stands_on_the_page(imported, expert):
    dana = expert(imported(3))

    assert "0 of 3" in dana.http.get("/judge").text
    assert "1 of 3" in dana.vote("left_better")


def test_a_refused_form_comes_back_as_it_was_entered(imported, expert):
    store = imported(1)
    dana = expert(store)
    fields = {**dana.fields(), "verdict": "both_acceptable", "left_acceptable": "no", "reason": "See <guideline> 4"}
    answer = dana.http.post("/judge", data=fields)

    assert answer.status_code == 422
    assert "Change one of the two" in answer.text
    assert "See &lt;guideline&gt; 4</textarea>" in answer.text
    assert 'value="both_acceptable" required checked' in answer.text
    assert 'name="left_acceptable" value="no" checked' in answer.text
    assert n_judgements(store) == 0


def test_no_verdict_is_refused_with_a_sentence(imported, expert):
    dana = expert(imported(1))

    assert "No verdict is chosen yet" in dana.vote("")


def test_text_of_answers_and_of_queries_cannot_become_markup(imported, expert):
    hostile = "<script>1</script> [y](javascript:alert(2)) <svg onload=alert(1)>"
    dana = expert(imported(1, query=hostile, answers={WEAK: hostile, STRONG: "Plain."}))
    page = dana.http.get("/judge").text

    for markup in ("<svg", "<script>1", '<a href="java'):
        assert markup not in page
    assert page.count("&lt;svg onload=alert(1)&gt;") == 3  # the query, the answer laid out and as written


def test_undo_brings_the_pair_back_and_a_second_press_is_harmless(imported, expert):
    store = imported(2)
    dana = expert(store)
    first = dana.fields()
    dana.vote("left_better")
    page = dana.http.get("/judge").text
    judgement = page.split('name="judgement" value="')[1].split('"')[0]
    for _ in range(2):
        page = dana.http.post("/undo", data={"csrf": first["csrf"], "judgement": judgement}).text

    assert "Undone." in page
    assert (dana.fields()["assignment"], dana.fields()["revision"]) == (first["assignment"], "1")
    assert len(Ledger(store).events(action="judge.retract")) == 1


def test_yesterdays_judgement_cannot_be_undone_without_anyone_knowing_why(imported, expert, clock):
    store = imported(2)
    expert(store).vote("left_better")
    clock.skip(timedelta(days=1))
    dana = expert(store)
    csrf = dana.fields()["csrf"]
    with store.connect() as connection:
        judgement = connection.execute(sa.select(JUDGEMENTS.c.id)).scalar_one()
    refused = dana.http.post("/undo", data={"csrf": csrf, "judgement": judgement})

    assert (refused.status_code, "Only your own judgements of today" in refused.text) == (403, True)
    assert 'name="judgement" value=""' in dana.http.get("/judge").text
    assert Ledger(store).events(action="judge.retract") == []


def test_a_form_sent_twice_says_that_it_counts_once(imported, expert):
    store = imported(2)
    dana = expert(store)
    fields = {**dana.fields(), "verdict": "left_better"}
    dana.http.post("/judge", data=fields)

    assert "Already saved; it counts once." in dana.http.post("/judge", data=fields).text
    assert n_judgements(store) == 1


def test_a_session_ends_and_says_that_the_form_was_not_saved(imported, expert, clock):
    store = imported(1)
    dana = expert(store)
    fields = {**dana.fields(), "verdict": "left_better"}
    clock.skip(LIFETIME + timedelta(seconds=1))
    answer = dana.http.post("/judge", data=fields)

    assert answer.status_code == 401
    assert "this form was not saved" in answer.text
    assert n_judgements(store) == 0


def test_signing_out_ends_the_session_on_the_server(imported, expert):
    dana = expert(imported(1))
    cookie = dana.http.cookies["preceptor_session"]
    dana.http.post("/sign-out", data={"csrf": dana.fields()["csrf"]})
    dana.http.cookies.set("preceptor_session", cookie)

    assert dana.http.get("/judge").url.path == "/sign-in"


def test_the_progress_page_tells_how_far_two_experts_agree(imported, expert):
    store = imported(2)
    want(store, 2)
    dana, lee = expert(store, "Dana"), expert(store, "Lee")
    for one, verdicts in (
        (dana, ("both_acceptable", "both_acceptable")),
        (lee, ("both_acceptable", "neither_acceptable")),
    ):
        for verdict in verdicts:
            one.vote(verdict)
    with writing(store) as connection:
        ops = actor_of(connection, "ops", now=START, at_command_line=True)
        grant(connection, dana.name, Role.LEAD, by=ops, now=START)
    page = dana.http.get("/progress").text

    assert "<strong>50 %</strong>" in page
    assert "On the 2 pairs" in page


def test_the_progress_page_says_why_there_is_no_agreement_yet(imported, expert):
    page = expert(imported(1)).http.get("/progress").text

    assert "Agreement</h2>" in page
    assert "nan" not in page.lower().split("agreement</h2>")[1]
    assert "two experts" in page.lower().split("agreement</h2>")[1]


def test_an_expert_sees_their_own_pace_and_no_other_experts_name(imported, expert):
    store = imported(2)
    want(store, 2)
    dana, lee = expert(store, "Dana"), expert(store, "Lee Osei")
    dana.vote("both_acceptable", active_ms="42000")
    lee.vote("both_acceptable")
    page = dana.http.get("/progress").text

    assert "<dd>42 s</dd>" in page
    assert "<dt>Today, of 60</dt><dd>1</dd>" in page
    assert "Lee Osei" not in page


def test_hidden_gold_and_repeats_look_like_work_on_every_page(imported, expert):
    store = imported(2)
    dana = expert(store)
    with writing(store) as connection:
        pairs = connection.execute(sa.select(PAIRS.c.id).order_by(PAIRS.c.id)).scalars().all()
        connection.execute(ASSIGNMENTS.delete())
        lease = timedelta(hours=1)
        offer_pair(connection, dana.name, pairs[0], purpose="gold", lease=lease, now=START)
        offer_pair(connection, dana.name, pairs[1], purpose="work", lease=lease, now=START)
    figures = set()
    for _ in range(2):
        dana.vote("left_better")
        figures.add(dana.http.get("/progress").text.split("All labeling</h2>")[1])
    with store.connect() as connection:
        purposes = set(connection.execute(sa.select(JUDGEMENTS.c.purpose)).scalars())
    pages = [dana.http.get(path).text for path in ("/judge", "/mine", "/progress")]

    assert purposes == {"gold", "work"}
    assert len(figures) == 1
    assert pages[1].count('class="card"') == 2
    assert not any("gold" in page or "repeat" in page for page in pages)


def test_a_pair_waits_until_the_latest_guideline_is_acknowledged(imported, expert):
    store = imported(1)
    dana = expert(store)
    with writing(store) as connection:
        fields = {"sha256": "0" * 64, "change": "first", "written_by": "ann", "approved_by": "bob", "at": "2026-11-24"}
        connection.execute(GUIDELINES.insert().values(version=1, text="# Aim\nCode to the *last* digit.", **fields))
    answer = dana.http.get("/judge", follow_redirects=False)
    with writing(store) as connection:
        connection.execute(ACKNOWLEDGEMENTS.insert().values(expert=dana.name, version=1, at="2026-11-24"))
    page = dana.http.get("/judge").text

    assert (answer.status_code, answer.headers["location"]) == (303, "/guideline")
    assert "Guideline, version 1" in page
    assert "<em>last</em>" in page


def test_a_judgement_keeps_the_version_that_stood_beside_the_pair_not_one_that_came_meanwhile(imported, expert):
    store = imported(3)
    dana = expert(store)
    fields = {"sha256": "0" * 64, "change": "c", "written_by": "ann", "approved_by": "bob", "at": "2026-11-24"}
    for version in (1, 2):
        form = dana.fields()
        with writing(store) as connection:
            connection.execute(GUIDELINES.insert().values(version=version, text="# Aim", **fields))
        dana.http.post("/judge", data={**form, "verdict": "both_acceptable"}, follow_redirects=False)
        with writing(store) as connection:
            connection.execute(ACKNOWLEDGEMENTS.insert().values(expert=dana.name, version=version, at="2026-11-24"))
    dana.http.post("/judge", data={**dana.fields(), "guideline": "9", "verdict": "both_acceptable"})
    with store.connect() as connection:
        kept = connection.execute(sa.select(JUDGEMENTS.c.guideline_version).order_by(JUDGEMENTS.c.at)).scalars().all()

    # None was there for the first, version 1 for the second; a version that does not exist is the one in force.
    assert kept == [None, 1, 2]


def test_chosen_keys_are_shown_and_kept_on_the_server(imported, expert):
    store = imported(1)
    dana = expert(store)
    csrf = dana.fields()["csrf"]
    saved = dana.http.post("/keys", data={"csrf": csrf, "is_on": "yes", "undo": "z"})
    refused = dana.http.post("/keys", data={"csrf": csrf, "is_on": "yes", "undo": "1"})
    page = dana.http.get("/judge").text

    assert "Saved." in saved.text
    assert refused.status_code == 422
    assert "&#39;1&#39; is set for &#39;Left is better&#39; and for &#39;Undo the last judgement&#39;" in refused.text
    assert "<kbd>z</kbd>Undo last" in page
    assert "keys-off" not in page


def test_switched_off_keys_reach_no_page(imported, expert):
    dana = expert(imported(1))
    dana.http.post("/keys", data={"csrf": dana.fields()["csrf"]})

    assert 'data-keys="{}"' in dana.http.get("/judge").text


def test_a_judgement_of_today_is_changed_from_the_list_with_a_reason(imported, expert):
    store = imported(2)
    dana = expert(store)
    dana.vote("left_better", reason="first thought")
    judgement = dana.http.get("/mine").text.split('name="judgement" value="')[1].split('"')[0]
    form = {"csrf": dana.fields()["csrf"], "judgement": judgement}
    without = dana.http.post("/mine", data=form)
    page = dana.http.post("/mine", data={**form, "reason": "misread the record"})

    assert without.status_code == 422
    assert "A change needs a reason" in without.text
    assert "Taken back. Judge the pair anew." in page.text
    assert "first thought</textarea>" in page.text
    assert 'value="left_better" required checked' in page.text


def test_a_refused_flag_keeps_the_pair_and_what_was_entered(imported, expert):
    dana = expert(imported(1))
    fields = dana.fields()
    dana.http.post("/draft", data={**fields, "verdict": "right_better"})
    flag = {"csrf": fields["csrf"], "assignment": fields["assignment"], "kind": "identifier", "text": "SSN 219-09-9999"}
    answer = dana.http.post("/flag", data=flag)

    assert answer.status_code == 422
    assert "Say where it stands, not what it is." in answer.text
    assert 'value="right_better" required checked' in answer.text
    assert "219-09-9999" not in answer.text


def test_a_draft_is_answered_with_its_edition_or_with_a_sentence(imported, expert):
    dana = expert(imported(1))
    fields = {**dana.fields(), "verdict": "right_better"}
    first, stale = (dana.http.post("/draft", data=fields) for _ in range(2))
    long = dana.http.post("/draft", data={**fields, "edition": "1", "reason": "x" * 50_000})

    assert (first.status_code, first.json()["edition"]) == (200, 1)
    assert (stale.status_code, "Reload the page" in stale.json()["sentence"]) == (409, True)
    assert (long.status_code, "Keep them under" in long.json()["sentence"]) == (422, True)
