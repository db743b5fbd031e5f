"""A pair's model that no other domain knows: it joins the factorization by the target's labels."""

import numpy as np
import pytest

from core.errors import NotEnoughLabels, SettingsError
from core.settings import RunSettings
from models.selection import ranking_gain
from pipeline.labels import Labels
from pipeline.mf_fitting import adapt_mf, fit_mf_base

DIRECTIONS = {"old": (0.0, 0.0), "other": (1.0, -1.0), "third": (-1.0, 1.0), "new": (2.0, 0.5)}


def settings_of(**data):
    return RunSettings.model_validate(
        {
            "name": "w",
            "pair": {"weak": {"name": "old"}, "strong": {"name": "new"}},
            "data": {"files": ["x.jsonl"], "target_domains": ["t"], **data},
            "adaptation": {"max_epochs": 30},
        }
    )


def rows_of(n, *, knows, seed):
    """Rows in which a model's chance to be right follows a direction of its own in the first two numbers."""
    rng = np.random.default_rng(seed)
    embeddings = rng.normal(size=(n, 6)).astype(np.float32)
    quality = np.full((n, len(DIRECTIONS)), np.nan)
    for j, (name, direction) in enumerate(DIRECTIONS.items()):
        if name in knows:
            quality[:, j] = rng.random(n) < 1 / (1 + np.exp(-embeddings[:, :2] @ np.array(direction)))
    texts = [str(i) for i in range(n)]
    return Labels(texts, embeddings, quality, tuple(DIRECTIONS), (None,) * n, np.ones(n), np.arange(n))


def test_a_model_that_nobody_knew_joins_by_its_labels():
    settings = settings_of()
    base = fit_mf_base(rows_of(2000, knows={"old", "other", "third"}, seed=0), settings)
    target = rows_of(400, knows=set(DIRECTIONS), seed=1)
    adapted = adapt_mf(base, target, settings, lambda what, done, total: None)
    unseen = rows_of(3000, knows=set(DIRECTIONS), seed=2)

    assert base.newcomers == ("new",)
    assert np.isfinite(base.score(unseen.queries)).all()
    truth = unseen.embeddings[:, :2] @ np.array(DIRECTIONS["new"])
    assert np.corrcoef(adapted.score(unseen.queries), truth)[0, 1] > 0.85
    assert ranking_gain(adapted.score(unseen.queries), unseen.gap("old", "new")) > 0
    assert adapted.base.model_names == (*base.base.model_names[:-1], "new")


def test_a_stand_in_that_is_named_takes_the_newcomers_place():
    base = fit_mf_base(rows_of(500, knows={"old", "other", "third"}, seed=0), settings_of(base_strong="other"))

    assert base.newcomers == ()
    new, other = (base.base.index_of(name) for name in ("new", "other"))
    assert np.array_equal(base.base.model_vectors[new], base.base.model_vectors[other])


def test_a_newcomer_that_nothing_compares_with_known_models_asks_for_a_stand_in():
    settings = settings_of()
    base = fit_mf_base(rows_of(500, knows={"other", "third"}, seed=0), settings)

    with pytest.raises(NotEnoughLabels, match=r"do not know .old., and too few .* Set data\.base_weak"):
        adapt_mf(base, rows_of(200, knows={"old", "new"}, seed=1), settings, lambda what, done, total: None)


def test_a_stand_in_that_no_row_knows_is_refused_with_those_that_rows_know():
    rows = rows_of(100, knows={"old", "other"}, seed=0)

    with pytest.raises(SettingsError, match=r"data\.base_strong is 'nobody', .* know old, other\. Name one of these"):
        fit_mf_base(rows, settings_of(base_strong="nobody"))


def test_a_base_of_one_model_is_refused_with_what_is_missing():
    with pytest.raises(NotEnoughLabels, match=r"other domains know old, .* Add outcomes of two models there"):
        fit_mf_base(rows_of(100, knows={"old"}, seed=0), settings_of())
