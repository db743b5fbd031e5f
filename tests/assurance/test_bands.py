import numpy as np
import pytest

from assurance.bands import CPT_TARGETS, SHARES, study_curves
from assurance.bootstrap import metrics_with_intervals, paired_apgr_difference
from assurance.curves import cost_quality_curve


def rows(n=300, *, seed=0, ties=False):
    rng = np.random.default_rng(seed)
    needed = rng.random(n) < 0.4
    score = needed + rng.normal(size=n)
    other = rng.random(n)
    if ties:
        score, other = np.round(score), np.round(other, 1)
    return {"one": score, "other": other}, (np.where(needed, 0.0, 1.0), np.where(rng.random(n) < 0.1, 0.0, 1.0))


@pytest.mark.parametrize("ties", [False, True])
def test_figures_are_those_of_the_separate_functions_on_the_same_resamples(ties):
    scores, quality = rows(ties=ties)
    groups = np.arange(300) // 2

    def rng():
        return np.random.default_rng(5)

    found = study_curves(scores, quality, rng=rng(), n_resamples=400, groups=groups)

    for name, study in found.studies.items():
        separate = metrics_with_intervals(scores[name], *quality, rng=rng(), n_resamples=400, groups=groups)
        for one, key in ((study.apgr, "apgr"), (study.cpt[0.5], "cpt50"), (study.cpt[0.8], "cpt80")):
            expected = separate[key]
            assert (one.estimate, one.low, one.high) == pytest.approx((expected.estimate, expected.low, expected.high))
    gap = quality[1] - quality[0]
    paired = paired_apgr_difference(scores["one"], scores["other"], gap, rng=rng(), n_resamples=400, groups=groups)
    gain = found.better_than["other"]
    assert (gain.estimate, gain.low, gain.high) == pytest.approx((paired.estimate, paired.low, paired.high))


def test_the_band_holds_its_curve_and_ends_where_the_models_alone_vary():
    scores, quality = rows()

    band = study_curves(scores, quality, rng=np.random.default_rng(0), n_resamples=500).studies["one"].band

    curve = cost_quality_curve(scores["one"], *quality)
    assert band.quality[50] == pytest.approx(curve.quality_at(0.5), abs=1e-6)
    assert np.all(np.array(band.low) <= band.quality)
    assert np.all(np.array(band.quality) <= band.high)
    half = 1.96 * np.std(quality[1]) / np.sqrt(300)
    assert band.high[-1] - band.low[-1] == pytest.approx(2 * half, rel=0.15)


def test_without_a_gap_there_is_a_band_and_a_reason_and_no_figure():
    scores, (weak, _) = rows()

    found = study_curves(scores, (weak, weak), rng=np.random.default_rng(0), n_resamples=200)

    assert found.studies["one"].band is not None
    assert found.studies["one"].apgr is None
    assert set(found.studies["one"].cpt.values()) == {None}
    assert "no gap to recover" in found.studies["one"].why
    assert found.better_than == {"other": None}


def test_one_group_has_no_interval():
    scores, quality = rows()

    study = study_curves(scores, quality, rng=np.random.default_rng(0), groups=np.zeros(300)).studies["one"]

    assert (study.band, study.apgr, study.why) == (None, None, "one row, or one group of rows, has no interval")


@pytest.mark.validity
def test_the_band_covers_the_true_curve_at_each_share_in_95_of_100_studies():
    rng = np.random.default_rng(11)
    probability = rng.beta(2, 3, 400_000)  # the world: weak fails with this probability, strong never
    order = np.sort(probability)[::-1]
    truth = 1 - (order.sum() - np.concatenate([[0], np.cumsum(order)])) / len(order)
    true_at = truth[(SHARES * len(order)).astype(int)]
    n_studies, misses = 300, np.zeros(len(SHARES))
    for _ in range(n_studies):
        drawn = rng.choice(probability, 400)
        weak = (rng.random(400) >= drawn).astype(float)
        band = study_curves({"r": drawn}, (weak, np.ones(400)), rng=rng, n_resamples=300).studies["r"].band
        misses += (true_at < np.array(band.low) - 1e-9) | (true_at > np.array(band.high) + 1e-9)

    share = misses[10:90:10] / n_studies
    slack = 3 * np.sqrt(0.05 * 0.95 / n_studies)
    assert share.max() <= 0.05 + slack
    assert share.mean() <= 0.05 + slack / 2
    assert share.mean() >= 0.02  # and no wide ones, which would cover always


def test_targets_are_those_of_the_table():
    assert CPT_TARGETS == (0.2, 0.5, 0.8, 0.9, 0.95)
