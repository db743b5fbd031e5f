import numpy as np
import pytest

from assurance.planning import auroc_of
from assurance.signal_stack import fit_signal_stack
from core.calibrator import sigmoid
from core.errors import NotEnoughLabels


def world(n, rng, *, missing=0.0):
    """Wrong answers, and signals of them: `second` and `router` tell, `samples` does not, `classifier` misleads."""
    wrong = rng.random(n) < 0.3
    lean = np.where(wrong, 1.0, -1.0)
    columns = {
        "second": sigmoid(lean + rng.normal(size=n)),
        "router": sigmoid(0.5 * lean + rng.normal(size=n)),
        "samples": rng.random(n),
        "classifier": sigmoid(-0.5 * lean + rng.normal(size=n)),
        "length": sigmoid(-0.5 * lean + rng.normal(size=n)),
    }
    if missing:
        columns["second"] = np.where(rng.random(n) < missing, np.nan, columns["second"])
    return columns, wrong


def weights_of(stack):
    return {one.name: one.weight for one in stack.signals}


def test_a_signal_that_misleads_has_no_weight_and_length_may_lower():
    columns, wrong = world(2000, np.random.default_rng(0))

    found = weights_of(fit_signal_stack(columns, wrong).stack)

    assert found["classifier"] == 0.0
    assert found["length"] < -0.1
    assert found["second"] > found["router"] > 0.1


def test_the_stack_ranks_wrong_answers_better_than_any_of_its_signals():
    rng = np.random.default_rng(1)
    columns, wrong = world(1000, rng)
    fresh, fresh_wrong = world(4000, rng)
    fitted = fit_signal_stack(columns, wrong)

    stacked = auroc_of(fitted.stack.apply(fresh), fresh_wrong)

    assert stacked > max(auroc_of(fresh[name], fresh_wrong) for name in ("second", "router")) + 0.02
    assert fitted.auroc == pytest.approx(stacked, abs=0.04)


def test_more_doubt_never_means_less_suspicion():
    columns, wrong = world(500, np.random.default_rng(2))
    stack = fit_signal_stack(columns, wrong).stack
    middle = {name: np.full(5, 0.5) for name in columns}
    rising = np.array([0.0, 0.2, 0.5, 0.9, 1.0])

    for name in ("second", "router", "samples", "classifier"):
        assert np.all(np.diff(stack.apply(middle | {name: rising})) >= 0)


def test_what_a_missing_signal_means_is_learned_where_it_was_missing_often_enough():
    columns, wrong = world(1000, np.random.default_rng(3), missing=0.2)
    stack = fit_signal_stack(columns, wrong).stack
    gone = {name: np.array([0.5]) for name in columns} | {"second": np.array([np.nan])}

    assert np.isfinite(stack.apply(gone)).all()
    assert np.isnan(stack.apply(gone | {"router": np.array([np.nan])})).all()


def test_a_signal_missing_where_answers_are_wrong_raises_suspicion_by_its_absence():
    rng = np.random.default_rng(4)
    columns, wrong = world(1000, rng)
    columns["second"] = np.where(wrong & (rng.random(1000) < 0.5), np.nan, columns["second"])
    stack = fit_signal_stack(columns, wrong).stack
    shown = {name: np.array([0.5, 0.5]) for name in columns} | {"second": np.array([0.5, np.nan])}

    with_it, without = stack.apply(shown)
    assert without > with_it + 0.2


def test_equal_rows_give_equal_weights():
    columns, wrong = world(300, np.random.default_rng(5))

    assert fit_signal_stack(columns, wrong, seed=3).stack == fit_signal_stack(columns, wrong, seed=3).stack


def test_held_out_suspicion_never_saw_its_group():
    rng = np.random.default_rng(6)
    wrong = np.repeat(rng.random(100) < 0.5, 2)
    columns = {"second": rng.random(200)}  # says nothing; a row's twin would tell all
    fitted = fit_signal_stack(columns, wrong, groups=np.repeat(np.arange(100), 2))

    assert 0.35 < auroc_of(fitted.held_out, wrong) < 0.65


@pytest.mark.parametrize(("n", "n_wrong"), [(49, 20), (100, 9), (100, 91)])
def test_too_few_labels_fit_nothing(n, n_wrong):
    wrong = np.arange(n) < n_wrong

    with pytest.raises(NotEnoughLabels, match=f"{n} labelled answers, {n_wrong} of them wrong"):
        fit_signal_stack({"second": np.linspace(0, 1, n)}, wrong)


def test_an_unknown_signal_is_named():
    with pytest.raises(ValueError, match=r"'gut' is no signal\. The signals are: router"):
        fit_signal_stack({"gut": np.zeros(100)}, np.arange(100) < 50)


def test_columns_of_another_length_are_refused():
    with pytest.raises(ValueError, match="there are 100 labels"):
        fit_signal_stack({"second": np.zeros(99)}, np.arange(100) < 50)


@pytest.mark.validity
def test_suspicion_means_what_it_says_over_repeated_fits():
    """The mean suspicion of fresh answers in each fifth is the share that is wrong, up to 3 standard errors."""
    rng = np.random.default_rng(7)
    predicted, observed = [], []
    for _ in range(40):
        columns, wrong = world(400, rng, missing=0.2)
        fresh, fresh_wrong = world(2000, rng, missing=0.2)
        suspicion = fit_signal_stack(columns, wrong).stack.apply(fresh)
        fifth = np.argsort(suspicion).reshape(5, -1)
        predicted.append(suspicion[fifth].mean(axis=1))
        observed.append(fresh_wrong[fifth].mean(axis=1))

    off = np.array(predicted) - np.array(observed)
    error = off.std(axis=0) / np.sqrt(len(off))
    assert np.all(np.abs(off.mean(axis=0)) < 3 * error + 0.02)
