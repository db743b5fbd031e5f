import random
from datetime import UTC, datetime

import numpy as np
import pytest

from core.records import Judgement, Verdict
from labeling.quality.consensus import consensus_of, consensus_table
from labeling.quality.rulings import ErrorClass, Ruling

AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
FIRST, SECOND, BOTH, NEITHER, CANNOT = Verdict


def said(pair, expert, verdict, **fields):
    fields.setdefault("reason", "why")
    return Judgement(id=f"{pair}/{expert}", pair_id=pair, expert=expert, verdict=verdict, at=AT, **fields)


def ruling(pair, verdict, **fields):
    marks = {"first_acceptable": None, "second_acceptable": None, **fields}
    return Ruling(
        id=f"ruling of {pair}",
        pair_id=pair,
        edition=0,
        by="sam",
        verdict=verdict,
        reason="why",
        error_class=ErrorClass.SLIP,
        guideline_version=None,
        at=AT.isoformat(),
        **marks,
    )


def agreeing(n, experts=("ann", "bob")):
    """Pairs on which these experts agree, first and second better in turn, sides in turn."""
    return [
        said(f"agreed {k:03}", expert, (FIRST, SECOND)[k % 2], swapped=bool((k // 2 + j) % 2))
        for k in range(n)
        for j, expert in enumerate(experts)
    ]


def test_one_judgement_is_the_consensus_of_its_pair():
    table = consensus_table([said("p", "ann", FIRST, second_acceptable=True)], {})

    assert (table["p"].method, table["p"].verdict, table["p"].n_experts) == ("single", FIRST, 1)
    assert (table["p"].first_quality, table["p"].second_quality) == (1.0, 1.0)
    assert table["p"].p_first_better is None


def test_two_like_experts_who_differ_have_no_verdict():
    judgements = [*agreeing(20), said("p", "ann", FIRST), said("p", "bob", SECOND, swapped=True)]
    found = consensus_table(judgements, {})["p"]

    assert (found.method, found.verdict) == ("rater_model", None)
    assert found.share == pytest.approx(0.5, abs=0.03)
    assert found.entropy_bits > 0.9


def test_two_of_three_like_experts_have_a_verdict():
    judgements = [
        *agreeing(20, ("ann", "bob", "cid")),
        said("p", "ann", BOTH),
        said("p", "bob", BOTH),
        said("p", "cid", NEITHER),
    ]
    found = consensus_table(judgements, {})["p"]

    assert found.verdict is BOTH
    assert found.first_quality > 0.5


def test_a_reliable_expert_outweighs_a_careless_one():
    rng = np.random.default_rng(3)
    judgements = [
        *(
            said(f"k{k:03}", expert, (FIRST, SECOND)[k % 2], swapped=bool(k % 3 % 2))
            for k in range(80)
            for expert in "abc"
        ),
        *(said(f"k{k:03}", "careless", (FIRST, SECOND)[rng.integers(2)], swapped=bool(k % 2)) for k in range(80)),
        said("p", "a", FIRST),
        said("p", "careless", SECOND),
    ]
    found = consensus_table(judgements, {})["p"]

    assert consensus_of([one for one in judgements if one.pair_id == "p"]).verdict is None
    assert found.verdict is FIRST
    assert found.p_first_better > 0.8
    assert found.first_quality > 0.8 > 0.2 > found.second_quality


def test_agreement_of_many_leaves_little_doubt():
    found = consensus_table(agreeing(40, ("ann", "bob", "cid")), {})["agreed 000"]

    assert found.verdict is FIRST
    assert found.p_first_better > 0.9
    assert found.entropy_bits < 0.5
    assert found.first_quality > 0.95 > 0.05 > found.second_quality


def test_a_ruling_stands_above_the_experts():
    judgements = [said("p", "ann", FIRST), said("p", "bob", FIRST)]
    found = consensus_table(judgements, {"p": ruling("p", SECOND, first_acceptable=True, second_acceptable=True)})["p"]

    assert (found.method, found.verdict, found.share, found.n_experts) == ("ruling", SECOND, 1.0, 2)
    assert (found.first_quality, found.second_quality) == (1.0, 1.0)


def test_a_pair_that_nobody_can_judge_is_left_out():
    assert consensus_table([said("p", "ann", CANNOT)], {}) == {}
    assert consensus_table([said("p", "ann", FIRST)], {"p": ruling("p", CANNOT)}) == {}
    assert consensus_table([], {}) == {}


def test_the_order_in_which_judgements_come_makes_no_difference():
    judgements = [*agreeing(30), *(said(f"x{k}", expert, BOTH) for k in range(5) for expert in ("ann", "cid"))]
    shuffled = list(judgements)
    random.Random(5).shuffle(shuffled)

    table = consensus_table(judgements, {})
    assert consensus_table(shuffled, {}) == table
    assert list(table) == sorted(table)


def test_cannot_judge_counts_for_nothing_beside_others():
    found = consensus_table([said("p", "ann", FIRST), said("p", "bob", CANNOT)], {})["p"]

    assert (found.method, found.n_experts) == ("single", 1)
