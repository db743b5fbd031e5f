import json
import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from core.ledger import EVENTS
from core.unresolved import keep_unresolved, waiting_unresolved
from labeling.commands.group import label
from labeling.content.inspecting import ImportRules
from labeling.content.unresolved import import_unresolved
from labeling.frozen.told_by_ledger import check_against_ledger
from labeling.judging.revealing import reveal
from labeling.quality.overruling import overruling
from labeling.queueing.dealing import OfferRules
from labeling.queueing.offering import _repeats_for
from labeling.tables import ITEMS, JUDGEMENTS, PAIRS, QUEUE, REVEALS, stands
from tests.labeling.conftest import ONCE, PLAIN
from tests.labeling.unresolved_rows import unresolved

SAID = "The checks had said"


@pytest.fixture
def taken_over(store, clock):
    """Keep these rows as the gateway does, and take them over into the queue."""

    def take(*rows, rules=ONCE, **options):
        keep_unresolved(store, rows, origin="gateway", now=clock())
        return import_unresolved(store, by="lead", now=clock(), rules=rules, **options)

    return take


def judgements(store, *conditions):
    with store.connect() as connection:
        return connection.execute(sa.select(JUDGEMENTS).where(*conditions).order_by(JUDGEMENTS.c.at)).all()


def counted(store):
    with store.connect() as connection:
        return overruling(connection)


def test_what_needs_a_person_comes_first_by_stakes(store, imported, taken_over, expert):
    imported(3)
    taken_over(unresolved(1), unresolved(2, stakes="critical"))
    one = expert(store)

    shown = []
    for _ in range(3):
        shown.append(re.search(r"(lease \d|diagnosis)", one.http.get("/judge").text)[1])
        one.vote("both_acceptable")
    assert shown == ["lease 2", "lease 1", "diagnosis"]


def test_rows_keep_their_tiers_and_leave_no_text_behind(store, taken_over):
    taken = taken_over(unresolved(1), unresolved(2, weak_answer=None))

    assert (taken.n_new, taken.n_single) == (1, 1)
    with store.connect() as connection:
        pair = connection.execute(sa.select(PAIRS.c.weak, PAIRS.c.strong)).one()
        assert connection.execute(sa.select(QUEUE.c.stream)).scalars().all() == ["human"]
        assert [row.id for row in waiting_unresolved(connection)] == ["dec_2"]
    assert tuple(pair) == (ONCE.weak, ONCE.strong)


def test_identifiers_hold_a_row_back_like_any_other_import(store, taken_over):
    rules = ImportRules(data_class="deidentified")
    taken = taken_over(unresolved(1, weak_answer="Mail dana.ruiz@example.org, MRN 12345678."), rules=rules)

    assert taken.n_held == 1
    with store.connect() as connection:
        assert connection.execute(sa.select(ITEMS.c.phi_state)).scalar() == "held"
        assert connection.execute(sa.select(QUEUE.c.is_open)).scalar() is False


def test_the_same_question_and_answers_twice_are_one_pair(store, taken_over):
    first = unresolved(1)
    taken_over(first, first.model_copy(update={"id": "dec_9", "query": first.query.model_copy(update={"id": "dec_9"})}))

    with store.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(PAIRS)).scalar() == 1
        assert waiting_unresolved(connection) == []


def test_a_dry_run_takes_nothing(store, taken_over):
    assert taken_over(unresolved(1), dry_run=True).n_new == 1
    with store.connect() as connection:
        assert len(waiting_unresolved(connection)) == 1


def test_no_page_tells_what_the_checks_said_before_the_expert_has_judged(store, taken_over, expert):
    taken_over(unresolved(1), unresolved(2))
    one = expert(store)

    for path in ("/judge", "/judge?after=saved", "/mine", "/progress"):
        page = one.http.get(path).text
        assert SAID not in page
        assert "wording.quote" not in page
    page = one.vote("neither_acceptable")
    assert SAID in page
    assert "wording.quote" in page
    assert "wording.section" not in page
    assert SAID in one.http.get("/mine").text
    assert SAID not in one.http.get("/judge").text


def test_another_expert_sees_nothing_of_it(store, taken_over, expert, clock):
    taken_over(unresolved(1), rules=ImportRules(overlap_high_stakes=2))
    first, second = expert(store), expert(store, "Eli Novak")
    first.vote("neither_acceptable")
    (judged,) = judgements(store)

    assert SAID not in second.http.get("/judge?after=saved").text
    assert reveal(store, [judged.id], expert="Eli Novak", now=clock()) == {}


