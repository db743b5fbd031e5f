"""Bundles: what was saved is what decides, to the bit; anything else is refused."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.calibrator import Calibrator
from models.bundle import load_bundle, save_bundle
from models.minilm import WEIGHTS_SHA256
from tests.models.mf_bundle import (
    TEXTS,
    D,
    HashEncoder,
    adapter_of,
    facts_of,
    mf,
    router_of,
)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), adapted=st.booleans())
def test_a_loaded_bundle_gives_the_saved_routers_probabilities_to_the_bit(tmp_path_factory, seed, adapted):
    folder = tmp_path_factory.mktemp("round") / "bundle"
    base = router_of(seed)
    save_bundle(folder, facts_of(), router=mf(base, adapter_of(base) if adapted else None))
    shutil.copytree(folder, folder.with_name("copy"))

    first = load_bundle(folder, encoder=HashEncoder())
    second = load_bundle(folder.with_name("copy"), encoder=HashEncoder())

    assert np.array_equal(first.probabilities(TEXTS), second.probabilities(TEXTS))
    assert first.sha256 == second.sha256
    if not adapted:
        expected = base.score_embeddings(HashEncoder().encode(TEXTS), weak="cheap", strong="dear")
        assert first.scores(TEXTS) == pytest.approx(expected, abs=1e-6)
        assert all(
            np.array_equal(first.router.base.to_arrays()[name], array) for name, array in base.to_arrays().items()
        )


def test_probability_is_the_calibrated_score(folder):
    bundle = load_bundle(folder, encoder=HashEncoder())

    assert np.array_equal(bundle.probabilities(TEXTS), facts_of().calibrator.apply(bundle.scores(TEXTS)))


def test_a_stratum_s_own_map_travels_with_the_bundle_and_holds_for_its_queries_alone(tmp_path):
    always = Calibrator(method="platt", slope=0.0, intercept=30.0)
    calibrator = Calibrator(method="beta", slope=0.5, slope_high=2.0, strata={"oncology/high": always})
    save_bundle(tmp_path / "strata", facts_of(calibrator=calibrator), router=mf())
    bundle = load_bundle(tmp_path / "strata", encoder=HashEncoder())

    assert bundle.calibrator == calibrator
    assert bundle.probabilities(TEXTS[:1], ["oncology/high"])[0] == pytest.approx(1.0)
    plain = bundle.probabilities(TEXTS)
    assert plain.max() < 0.999
    assert np.array_equal(bundle.probabilities(TEXTS, ["another/high"] * len(TEXTS)), plain)


def test_the_adapter_changes_what_is_decided(folder, tmp_path):
    save_bundle(tmp_path / "base", facts_of(), router=mf())

    adapted = load_bundle(folder, encoder=HashEncoder()).scores(TEXTS)

    assert not np.allclose(adapted, load_bundle(tmp_path / "base", encoder=HashEncoder()).scores(TEXTS))


def test_what_was_said_comes_back(folder):
    bundle = load_bundle(folder)

    assert (bundle.name, bundle.family, bundle.weak, bundle.strong) == ("medical-coding.mf", "mf", "cheap", "dear")
    assert bundle.thresholds == {"default": 0.4, "oncology/high": None}
    assert bundle.facts == facts_of()
    assert bundle.certificate == {"n": 3}
    assert bundle.papers.verifier == {"checks": ["icd10cm"]}
    assert bundle.papers.evidence == {"apgr": 0.6}
    assert bundle.papers.card == "# Card\n"
    assert bundle.papers.seen.contains(TEXTS).tolist() == [True, False, False, False]
    assert bundle.sha256 == hashlib.sha256((folder / "MANIFEST.json").read_bytes()).hexdigest()


def test_a_bundle_holds_safetensors_json_and_a_card(folder):
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}

    assert {name for name in names if "/" not in name} == {
        "MANIFEST.json",
        "bundle.json",
        "card.md",
        "certificate.json",
        "evidence.json",
        "seen.safetensors",
        "settings.json",
        "verifier.json",
    }
    assert {name for name in names if name.startswith("router/")} == {
        "router/weights.safetensors",
        "router/models.json",
        "router/adapter/adapter_config.json",
        "router/adapter/adapter_model.safetensors",
        "router/adapter/training.json",
    }
    assert {Path(name).suffix for name in names} == {".json", ".md", ".safetensors"}


any_float = st.floats(width=32, allow_nan=True, allow_infinity=True)


class Vectors(HashEncoder):
    """The rows of an array, whatever the texts say."""

    def __init__(self, rows):
        self.rows = rows

    def encode(self, texts):
        return self.rows


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(embeddings=arrays(np.float32, st.tuples(st.integers(0, 4), st.just(D)), elements=any_float))
def test_what_cannot_be_scored_goes_to_the_strong_model(folder, embeddings):
    bundle = load_bundle(folder, encoder=Vectors(embeddings))
    texts = [""] * len(embeddings)
    finite = np.isfinite(embeddings).all(axis=1)

    probabilities = bundle.probabilities(texts)

    assert np.all((probabilities >= 0) & (probabilities <= 1))
    assert np.all(probabilities[~finite] == 1.0)
    assert np.all(np.isnan(bundle.scores(texts)[~finite]))


def test_a_sum_beyond_float_goes_to_the_strong_model(folder):
    toward_weak = -np.sign(load_bundle(folder).router.pair.vector) * np.float32(3e38)

    assert load_bundle(folder, encoder=Vectors(toward_weak[None])).probabilities([""]).tolist() == [1.0]


def test_scoring_a_loaded_bundle_imports_no_torch(tmp_path):
    base = tmp_path / "bundle"
    save_bundle(base, facts_of(encoder_sha256=WEIGHTS_SHA256), router=mf(router_of(d=384)))
    code = (
        "import sys; from pathlib import Path; from models.bundle import load_bundle;"
        f"p = load_bundle(Path({str(base)!r})).probabilities(['code this']);"
        "print(p.shape, [m for m in ('torch', 'transformers', 'peft', 'mlflow', 'sklearn') if m in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root, env=os.environ
    )

    assert done.stdout.strip() == "(1,) []"
