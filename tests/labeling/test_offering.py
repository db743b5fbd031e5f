import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from core.people import actor_of, add_person
from core.store import writing
from labeling.judging.ballots import Ballot, Choice
from labeling.judging.submitting import submit
from labeling.queueing.dealing import OfferRules
from labeling.queueing.experts import enter_once, invite_expert
from labeling.queueing.offering import next_task, progress_of
from labeling.queueing.places import refresh, refresh_item
from labeling.queueing.sides import BLOCK, anchor_is_left
from labeling.tables import ADJUDICATIONS, ASSIGNMENTS, EXPERTS, GOLD, ITEMS, JUDGEMENTS, PAIRS, QUEUE
from tests.labeling.conftest import PLAIN, PLAIN_RULES, START, want

LEASE = OfferRules().lease


def judge(store, task, expert, clock):
    return submit(store, Ballot(task.assignment_id, task.revision, Choice.BOTH_ACCEPTABLE), expert=expert, now=clock())


def judge_all(store, expert, clock, *, rules=PLAIN_RULES):
    shown = []
    while task := next_task(store, expert, rules=rules, now=clock()):
        shown.append(task)
        judge(store, task, expert, clock)
    return shown


def rows_of(store, table, *conditions):
    with store.connect() as connection:
        return connection.execute(sa.select(table).where(*conditions)).all()


def make_gold(store, n, clock):
    """The first n pairs become hidden gold."""
    with writing(store) as connection:
        pairs = list(connection.execute(sa.select(PAIRS.c.id).order_by(PAIRS.c.item_id).limit(n)).scalars())
        rows = [
            {"pair_id": pair, "kind": "hidden", "verdict": "both_acceptable", "explanation": "", "set_by": "lead"}
            for pair in pairs
        ]
        connection.execute(GOLD.insert(), [{**row, "at": clock().isoformat()} for row in rows])
        connection.execute(QUEUE.update().where(QUEUE.c.pair_id.in_(pairs)).values(stream="gold"))
        refresh(connection, pairs)
    return set(pairs)


def fix_seed(store, name, seed):
    with writing(store) as connection:
        connection.execute(EXPERTS.update().where(EXPERTS.c.name == name).values(side_seed=seed))


@pytest.fixture
def two(imported, clock):
    store = imported(6)
    for name in ("Dana", "Lee"):
        invite_expert(store, name, by="lead", now=clock())
    return store


def test_a_reload_shows_the_same_pair_on_the_same_sides(two, clock):
    assert next_task(two, "Dana", rules=PLAIN_RULES, now=clock()) == next_task(two, "Dana", now=clock())


def test_two_experts_do_not_judge_the_same_pair_unless_asked_to(two, clock):
    dana, lee = (next_task(two, name, rules=PLAIN_RULES, now=clock()) for name in ("Dana", "Lee"))

    assert dana.query.id != lee.query.id
    assert len(judge_all(two, "Dana", clock)) == 5
    assert len(judge_all(two, "Lee", clock)) == 1


def test_with_an_overlap_of_two_each_pair_is_judged_twice(two, clock):
    invite_expert(two, "Kim", by="lead", now=clock())
    want(two, 2)

    assert [len(judge_all(two, name, clock)) for name in ("Dana", "Lee", "Kim")] == [6, 6, 0]


def test_a_pair_that_someone_left_lying_goes_to_another(two, clock):
    left_lying = next_task(two, "Dana", rules=PLAIN_RULES, now=clock())
    clock.skip(LEASE + timedelta(seconds=5))

    assert left_lying.query.id in {task.query.id for task in judge_all(two, "Lee", clock)}


def test_a_judgement_that_comes_after_the_lease_still_counts_once_and_takes_a_place(two, clock):
    late = next_task(two, "Dana", rules=PLAIN_RULES, now=clock())
    clock.skip(LEASE + timedelta(seconds=5))
    judge_all(two, "Lee", clock)
    said = [judge(two, late, "Dana", clock) for _ in range(2)]
    (place,) = rows_of(two, QUEUE, QUEUE.c.pair_id.in_(sa.select(PAIRS.c.id).where(PAIRS.c.item_id == late.query.id)))

    assert said == ["saved", "already_saved"]
    assert (place.wanted, place.n_taken, place.is_open) == (1, 2, False)


def test_a_held_item_is_never_shown_not_even_to_whoever_has_it_in_hand(two, clock):
    in_hand = next_task(two, "Dana", rules=PLAIN_RULES, now=clock())
    with writing(two) as connection:
        connection.execute(ITEMS.update().where(ITEMS.c.id == in_hand.query.id).values(phi_state="held"))
        refresh_item(connection, in_hand.query.id)

    shown = [*judge_all(two, "Dana", clock), *judge_all(two, "Lee", clock)]
    assert len(shown) == 5
    assert in_hand.query.id not in {task.query.id for task in shown}


