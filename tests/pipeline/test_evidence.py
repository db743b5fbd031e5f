import json

import numpy as np

from core.settings import RunSettings
from pipeline.evidence import Measured, agreement_behind, slices_of
from tests.pipeline.test_certifying import rows_of


def test_agreement_is_read_from_the_frozen_dataset_beside_the_rows_and_missing_elsewhere(tmp_path):
    version, plain, broken = (tmp_path / name for name in ("v3", "plain", "broken"))
    for folder in (version, plain, broken):
        folder.mkdir()
    overall = {
        "stratum": None,
        "n_items": 240,
        "raw": "0.82",
        "alpha": "0.710 [0.640, 0.780]",
        "ac1": "0.75",
        "note": "",
    }
    manifest = {"about": {"agreement": [overall, overall | {"stratum": "law/high", "alpha": "0.5 [0.1, 0.8]"}]}}
    (version / "MANIFEST.json").write_text(json.dumps(manifest))
    (broken / "MANIFEST.json").write_text("[]")

    assert agreement_behind((version / "outcomes.jsonl", version / "audit.jsonl")) == (
        "0.710 [0.640, 0.780] alpha, 240 pairs of v3",
    )
    assert agreement_behind((plain / "rows.jsonl", broken / "rows.jsonl")) == ()


def test_each_stratum_of_the_test_rows_is_compared_with_the_base_where_its_rows_allow_it():
    rows = rows_of(100, n_harmful=40)
    needed = np.arange(100) >= 60
    settings = RunSettings.model_validate(
        {
            "name": "slices",
            "pair": {"weak": {"name": "cheap"}, "strong": {"name": "dear"}},
            "data": {"files": ["rows.jsonl"], "target_domains": ["law"]},
            "evaluation": {"n_resamples": 200},
        }
    )
    rng = np.random.default_rng(0)

    def slices(test):
        scores = {"adapted": needed[test] + rng.random(len(test)), "base": rng.random(len(test))}
        return slices_of(settings, Measured(rows, test, scores))

    (enough,) = slices(np.arange(100))
    assert (enough.stratum, enough.n) == ("law/high", 100)
    assert enough.better_than_base.low > 0
    assert slices(np.arange(29))[0].better_than_base is None  # too few
    assert slices(np.arange(60))[0].better_than_base is None  # no row where the strong model is better
