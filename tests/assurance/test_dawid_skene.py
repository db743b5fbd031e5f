import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from assurance.dawid_skene import NO_PRIOR, ImaginedLabels, dawid_skene
from core.errors import NotEnoughLabels

TABLES = arrays(int, st.tuples(st.integers(1, 15), st.integers(1, 4)), elements=st.integers(-1, 2)).filter(
    lambda table: (table >= 0).any()
)


def labelled(rng, n, *, accuracy, prevalence=0.3, missing=0.0):
    """Two classes, and experts who are right with their own probability."""
    truth = (rng.random(n) < prevalence).astype(int)
    right = rng.random((n, len(accuracy))) < np.asarray(accuracy)
    labels = np.where(right, truth[:, None], 1 - truth[:, None])
    return np.where(rng.random(labels.shape) < missing, -1, labels), truth


def test_a_careless_expert_is_outvoted_by_one_careful_one(rng):
    labels, _ = labelled(rng, 500, accuracy=[0.95, 0.95, 0.55])
    against = np.array([[1, -1, 0], [0, -1, 1]])

    found = dawid_skene(np.vstack([labels, against]), n_classes=2)

    assert found.posterior[-2:].argmax(axis=1).tolist() == [1, 0]
    assert found.accuracy == pytest.approx([0.95, 0.95, 0.55], abs=0.05)


def test_weighing_experts_beats_counting_them(rng):
    labels, truth = labelled(rng, 2000, accuracy=[0.95, 0.6, 0.6])

    joint = np.mean(dawid_skene(labels, n_classes=2).posterior.argmax(axis=1) == truth)
    majority = np.mean((labels.mean(axis=1) > 0.5) == truth)
    assert joint > majority + 0.05


def test_with_two_experts_and_a_rare_class_plain_em_misses_its_share_and_the_prior_does_not():
    rng = np.random.default_rng(3)
    plain, ours = [], []
    for _ in range(20):
        labels, truth = labelled(rng, 60, accuracy=[0.85, 0.75], prevalence=0.15)
        for found, kept in (
            (dawid_skene(labels, n_classes=2, imagined=NO_PRIOR), plain),
            (dawid_skene(labels, n_classes=2), ours),
        ):
            chance_of_truth = found.posterior[np.arange(60), truth]
            kept.append((-np.log(chance_of_truth).mean(), abs(found.prevalence[1] - truth.mean())))

    (plain_loss, plain_miss), (our_loss, our_miss) = np.mean(plain, axis=0), np.mean(ours, axis=0)
    assert our_loss < 0.75 * plain_loss
    assert our_miss < 0.07 < 0.15 < plain_miss


def test_with_three_experts_plain_em_is_sure_and_wrong_on_one_item_in_ten_and_the_prior_is_not():
    rng = np.random.default_rng(3)
    surely_wrong = {"plain": [], "ours": []}
    for _ in range(20):
        labels, truth = labelled(rng, 60, accuracy=[0.8, 0.7, 0.7])
        for name, imagined in (("plain", NO_PRIOR), ("ours", ImaginedLabels())):
            posterior = dawid_skene(labels, n_classes=2, imagined=imagined).posterior
            surely_wrong[name].append(np.mean(posterior[np.arange(60), truth] < 0.05))

    assert np.mean(surely_wrong["ours"]) < 0.05 < 0.1 < np.mean(surely_wrong["plain"])


@given(TABLES)
def test_every_iteration_raises_the_log_posterior_density(table):
    found = dawid_skene(table, n_classes=3)

    assert np.all(np.diff(found.log_density) > -1e-8)
    assert found.has_converged


@given(TABLES)
def test_posteriors_confusions_and_shares_are_chances(table):
    found = dawid_skene(table, n_classes=3)

    for chances in (found.posterior, found.confusion, found.prevalence):
        assert np.all(chances >= 0)
        assert chances.sum(axis=-1) == pytest.approx(1.0)
    assert np.all(found.entropy_bits <= np.log2(3) + 1e-9)