def test_hidden_gold_is_dealt_at_its_rate_and_never_as_work(imported, clock):
    store = imported(80)
    invite_expert(store, "Dana", by="lead", now=clock())
    fix_seed(store, "Dana", 11)
    gold = make_gold(store, 40, clock)
    judge_all(store, "Dana", clock, rules=OfferRules(gold_rate=0.3, repeat_rate=0))
    dealt = rows_of(store, ASSIGNMENTS)
    n_gold = sum(row.purpose == "gold" for row in dealt)

    assert {row.pair_id in gold for row in dealt if row.purpose == "work"} == {False}
    assert {row.pair_id in gold for row in dealt if row.purpose == "gold"} == {True}
    # 40 pairs of work bring 40 x 0.3 / 0.7 = 17 of gold, with a standard deviation of (40 x 0.3)^(1/2) / 0.7 = 5.
    assert abs(n_gold - 17) < 15
    assert len({row.purpose for row in dealt[:20]}) == 2, "gold comes among the first already"


def test_a_repeat_comes_after_the_time_set_once_and_with_the_sides_swapped(imported, clock):
    store = imported(12)
    invite_expert(store, "Dana", by="lead", now=clock())
    always = OfferRules(gold_rate=0, repeat_rate=1, repeat_after=timedelta(days=7))
    n_before = len(judge_all(store, "Dana", clock, rules=always))
    clock.skip(timedelta(days=8))
    n_again = len(judge_all(store, "Dana", clock, rules=always))
    clock.skip(timedelta(days=8))
    sides = {}
    for row in rows_of(store, ASSIGNMENTS):
        sides.setdefault(row.pair_id, {})[row.occasion] = (row.purpose, row.swapped)

    assert (n_before, n_again, len(judge_all(store, "Dana", clock, rules=always))) == (12, 12, 0)
    for first_and_again in sides.values():
        assert [first_and_again[n][0] for n in (0, 1)] == ["work", "repeat"]
        assert first_and_again[0][1] != first_and_again[1][1]


def test_checks_take_no_place_in_the_queue(imported, clock):
    store = imported(10)
    invite_expert(store, "Dana", by="lead", now=clock())
    gold = make_gold(store, 5, clock)
    judge_all(store, "Dana", clock, rules=OfferRules(gold_rate=0.5, repeat_rate=0))

    assert {row.n_taken for row in rows_of(store, QUEUE, QUEUE.c.pair_id.in_(gold))} == {0}
    assert {row.n_taken for row in rows_of(store, QUEUE, QUEUE.c.pair_id.not_in(gold))} == {1}


def test_the_count_on_the_page_does_not_move_when_a_check_is_dealt(imported, clock):
    store = imported(40)
    invite_expert(store, "Dana", by="lead", now=clock())
    make_gold(store, 10, clock)
    rules, totals = OfferRules(gold_rate=0.3, repeat_rate=0.2), set()
    while task := next_task(store, "Dana", rules=rules, now=clock()):
        with store.connect() as connection:
            totals.add(progress_of(connection, "Dana", rules=rules, now=clock()).total)
        judge(store, task, "Dana", clock)
    dealt = [row.purpose for row in rows_of(store, ASSIGNMENTS)]

    assert "gold" in dealt
    assert totals == {len(dealt)}


def test_the_page_of_a_check_has_nothing_that_the_page_of_work_has_not(imported, expert, clock):
    store = imported(30)
    make_gold(store, 15, clock)
    dana = expert(store, "Dana", settings=PLAIN.model_copy(update={"gold_rate": 0.5}))
    fix_seed(store, "Dana", 7)  # of most seeds the 21 turns here need at most the 15 pairs of work, not of all
    skeletons, purposes = set(), set()
    for _ in range(20):
        page = dana.http.get("/judge")
        fields = dana.fields()
        (row,) = rows_of(store, ASSIGNMENTS, ASSIGNMENTS.c.id == fields["assignment"])
        if not purposes:  # the first page has nothing to undo, by which it differs from all others
            dana.vote("both_acceptable")
        purposes.add(row.purpose)
        # Numbers and random identifiers differ from page to page, and so do high and low stakes.
        plain = re.sub(r"[0-9a-f]{12,}|\d+", "#", page.text.replace("high", "low"))
        text = re.sub(r"(Dear|Cheap) words say[^<]*", "ANSWER", plain)
        skeletons.add((re.sub(r"\s+", " ", text), tuple(sorted(page.headers))))
        dana.vote("both_acceptable")

    assert purposes == {"work", "gold"}
    for one in skeletons:
        assert not re.search(r"gold|repeat|audit|active|purpose", one[0].replace("active_ms", ""))


