"""Steps are random samples of nearly equal size; passes waste little; processes get equally many."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import SettingsError
from models.training.batches import epoch_steps, micro_batches, n_steps_of, padding_efficiency, scoring_batches

some_lengths = st.lists(st.integers(1, 60), min_size=1, max_size=80).map(np.array)


def lognormal_lengths(n, seed=0):
    return np.clip(np.random.default_rng(seed).lognormal(np.log(70), 0.8, n), 4, 512).astype(int)


def counted(shares):
    return sorted(row for share in shares for batch in share if batch.counts for row in batch.rows.tolist())


@given(some_lengths, st.integers(1, 200), st.integers(0, 5))
def test_every_row_is_in_exactly_one_step_of_an_epoch(lengths, tokens_per_step, epoch):
    steps = epoch_steps(lengths, tokens_per_step=tokens_per_step, seed=3, epoch=epoch)

    assert sorted(np.concatenate(steps).tolist()) == list(range(len(lengths)))
    assert len(steps) <= n_steps_of(lengths, tokens_per_step)


def test_steps_hold_their_budget_give_or_take_one_text():
    lengths = lognormal_lengths(3000)

    sizes = [lengths[step].sum() for step in epoch_steps(lengths, tokens_per_step=4096, seed=0, epoch=0)]

    assert max(sizes) <= 4096 + 512
    assert min(sizes) >= 4096 - 2 * 512


def test_an_epoch_has_one_order_for_a_seed_and_another_for_another_epoch_or_seed():
    lengths = lognormal_lengths(200)

    def order(seed, epoch):
        return np.concatenate(epoch_steps(lengths, tokens_per_step=1000, seed=seed, epoch=epoch)).tolist()

    assert order(0, 0) == order(0, 0)
    assert order(0, 0) != order(0, 1)
    assert order(0, 0) != order(1, 0)


def test_a_steps_lengths_are_those_of_the_whole_set_not_of_one_sort():
    lengths = lognormal_lengths(20_000)

    means = np.array([lengths[step].mean() for step in epoch_steps(lengths, tokens_per_step=8192, seed=0, epoch=0)])

    # Means of about 85 random lengths spread by sd / sqrt(85); length-sorted steps would spread by sd itself.
    assert means.std() < 1.3 * lengths.std() / np.sqrt(8192 / lengths.mean())


@settings(max_examples=60)
@given(some_lengths, st.integers(60, 400), st.integers(1, 5), st.sampled_from([0, 16, 64, 1024]))
def test_passes_hold_every_row_once_fit_the_memory_and_are_equally_many(lengths, at_once, n_processes, pass_cost):
    rows = np.arange(len(lengths))

    shares = micro_batches(rows, lengths, tokens_at_once=at_once, n_processes=n_processes, pass_cost=pass_cost)

    assert counted(shares) == list(range(len(lengths)))
    assert len({len(share) for share in shares}) == 1
    assert max(len(b.rows) * lengths[b.rows].max() for share in shares for b in share) <= at_once


def test_less_memory_means_more_passes_over_the_same_rows():
    lengths = np.full(8, 10)

    one = micro_batches(np.arange(8), lengths, tokens_at_once=80)
    four = micro_batches(np.arange(8), lengths, tokens_at_once=20)

    assert [len(share) for share in (one[0], four[0])] == [1, 4]
    assert counted(one) == counted(four)


def test_a_step_of_one_text_gives_the_second_process_a_copy_that_counts_nothing():
    first, second = micro_batches(np.array([5]), np.full(9, 7), tokens_at_once=50, n_processes=2)

    assert [(b.rows.tolist(), b.counts) for b in first] == [([5], True)]
    assert [(b.rows.tolist(), b.counts) for b in second] == [([5], False)]


def test_passes_that_run_together_in_two_processes_are_of_similar_size():
    lengths = lognormal_lengths(200)

    shares = micro_batches(np.arange(200), lengths, tokens_at_once=4096, n_processes=2)

    sizes = np.array([[len(b.rows) * lengths[b.rows].max() for b in share] for share in shares])
    assert sizes.max(axis=0).sum() <= 1.1 * sizes.mean(axis=0).sum()


def test_a_text_that_does_not_fit_is_refused_with_both_numbers():
    with pytest.raises(SettingsError, match=r"A text has 90 tokens and tokens_at_once is 64\. Raise tokens_at_once"):
        micro_batches(np.array([0, 1]), np.array([90, 3]), tokens_at_once=64)


@pytest.mark.parametrize("n_rows", [300, 3000])
@pytest.mark.parametrize("n_processes", [1, 2, 4])
def test_nine_tenths_of_the_tokens_computed_are_real(n_rows, n_processes):
    lengths = lognormal_lengths(n_rows, seed=7)
    passes = [
        batch.rows
        for epoch in range(2)
        for rows in epoch_steps(lengths, tokens_per_step=4096, seed=0, epoch=epoch)
        for share in micro_batches(rows, lengths, tokens_at_once=4096, n_processes=n_processes)
        for batch in share
    ]

    assert padding_efficiency(lengths, passes) >= 0.90


def test_scoring_reads_every_row_once_and_wastes_little():
    lengths = lognormal_lengths(1000)

    passes = [passes[0] for passes in scoring_batches(lengths, tokens_at_once=4096)]

    assert sorted(np.concatenate([b.rows for b in passes]).tolist()) == list(range(1000))
    assert padding_efficiency(lengths, [b.rows for b in passes]) >= 0.95
