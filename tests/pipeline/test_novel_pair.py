import numpy as np
import pytest

from assurance.association import auroc_interval
from assurance.certificates import Rows
from core.certificate_settings import CertificateSettings
from core.errors import NotEnoughLabels
from pipeline.novel_pair import check_novel_pair


def verdict(n=400, separation=1.5, harm=0.2, *, groups=None):
    rng = np.random.default_rng(4)
    harmful = rng.random(n) < harm
    score = 1 / (1 + np.exp(-(rng.normal(size=n) + separation * harmful)))
    rows = Rows(score, np.where(harmful, 0.0, 1.0), np.ones(n))
    groups = np.arange(n) if groups is None else groups
    return check_novel_pair(
        rows, ("tiny", "huge"), groups=groups, terms=CertificateSettings(), rng=np.random.default_rng(0)
    )


def test_a_score_that_ranks_the_new_pair_s_harm_may_be_calibrated_anew_with_labels_enough():
    found = verdict()

    assert (found.is_allowed, found.labels_needed) == (True, 183)  # ln(0.025) / ln(0.98)
    assert found.auroc.low > 0.5
    assert "set pair to tiny and huge and router.bundle to this one, and calibrate and certify" in found.sentence


def test_a_score_at_chance_is_refused_however_many_labels_there_are():
    found = verdict(n=3000, separation=0.0)

    assert not found.is_allowed
    assert "do not rank this pair's harm" in found.sentence


def test_too_few_labels_are_refused_and_groups_count_once():
    assert "collect 83 more" in verdict(n=100).sentence
    assert verdict(n=400, groups=np.arange(400) // 4).n_labels == 100
    assert not verdict(n=400, groups=np.arange(400) // 4).is_allowed


def test_without_harm_nothing_can_be_said():
    found = verdict(harm=0.0)

    assert (found.is_allowed, found.auroc, found.n_harmful) == (False, None, 0)
    with pytest.raises(NotEnoughLabels, match="too few for an interval"):
        auroc_interval(np.arange(50.0) / 50, np.arange(50) == 3, rng=np.random.default_rng(0))


@pytest.mark.validity
def test_a_coin_is_taken_for_a_ranking_score_in_no_more_than_one_study_of_forty():
    rng = np.random.default_rng(8)
    repeats = 120
    wrong = sum(
        auroc_interval(rng.random(200), rng.random(200) < 0.2, rng=rng, n_resamples=200).low > 0.5
        for _ in range(repeats)
    )

    assert wrong / repeats <= 0.025 + 3 * np.sqrt(0.025 * 0.975 / repeats)