@given(TABLES, st.permutations([0, 1, 2]))
def test_the_names_of_the_classes_do_not_matter(table, order):
    renamed = np.where(table >= 0, np.array(order)[table], -1)
    first, second = dawid_skene(table, n_classes=3), dawid_skene(renamed, n_classes=3)

    assert second.posterior[:, order] == pytest.approx(first.posterior, abs=1e-4)


@given(TABLES)
def test_an_expert_without_labels_changes_nothing_and_stays_as_imagined(table):
    with_idle = np.column_stack([table, np.full(len(table), -1)])
    first, second = dawid_skene(table, n_classes=3), dawid_skene(with_idle, n_classes=3)

    assert second.posterior == pytest.approx(first.posterior, abs=1e-4)
    assert np.diag(second.confusion[-1]) == pytest.approx(0.8)


def test_an_item_without_a_label_gets_the_shares_of_the_classes(rng):
    labels, _ = labelled(rng, 200, accuracy=[0.9, 0.9])
    found = dawid_skene(np.vstack([labels, [[-1, -1]]]), n_classes=2)

    assert found.posterior[-1] == pytest.approx(found.prevalence, abs=1e-4)


def test_one_expert_s_posterior_can_be_worked_by_hand():
    # one expert, as imagined right in 8 of 10: the fixed point of a balanced table has accuracy p = (8 + n p')/(10 + n)
    found = dawid_skene(np.array([[0], [1]] * 50), n_classes=2)

    accuracy = found.accuracy[0]
    assert found.posterior[0, 0] == pytest.approx(accuracy, abs=1e-4)  # even prevalence: P(class = label) = accuracy
    assert accuracy == pytest.approx(0.8, abs=1e-3)  # and the labels say nothing of it, so it stays as imagined


def test_a_thousand_items_by_five_experts_take_less_than_half_a_second(rng):
    labels, _ = labelled(rng, 1000, accuracy=[0.9, 0.85, 0.8, 0.75, 0.6], missing=0.3)
    dawid_skene(labels[:20], n_classes=2)

    start = time.process_time()
    found = dawid_skene(labels, n_classes=2)

    assert time.process_time() - start < 0.5
    assert found.has_converged


@pytest.mark.parametrize(
    ("labels", "n_classes", "message"),
    [
        ([0, 1], 2, "1 axes"),
        ([[0, 1]], 1, "nothing to tell apart"),
        ([[0, 2]], 2, "range from 0 to 2; classes are 0 to 1"),
        ([[0, -2]], 2, "range from -2 to 0"),
    ],
)
def test_tables_that_are_none_are_refused(labels, n_classes, message):
    with pytest.raises(ValueError, match=message):
        dawid_skene(np.array(labels), n_classes=n_classes)


def test_a_table_without_labels_is_refused():
    with pytest.raises(NotEnoughLabels, match="There is no label"):
        dawid_skene(np.full((3, 2), -1), n_classes=2)


@pytest.mark.validity
@pytest.mark.parametrize("n_experts", [2, 3])
def test_posteriors_are_right_as_often_as_they_say_when_experts_come_from_the_prior(n_experts):
    rng = np.random.default_rng(101)
    repetitions = 120

    low, high = [], []
    for _ in range(repetitions):
        labels, truth = labelled(rng, 200, accuracy=rng.beta(9, 3, n_experts), prevalence=0.4)
        chance = dawid_skene(labels, n_classes=2).posterior[:, 1]
        for inside, kept in ((chance < 0.5, low), (chance >= 0.5, high)):
            kept.append(np.mean(np.where(inside, truth - chance, 0.0)))

    for off in (low, high):  # mean of truth - chance, over items on either side of one half
        assert abs(np.mean(off)) < 0.02 + 3 * np.std(off) / np.sqrt(repetitions)
