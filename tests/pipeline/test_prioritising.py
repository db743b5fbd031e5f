"""What the routers say about waiting queries, from bundle folders to the signals in the store."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from core.errors import PreceptorError
from core.items import ITEMS
from core.settings import load_settings
from core.signals import read_signals
from core.store import create_tables, open_store
from models.bundle import BundleFacts, load_bundle, save_bundle
from models.encoders import EncoderSpec, load_encoder
from models.matrix_factorization import MatrixFactorization
from models.mf_router import MfRouter
from pipeline.prioritising import disagreement, novelty, prioritise
from pipeline.queue_commands import prioritise as prioritise_command

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
TEXTS = {"a": "Injury by bread, first visit", "b": "Gout of the left ankle", "held": "Never to be read"}


@pytest.fixture(scope="module")
def encoder():
    return load_encoder(EncoderSpec())


@pytest.fixture
def make_bundle(tmp_path, encoder):
    def make(seed, thresholds):
        rng = np.random.default_rng(seed)
        router = MatrixFactorization(
            model_names=("cheap", "dear"),
            model_vectors=rng.normal(size=(2, 3)),
            model_biases=np.zeros(2),
            text_projection=rng.normal(size=(3, encoder.dimension)),
            text_bias=np.zeros(3),
            classifier=np.ones(3),
            center=np.zeros(encoder.dimension),
            scale=1.0,
        )
        facts = BundleFacts(
            name=f"router-{seed}",
            weak="cheap",
            strong="dear",
            encoder=EncoderSpec(),
            encoder_sha256=encoder.sha256,
            thresholds=thresholds,
            settings_fingerprint="0" * 64,
            data_fingerprint="1" * 64,
            created_at=NOW,
        )
        folder = tmp_path / f"bundle-{seed}"
        save_bundle(folder, facts, router=MfRouter(router, "cheap", "dear"))
        return folder

    return make


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rows = [
        {"id": "1", "query": "Injury by bread, first visit", "domain": "coding", "results": {"cheap": 1, "dear": 1}},
        {"id": "2", "query": "A poem on rain", "domain": "general", "results": {"cheap": 1, "dear": 1}},
    ]
    (tmp_path / "outcomes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = {
        "name": "small",
        "store_url": f"sqlite:///{tmp_path / 'store.db'}",
        "pair": {"weak": {"name": "cheap"}, "strong": {"name": "dear"}},
        "data": {"files": [str(tmp_path / "outcomes.jsonl")], "target_domains": ["coding"]},
        "mlflow": {"tracking_uri": "sqlite:///never-opened.db"},
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(settings))
    return tmp_path / "run.yaml"


def wait(config, texts):
    """Put queries into the store of the settings."""
    engine = open_store(load_settings(config).store_url)
    create_tables(engine)
    with engine.begin() as connection:
        for id_, text in texts.items():
            row = {"id": id_, "messages": json.dumps([{"role": "user", "content": text}]), "domain": "coding"}
            state = {"stakes": "low", "phi_state": "held" if id_ == "held" else "clean", "data_class": "synthetic"}
            connection.execute(ITEMS.insert().values(**row, **state, imported_at=NOW.isoformat()))
    return engine


def signals_in(engine):
    with engine.connect() as connection:
        found = read_signals(connection)
    engine.dispose()
    return found


def test_signals_hold_the_bundles_probability_and_the_stratums_threshold_and_skip_held_queries(config, make_bundle):
    engine = wait(config, TEXTS)
    folder = make_bundle(1, {"default": 0.3, "coding/low": 0.4})
    written = prioritise(load_settings(config), reference=str(folder), also=(), now=NOW)
    found = signals_in(engine)
    expected = load_bundle(folder).probabilities([TEXTS["a"], TEXTS["b"]])

    assert (written.n_queries, set(found)) == (2, {"a", "b"})
    assert [found[id_].probability for id_ in "ab"] == pytest.approx(expected.tolist())
    assert {one.threshold for one in found.values()} == {0.4}
    assert {one.disagreement for one in found.values()} == {None}
    assert "--also" in written.remarks[0]


def test_novelty_is_none_for_a_query_that_is_labelled_and_more_for_one_that_is_unlike_all(config, make_bundle):
    engine = wait(config, TEXTS)
    prioritise(load_settings(config), reference=str(make_bundle(1, {"default": 0.3})), also=(), now=NOW)
    found = signals_in(engine)

    assert found["a"].novelty == pytest.approx(0.0, abs=1e-5)
    assert 0.3 < found["b"].novelty <= 1.0


def test_two_bundles_give_a_disagreement_and_no_threshold_puts_the_band_at_one_half(config, make_bundle):
    engine = wait(config, TEXTS)
    one, other = make_bundle(1, {"default": None}), make_bundle(2, {"default": 0.3})
    words = [str(config), "--bundle", str(one), "--also", str(other), "--json"]
    said = CliRunner().invoke(prioritise_command, words, catch_exceptions=False)
    found = signals_in(engine)
    both = np.stack([load_bundle(folder).probabilities([TEXTS["a"]]) for folder in (one, other)])

    assert json.loads(said.stdout)["n_queries"] == 2
    assert found["a"].disagreement == pytest.approx(float(disagreement(both)[0]))
    assert found["a"].threshold == 0.5


def test_an_empty_store_says_what_to_import(config, make_bundle):
    with pytest.raises(PreceptorError, match="preceptor label import"):
        prioritise(load_settings(config), reference="nowhere", also=(), now=NOW)


def test_novelty_does_not_depend_on_how_many_are_compared_at_a_time():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(30, 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)

    assert novelty(vectors[:20], vectors[15:], rows_at_once=3) == pytest.approx(novelty(vectors[:20], vectors[15:]))
    assert novelty(vectors[15:20], vectors[15:]) == pytest.approx(np.zeros(5), abs=1e-12)
