from datetime import timedelta

import sqlalchemy as sa

from core.ledger import Ledger
from labeling.queueing.experts import invite_expert
from labeling.tables import JUDGEMENTS
from tests.labeling.conftest import STRONG, WEAK
from web.sessions import LIFETIME


def n_judgements(store):
    with store.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(JUDGEMENTS)).scalar_one()


def test_without_a_session_every_page_leads_to_sign_in(imported, expert):
    dana = expert(imported(1))
    dana.http.cookies.clear()

    for path in ("/", "/judge", "/progress"):
        assert dana.http.get(path).url.path == "/sign-in"
    assert dana.http.post("/judge", data={"verdict": "left_better"}).status_code == 401


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
    dana = expert(imported(3), overlap=2)
    pages = [dana.http.get("/judge"), dana.http.get("/progress"), dana.http.get("/static/labeling/judge.js")]
    pages += [dana.http.post("/judge", data={**dana.fields(), "verdict": "both_acceptable"}) for _ in range(3)]
    pages += [dana.http.get("/judge")]

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


def test_text_of_answers_cannot_become_markup(imported, expert):
    dana = expert(imported(1, answers={WEAK: "<img src=x onerror=alert(1)>", STRONG: "<script>1</script>"}))
    page = dana.http.get("/judge").text

    assert "<img src=x" not in page
    assert "<script>1" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


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
    dana, lee = expert(store, "Dana", overlap=2), expert(store, "Lee", overlap=2)
    for one, verdicts in (
        (dana, ("both_acceptable", "both_acceptable")),
        (lee, ("both_acceptable", "neither_acceptable")),
    ):
        for verdict in verdicts:
            one.vote(verdict)
    page = dana.http.get("/progress").text

    assert "<strong>50 %</strong>" in page
    assert "On the 2 pairs" in page


def test_the_progress_page_says_why_there_is_no_agreement_yet(imported, expert):
    assert "start it with <code>--overlap 2</code>" in expert(imported(1)).http.get("/progress").text
