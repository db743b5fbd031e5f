"""Block ridge: shares that labels decide, closed forms that equal brute force."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from models.block_ridge import explained_shares, fit_blocks


@pytest.fixture
def world():
    rng = np.random.default_rng(3)
    telling = rng.normal(size=(90, 4)).astype(np.float32)
    sparse = csr_array((rng.random((90, 30)) < 0.1).astype(np.float32))
    y = telling @ np.array([1.0, -1.0, 0.5, 0.0]) + 0.5 * rng.normal(size=90)
    return {"telling": telling, "sparse": sparse}, np.stack([y, -2.0 * y + 1.0], axis=1), np.repeat(np.arange(45), 2)


def dense(features):
    return features.toarray() if isinstance(features, csr_array) else features


def ridge_by_hand(blocks, y, shares, noise, rows):
    """Ridge over the concatenated blocks in the primal, with the same centring over all rows."""
    parts = []
    for name, features in blocks.items():
        centred = dense(features) - dense(features).mean(axis=0)
        parts.append(centred * np.sqrt(shares[name] / np.mean(np.sum(centred**2, axis=1))))
    X = np.hstack(parts).astype(np.float64)
    mean = y.mean()
    solution = np.linalg.solve(X[rows].T @ X[rows] + noise * np.eye(X.shape[1]), X[rows].T @ (y[rows] - mean))
    return mean + X @ solution


def test_a_fit_equals_ridge_regression_over_the_scaled_blocks(world):
    blocks, targets, groups = world

    fit = fit_blocks(blocks, targets, groups=groups, row_weights=np.ones(90))

    by_hand = ridge_by_hand(blocks, targets[:, 0], fit.shares, fit.noise, np.arange(90))
    np.testing.assert_allclose(fit.predict(blocks)[:, 0], by_hand, atol=2e-4)


def test_held_out_predictions_equal_fits_that_never_saw_the_group(world):
    blocks, targets, groups = world

    fit = fit_blocks(blocks, targets, groups=groups, row_weights=np.ones(90))

    for group in (0, 17, 44):
        rest = np.flatnonzero(groups != group)
        by_hand = ridge_by_hand(blocks, targets[:, 0], fit.shares, fit.noise, rest)
        np.testing.assert_allclose(fit.held_out[groups == group, 0], by_hand[groups == group], atol=2e-4)


def test_every_target_is_fitted_with_the_shares_of_the_first(world):
    blocks, targets, groups = world

    fit = fit_blocks(blocks, targets, groups=groups, row_weights=np.ones(90))

    np.testing.assert_allclose(fit.held_out[:, 1], 1.0 - 2.0 * fit.held_out[:, 0], atol=1e-3)


def test_a_block_that_tells_gets_the_greater_share(world):
    blocks, targets, groups = world

    fit = fit_blocks(blocks, targets, groups=groups, row_weights=np.ones(90))

    assert fit.shares["telling"] > 10 * fit.shares["sparse"]
    assert fit.noise < 0.5


def test_labels_that_are_noise_leave_nearly_all_to_noise():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 20))
    gram = (X - X.mean(0)) @ (X - X.mean(0)).T / 20

    shares, noise = explained_shares({"X": gram}, rng.normal(size=400))

    assert shares["X"] < 0.1
    assert noise == pytest.approx(1.0, abs=0.1)


def test_a_row_of_double_weight_counts_as_two_rows(world):
    blocks, targets, _ = world
    twice = np.append(np.arange(90), 0)
    doubled = {name: features[twice] for name, features in blocks.items()}
    weights = np.ones(90)
    weights[0] = 2.0

    weighted = fit_blocks(blocks, targets, groups=np.arange(90), row_weights=weights)
    repeated = fit_blocks(doubled, targets[twice], groups=np.append(np.arange(90), 0), row_weights=np.ones(91))

    np.testing.assert_allclose(weighted.predict(blocks), repeated.predict(blocks), atol=0.15)


def test_a_block_without_variation_changes_nothing(world):
    blocks, targets, groups = world
    flat = {"telling": blocks["telling"], "flat": np.ones((90, 3), np.float32)}

    fit = fit_blocks(flat, targets, groups=groups, row_weights=np.ones(90))

    assert np.isfinite(fit.predict(flat)).all()
    np.testing.assert_allclose(fit.weights["flat"], 0.0, atol=1e-6)
