"""The calibrator that settings ask for: its map, its strata, its intervals, and what each does when a query comes."""

import numpy as np
import pytest

from core.calibration_settings import CalibrationSettings
from core.calibrator import Calibrator, sigmoid
from pipeline.training import calibrator_for


@pytest.fixture
def labels():
    """400 labels of two strata that lie three logits apart, none with a score between 0.4 and 0.6."""
    rng = np.random.default_rng(6)
    scores = np.where(rng.random(400) < 0.5, rng.uniform(0, 0.4, 400), rng.uniform(0.6, 1, 400))
    strata = ["law/high" if i % 2 else "tax/high" for i in range(400)]
    shift = np.array([1.5 if stratum == "law/high" else -1.5 for stratum in strata])
    return scores, rng.random(400) < sigmoid(8 * scores - 4 + shift), strata


def test_by_default_strata_have_their_maps_and_intervals_decide_nothing(labels):
    found = calibrator_for(CalibrationSettings(), *labels)

    assert (found.method, set(found.strata), found.widest) == ("beta", {"law/high", "tax/high"}, None)
    law, tax = found.apply(np.array([0.5, 0.5]), ["law/high", "tax/high"])
    assert law > 0.7 > 0.3 > tax
    assert found.intervals is not None


def test_one_map_for_all_where_settings_say_so(labels):
    found = calibrator_for(CalibrationSettings(per_stratum=False, method="platt"), *labels)

    assert (found.method, found.strata) == ("platt", {})


def test_queries_of_which_too_little_is_known_go_to_the_strong_model_whatever_their_stratum(labels):
    found = calibrator_for(CalibrationSettings(widest_interval=0.2), *labels)
    asked, strata = np.array([0.2, 0.5, 0.5, 0.8]), ["tax/high", "tax/high", None, "tax/high"]
    low, high = found.intervals.at(asked)

    assert found.apply(asked, strata)[[1, 2]].tolist() == [1.0, 1.0]
    assert np.array_equal(found.apply(asked, strata) == 1.0, high - low > 0.2)
    assert found.apply(asked, strata)[[0, 3]].max() < 1.0


def test_what_decides_survives_the_bundle_s_json(labels):
    found = calibrator_for(CalibrationSettings(widest_interval=0.2), *labels)

    assert Calibrator.model_validate_json(found.model_dump_json()) == found
