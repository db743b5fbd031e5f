import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.split import (
    PARTS,
    assign_parts,
    commonest_chance,
    components,
    crossing_components,
    with_certify_rows,
)

rows = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.sampled_from([None, "g1", "g2", "g3"]), st.booleans(), st.booleans()),
    min_size=1,
    max_size=40,
)


def division(rows, shares=(0.5, 0.2), seed=0):
    texts, groups, is_target, has_pair = zip(*rows, strict=True)
    component = components(texts, groups)
    parts = assign_parts(component, texts, np.array(is_target), np.array(has_pair), shares=shares, seed=seed)
    return component, parts


def test_rows_tied_through_a_third_row_stay_together():
    assert components(["a", "A!", "b", "c"], [None, "g", "g", None]).tolist() == [0, 0, 0, 3]


def test_copies_that_differ_in_case_and_punctuation_are_one_question():
    assert components(["What is it?", "what is IT"], [None, None]).tolist() == [0, 0]


@given(rows)
def test_no_group_ever_has_rows_in_two_parts(rows):
    component, parts = division(rows)

    assert crossing_components(component, parts) == 0
    assert set(parts) <= set(PARTS)


@given(rows)
def test_another_domain_s_row_tied_to_a_target_row_never_fits_the_base(rows):
    component, parts = division(rows)
    is_target = [row[2] for row in rows]
    tied = {key for key, target in zip(component, is_target, strict=True) if target}

    assert all(
        part == "left_out"
        for key, target, part in zip(component, is_target, parts, strict=True)
        if key in tied and not target
    )


@given(rows, st.integers(0, 39))
def test_removing_an_unrelated_row_moves_no_other_row(rows, which):
    which %= len(rows)
    component, parts = division(rows)
    alone = list(component).count(component[which]) == 1
    if alone and len(rows) > 1:
        kept = [row for i, row in enumerate(rows) if i != which]
        assert division(kept)[1] == tuple(part for i, part in enumerate(parts) if i != which)


def test_the_shares_are_met_on_many_groups_and_the_seed_changes_the_division():
    many = [(f"question {number}", None, True, True) for number in range(4000)]
    _, parts = division(many)
    _, others = division(many, seed=1)

    assert abs(parts.count("train") / 4000 - 0.5) < 0.03
    assert abs(parts.count("calibrate") / 4000 - 0.2) < 0.03
    assert parts != others


def test_a_leak_would_be_seen():
    assert crossing_components(np.array([0, 0, 1]), ["train", "test", "test"]) == 1


@given(rows)
def test_a_part_to_certify_is_taken_from_the_test_rows_alone(rows):
    _, without = division(rows)
    _, none_asked = division(rows, shares=(0.5, 0.2, 0.0))
    _, asked = division(rows, shares=(0.5, 0.2, 0.15))

    assert none_asked == without
    assert all(
        now == before or (before, now) == ("test", "certify") for before, now in zip(without, asked, strict=True)
    )


@given(rows, st.integers(1, 20))
def test_rows_for_the_certificate_alone_share_no_group_with_any_other_part(rows, n_alone):
    component, parts = division(rows)
    is_alone = np.arange(len(rows)) >= len(rows) - n_alone
    is_fit = np.array([row[2] and row[3] for row in rows])

    kept = with_certify_rows(parts, component, is_alone, is_fit)

    assert crossing_components(component, kept) == 0
    assert [part == "certify" for part in kept] == (is_alone & is_fit).tolist()
    untied = ~np.isin(component, component[is_alone])
    assert all(kept[i] == parts[i] for i in np.flatnonzero(untied))


def test_what_was_kept_for_audit_by_another_draw_shows_no_promise():
    chance = np.array([0.05, 0.05, 0.4, np.nan, 1.0])

    assert commonest_chance(chance, ["law"] * 4 + ["tax"]).tolist() == [True, True, False, False, True]
