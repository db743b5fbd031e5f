import numpy as np
import pytest

from assurance.curves import apgr, cost_quality_curve
from assurance.routellm_parity import routellm_apgr, routellm_cpt, routellm_points


def as_routellm_computes(scores, weak, strong, target):
    """APGR and CPT in the words of RouteLLM 0.2.0: pandas.qcut, numpy trapezoids, numpy.interp on accuracy."""
    pandas = pytest.importorskip("pandas")
    _, thresholds = pandas.qcut(pandas.Series(scores), 10, retbins=True)
    percentages, accuracies = [], []
    for i, threshold in enumerate(thresholds):
        chosen = scores >= threshold if i != len(thresholds) - 1 else scores > threshold
        percentages.append(chosen.sum() / len(scores) * 100)
        accuracies.append(np.where(chosen, strong, weak).mean() * 100)
    table = pandas.DataFrame({"strong": percentages, "accuracy": accuracies}).sort_values(by="strong")
    low, high = weak.mean() * 100, strong.mean() * 100
    area = np.trapezoid(table["accuracy"], table["strong"] / 100)
    calls = np.interp(target * (high - low) + low, table["accuracy"], table["strong"]) / 100
    return (area - low) / (high - low), calls


@pytest.mark.parametrize("seed", range(20))
def test_figures_are_those_of_routellms_own_code(seed):
    rng = np.random.default_rng(seed)
    needed = (rng.random(72) < 0.5).astype(float)
    scores, weak = needed + 2 * rng.normal(size=72), 1 - needed

    theirs = as_routellm_computes(scores, weak, np.ones(72), 0.5)

    ours = routellm_apgr(scores, weak, np.ones(72)), routellm_cpt(scores, weak, np.ones(72), 0.5)
    assert ours == pytest.approx(theirs, abs=1e-9)


def test_eleven_points_run_from_weak_alone_to_strong_alone():
    points = routellm_points(np.arange(100.0), np.zeros(100), np.ones(100))

    assert points.share_strong == pytest.approx(np.arange(11) / 10)
    assert points.quality == pytest.approx(np.arange(11) / 10)


def test_ties_that_stop_routellm_have_an_exact_apgr():
    scores, weak = np.repeat([0.2, 0.8], 10), np.repeat([1.0, 0.0], 10)

    with pytest.raises(ValueError, match="Deciles of the scores coincide"):
        routellm_apgr(scores, weak, np.ones(20))

    assert apgr(cost_quality_curve(scores, weak, np.ones(20))) == 0.75
