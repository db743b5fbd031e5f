"""The stage calibrate under each kind of budget, on hand-made rows."""

import numpy as np
import pytest
from pydantic import ValidationError
from safetensors.numpy import save_file

from core.errors import NotEnoughLabels
from core.records import Graded, Message, Outcome, Query
from core.settings import RunSettings
from pipeline.engine import Work
from pipeline.results import read_json, write_json
from pipeline.table import save_table, table_of
from pipeline.training import calibrate

N = 200


@pytest.fixture
def calibrated(tmp_path):
    """Runs the stage on rows whose higher scores need the strong model more often; the weak answer costs a tenth."""

    def run(*, costs=True, **threshold):
        rng = np.random.default_rng(0)
        score = rng.random(N)
        weak = (rng.random(N) > score).astype(float)
        outcomes = [
            Outcome(
                query=Query(id=f"q{i}", messages=(Message(role="user", content=f"Question {i}"),), domain="law"),
                results={
                    "cheap": Graded(quality=weak[i], cost_usd=0.001 if costs else None),
                    "dear": Graded(quality=1.0, cost_usd=0.01),
                },
            )
            for i in range(N)
        ]
        folders = {name: tmp_path / name for name in ("prepare", "split", "train", "out")}
        for folder in folders.values():
            folder.mkdir(exist_ok=True)
        save_table(table_of(outcomes), folders["prepare"])
        save_file({"component": np.arange(N)}, folders["split"] / "component.safetensors")
        write_json(folders["split"] / "parts.json", ["calibrate"] * N)
        save_file({"adapted": score, "base": score}, folders["train"] / "scores.safetensors")
        settings = settings_of(**threshold)
        calibrate(settings, Work(folders["out"], tmp_path, folders, lambda *_: None, "key"))
        return read_json(folders["out"] / "calibration.json")["adapted"], score, weak

    return run


def settings_of(**threshold):
    return RunSettings.model_validate(
        {
            "name": "budgets",
            "pair": {"weak": {"name": "cheap"}, "strong": {"name": "dear"}},
            "data": {"files": ["rows.jsonl"], "target_domains": ["law"]},
            "threshold": threshold,
        }
    )


def test_a_share_and_a_preset_keep_the_share_of_strong_calls(calibrated):
    assert calibrated(share_strong=0.25)[0]["share_strong"] == 0.25
    assert calibrated(preset="code")[0]["share_strong"] == 0.5


def test_a_cost_a_day_is_the_mean_cost_times_the_queries(calibrated):
    found, _, _ = calibrated(usd_per_day=4.6, queries_per_day=1000)

    assert found["share_strong"] == pytest.approx(0.4)  # 0.001 + 0.4 * 0.009 = 0.0046


def test_a_quality_floor_is_reached_on_the_rows_and_not_by_asking_the_strong_model_always(calibrated):
    found, score, weak = calibrated(quality_floor=0.9)
    order = np.argsort(-score)
    n_strong = round(found["share_strong"] * N)
    quality = (n_strong + weak[order[n_strong:]].sum()) / N

    assert quality >= 0.9
    assert 0.2 < found["share_strong"] < 0.9


def test_rows_without_costs_cannot_keep_a_cost(calibrated):
    with pytest.raises(NotEnoughLabels, match="200 of 200 calibration rows do not say"):
        calibrated(costs=False, usd_per_day=4.6, queries_per_day=1000)


@pytest.mark.parametrize(
    ("threshold", "words"),
    [
        ({"preset": "faq", "quality_floor": 0.9}, "preset and quality_floor each set the threshold"),
        ({"usd_per_day": 4.0}, "usd_per_day needs queries_per_day"),
        ({"preset": "poetry"}, "faq"),
    ],
)
def test_two_budgets_at_once_or_half_of_one_are_refused(threshold, words):
    with pytest.raises(ValidationError, match=words):
        settings_of(**threshold)


def test_the_parts_of_a_split_with_a_certificate_leave_test_rows():
    values = settings_of().model_dump(mode="json")
    with pytest.raises(ValidationError, match=r"train \+ calibrate \+ certify is 1, which leaves no test rows"):
        RunSettings.model_validate(values | {"split": {"train": 0.5, "calibrate": 0.25, "certify": 0.25}})