def test_the_strong_answer_stands_on_each_side_equally_often_in_each_stratum(imported, clock):
    store = imported(16)
    invite_expert(store, "Dana", by="lead", now=clock())
    shown = judge_all(store, "Dana", clock)

    for stakes in ("low", "high"):
        left = ["Dear words" in task.left for task in shown if task.query.stakes == stakes]
        assert (sum(left), len(left)) == (4, 8)


@given(st.integers(0, 2**48), st.text(max_size=5), st.integers(0, 20))
def test_every_block_of_four_turns_has_two_of_each_side(seed, stratum, block):
    sides = [anchor_is_left(seed, stratum, turn) for turn in range(block * BLOCK, (block + 1) * BLOCK)]

    assert sum(sides) == 2


def test_sides_can_be_recomputed_from_what_is_stored(two, clock):
    judge_all(two, "Dana", clock)
    with two.connect() as connection:
        rows = connection.execute(
            sa.select(ASSIGNMENTS, sa.text("first.model AS first"))
            .select_from(ASSIGNMENTS)
            .join(sa.text("label_pair p"), sa.text("p.id = pair_id"))
            .join(sa.text("label_answer first"), sa.text("first.id = p.first_answer_id"))
        ).all()

    for row in rows:
        strong_left = anchor_is_left(row.side_seed, row.stratum, row.turn)
        assert row.swapped == (strong_left != (row.first == "minilm-coder"))


@pytest.mark.parametrize("n_wanted", [1, 2])
def test_eight_experts_at_once_never_share_a_place_and_none_holds_two_pairs(imported, clock, n_wanted):
    store = imported(24)
    names = [f"Expert {number}" for number in range(8)]
    for name in names:
        invite_expert(store, name, by="lead", now=clock())
    want(store, n_wanted)
    now = clock()

    def work(name):
        n = 0
        while task := next_task(store, name, rules=PLAIN_RULES, now=now):
            with store.connect() as connection:
                mine = ASSIGNMENTS.c.expert == name
                waiting = connection.execute(sa.select(ASSIGNMENTS.c.id).where(mine, ASSIGNMENTS.c.is_waiting)).all()
            assert len(waiting) == 1
            submit(store, Ballot(task.assignment_id, 0, Choice.BOTH_ACCEPTABLE), expert=name, now=now)
            n += 1
        return n

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(work, names))

    assert sum(done) == 24 * n_wanted
    assert {row.n_taken for row in rows_of(store, QUEUE)} == {n_wanted}
    judged = [(row.expert, row.pair_id) for row in rows_of(store, JUDGEMENTS)]
    assert len(judged) == len(set(judged)) == 24 * n_wanted


def test_two_tabs_of_one_expert_opened_at_once_get_the_same_pair(two, clock):
    now = clock()
    with ThreadPoolExecutor(8) as pool:
        tasks = list(pool.map(lambda _: next_task(two, "Dana", rules=PLAIN_RULES, now=now), range(8)))

    assert len({task.assignment_id for task in tasks}) == 1


def test_the_first_two_pages_of_an_expert_opened_at_once_give_them_one_seed(store, clock):
    with writing(store) as connection:
        ops = actor_of(connection, "ops", now=START, at_command_line=True)
        names = [add_person(connection, f"Ann {n}", by=ops, now=START).name for n in range(5)]
    with ThreadPoolExecutor(6) as pool:
        for name in names:
            list(pool.map(lambda _, name=name: enter_once(store, name, now=START), range(6)))
    with store.connect() as connection:
        seeds = connection.execute(sa.select(EXPERTS.c.name)).scalars().all()

    assert sorted(seeds) == names


def test_who_ruled_on_a_pair_is_not_offered_its_item(two, clock):
    pairs = [row.pair_id for row in rows_of(two, QUEUE)]
    ruling = {"by": "Dana", "edition": 1, "verdict": "both_acceptable", "reason": "", "error_class": "slip", "at": ""}
    with writing(two) as connection:
        rulings = [{"id": f"r{number}", "pair_id": pair, **ruling} for number, pair in enumerate(pairs[:-1])]
        connection.execute(ADJUDICATIONS.insert(), rulings)

    assert len(judge_all(two, "Dana", clock)) == 1
    assert len(judge_all(two, "Lee", clock)) == 5
