import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from assurance.agreement import agreement

LABELS = arrays(int, st.tuples(st.integers(1, 12), st.integers(2, 4)), elements=st.integers(-1, 3))


def test_krippendorffs_published_example_has_alpha_743():
    observers = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, -1, -1, -1],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, -1, 3],
        [-1, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, -1],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, -1],
    ]

    assert round(agreement(np.array(observers).T).alpha, 3) == 0.743


def test_krippendorffs_two_observer_example_has_alpha_692():
    observers = ["aabbdcccedda", "babbbccceddd"]  # section B of the same paper
    codes = [[ord(label) - ord("a") for label in observer] for observer in observers]

    assert round(agreement(np.array(codes).T).alpha, 3) == 0.692


def test_two_experts_who_always_agree_have_alpha_one():
    found = agreement(np.array([[0, 0], [1, 1], [2, 2]]))

    assert (found.raw, found.alpha) == (1.0, 1.0)


def test_raw_agreement_is_the_chance_that_two_labels_of_one_item_are_equal():
    assert agreement(np.array([[0, 0, 1], [1, 1, -1]])).raw == pytest.approx((1 / 3 + 1) / 2)


@given(LABELS, st.randoms(use_true_random=False))
def test_the_order_of_experts_and_the_names_of_labels_do_not_matter(labels, random):
    columns = list(range(labels.shape[1]))
    random.shuffle(columns)
    renamed = np.where(labels >= 0, 10 - labels, -1)
    first, second = agreement(labels), agreement(renamed[:, columns])

    assert (first.n_items, first.n_labels, first.reason) == (second.n_items, second.n_labels, second.reason)
    assert first.raw == pytest.approx(second.raw) if first.raw is not None else second.raw is None
    assert first.alpha == pytest.approx(second.alpha) if first.alpha is not None else second.alpha is None


@given(LABELS)
def test_items_that_one_expert_judged_change_nothing(labels):
    alone = np.full((3, labels.shape[1]), -1)
    alone[:, 0] = [0, 1, 2]

    assert agreement(np.vstack([labels, alone])) == agreement(labels)


@given(LABELS)
def test_alpha_never_exceeds_one(labels):
    found = agreement(labels)
    assume(found.alpha is not None)

    assert found.alpha <= 1.0


@pytest.mark.parametrize("labels", [np.full((3, 2), -1), np.array([[0, -1], [-1, 1]]), np.zeros((0, 2), dtype=int)])
def test_without_an_item_judged_twice_agreement_is_undefined_and_says_why(labels):
    found = agreement(labels)

    assert (found.raw, found.alpha, found.n_items) == (None, None, 0)
    assert "No item was judged by two experts" in found.reason


def test_one_label_everywhere_leaves_alpha_undefined_and_says_why():
    found = agreement(np.zeros((5, 2), dtype=int))

    assert (found.raw, found.alpha) == (1.0, None)
    assert "Every label is the same" in found.reason


def test_a_list_of_labels_is_not_a_table():
    with pytest.raises(ValueError, match="items by experts"):
        agreement(np.array([0, 1]))
