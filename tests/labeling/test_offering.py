from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from labeling.judging.ballots import Ballot, Choice
from labeling.judging.submitting import submit
from labeling.queueing.experts import invite_expert
from labeling.queueing.offering import OfferRules, next_task
from labeling.queueing.sides import BLOCK, anchor_is_left
from labeling.tables import ASSIGNMENTS, EXPERTS


def judge_all(store, expert, clock):
    shown = []
    while task := next_task(store, expert, rules=PLAIN_RULES, now=clock()):
        shown.append(task)
        submit(store, Ballot(task.assignment_id, 0, Choice.BOTH_ACCEPTABLE), expert=expert, now=clock())
    return shown


@pytest.fixture
def two(imported, clock):
    store = imported(6)
    for name in ("Dana", "Lee"):
        invite_expert(store, name, by="lead", now=clock())
    return store


def test_a_reload_shows_the_same_pair_on_the_same_sides(two, clock):
    assert next_task(two, "Dana", now=clock()) == next_task(two, "Dana", now=clock())


def test_two_experts_do_not_judge_the_same_pair_unless_asked_to(two, clock):
    dana, lee = next_task(two, "Dana", now=clock()), next_task(two, "Lee", now=clock())

    assert dana.query.id != lee.query.id
    assert len(judge_all(two, "Dana", clock)) == 5
    assert len(judge_all(two, "Lee", clock)) == 1


def test_with_an_overlap_of_two_each_pair_is_judged_twice(two, clock):
    invite_expert(two, "Kim", by="lead", now=clock())

    assert [
        len(
            judge_all(
                two,
                name,
                clock,
            )
        )
        for name in ("Dana", "Lee", "Kim")
    ] == [6, 6, 0]


def test_a_pair_that_someone_left_lying_goes_to_another(two, clock):
    left_lying = next_task(two, "Dana", now=clock())
    clock.skip(OfferRules().lease + timedelta(seconds=5))

    assert left_lying.query.id in {task.query.id for task in judge_all(two, "Lee", clock)}


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


def test_an_access_token_opens_one_session(two, clock):
    token = invite_expert(two, "Dana", by="lead", now=clock())

    assert redeem(two, token, now=clock()) is not None
    assert redeem(two, token, now=clock()) is None


def test_a_new_access_token_voids_the_one_before_and_keeps_the_expert(two, clock):
    def identity():
        with two.connect() as connection:
            return connection.execute(
                sa.select(EXPERTS.c.pseudonym, EXPERTS.c.side_seed).where(EXPERTS.c.name == "Dana")
            ).one()

    before = identity()
    old = invite_expert(two, "Dana", by="lead", now=clock())
    new = invite_expert(two, " Dana ", by="lead", now=clock())

    assert redeem(two, old, now=clock()) is None
    assert redeem(two, new, now=clock()) is not None
    assert identity() == before


def test_an_access_token_expires(two, clock):
    token = invite_expert(two, "Dana", by="lead", now=clock())
    clock.skip(TOKEN_LIFETIME)

    assert redeem(two, token, now=clock()) is None