def test_plain_pairs_reveal_nothing(store, imported, expert):
    imported(2)

    assert SAID not in expert(store).vote("both_acceptable")
    with store.connect() as connection:
        assert connection.execute(sa.select(REVEALS)).all() == []


def test_each_showing_is_on_record_once(store, taken_over, expert):
    taken_over(unresolved(1))
    one = expert(store)
    one.vote("neither_acceptable")
    one.http.get("/mine")
    one.http.get("/judge?after=saved")

    with store.connect() as connection:
        shown = (
            connection.execute(sa.select(EVENTS.c.subject).where(EVENTS.c.action == "verify.reveal")).scalars().all()
        )
    assert shown == [judgements(store)[0].id]


def test_a_change_of_mind_after_the_reveal_is_kept_and_counts_nowhere(store, taken_over, expert):
    taken_over(unresolved(1))
    one = expert(store)
    one.vote("both_acceptable")
    (first,) = judgements(store)
    one.http.post("/undo", data={"csrf": csrf(one), "judgement": first.id})
    one.vote("neither_acceptable")

    (standing,) = judgements(store, stands())
    assert (standing.verdict, standing.purpose) == ("neither_acceptable", "after_reveal")
    found = counted(store).overrides
    assert (found.objected.n, found.objected.n_overridden) == (1, 1)  # the blind judgement accepted the answer
    with store.connect() as connection:
        check_against_ledger(connection)
        told = connection.execute(sa.select(EVENTS.c.subject).where(EVENTS.c.action == "judge.after_reveal"))
        assert told.scalars().all() == [standing.id]
    assert expert(store, "Lea Lead").http.get("/progress").status_code == 200


def csrf(one):
    return re.search(r'name="csrf" value="([^"]+)"', one.http.get("/mine").text)[1]


def test_overruled_objections_are_counted_check_by_check(store, taken_over, expert):
    taken_over(*[unresolved(number) for number in range(4)], unresolved(5, verdict="not_checked", stakes="critical"))
    one = expert(store)
    for verdict in ("neither_acceptable", "both_acceptable", "neither_acceptable", "cannot_judge", "both_acceptable"):
        one.vote(verdict, reason="why", left_acceptable="", right_acceptable="")

    found = counted(store)
    assert (found.n_not_checked, found.n_not_said) == (1, 1)
    assert (found.overrides.objected.n, found.overrides.objected.n_overridden) == (3, 2)
    assert set(found.overrides.by_check) == {"wording.quote"}


def test_the_commands_take_over_and_report(store, store_url, clock, expert):
    keep_unresolved(store, [unresolved(1)], origin="gateway", now=clock())
    where = ["--store", store_url, "--data-class", "public", "--by", "lead"]

    first = CliRunner().invoke(label, ["import", "--unresolved", "--json", *where])
    again = CliRunner().invoke(label, ["import", "--unresolved", *where])
    both = CliRunner().invoke(label, ["import", "--unresolved", "pairs.jsonl", *where])
    assert json.loads(first.stdout)["n_new"] == 1
    assert "No pair of answers waits for a person." in again.output
    assert both.exit_code == 2

    expert(store).vote("both_acceptable")
    report = CliRunner().invoke(label, ["agreement", "--json", "--store", store_url])
    found = json.loads(report.stdout)["overrides"]["by_check"]["wording.quote"]
    assert (found["n"], found["n_overridden"]) == (1, 1)
    assert "wording.quote: 1 of 1" in CliRunner().invoke(label, ["agreement", "--store", store_url]).output


def test_a_pair_whose_verdict_was_shown_does_not_come_back_as_a_repeat(store, imported, taken_over, expert, clock):
    imported(1)
    taken_over(unresolved(1))
    settings = PLAIN.model_copy(update={"repeat_rate": 0.4, "repeat_after_days": 7})
    one = expert(store, settings=settings)
    one.vote("neither_acceptable")  # the human pair, first in the queue
    one.vote("both_acceptable")
    clock.skip(timedelta(days=8))

    with store.connect() as connection:
        coming_back = connection.execute(_repeats_for(one.name, OfferRules(), clock())).scalars().all()
    plain = [row.pair_id for row in judgements(store) if row.verdict == "both_acceptable"]
    assert coming_back == plain
