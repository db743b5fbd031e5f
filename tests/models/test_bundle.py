"""Bundles: what was saved is what decides, to the bit; anything else is refused."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError

from core.calibrator import Calibrator
from core.errors import BundleError
from core.fingerprint import canonical_json, of_text
from models.adaptation import LoraAdapter
from models.bundle import load_bundle, save_bundle
from models.bundle_facts import BundleFacts, Papers
from models.encoders import EncoderSpec
from models.matrix_factorization import MatrixFactorization
from models.mf_router import MfRouter
from models.minilm import WEIGHTS_SHA256
from models.seen import seen_texts

D, K = 6, 3
TEXTS = ["code this", "and that", "", "a longer text about a fracture"]


class HashEncoder:
    """A real encoder of a kind: a unit vector made of the text's hash."""

    spec = EncoderSpec()
    sha256 = "e" * 64
    dimension = D
    n_truncated = 0

    def encode(self, texts):
        rows = [list(hashlib.sha256(text.encode()).digest()[:D]) for text in texts]
        vectors = np.array(rows, dtype=np.float32).reshape(-1, D) + 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class WithOther(HashEncoder):
    """The same, but for some attributes."""

    def __init__(self, **attributes):
        for name, value in attributes.items():
            setattr(self, name, value)


def router_of(seed=0, d=D):
    rng = np.random.default_rng(seed)
    return MatrixFactorization(
        model_names=("cheap", "dear", "other"),
        model_vectors=rng.normal(size=(3, K)),
        model_biases=rng.normal(size=3),
        text_projection=rng.normal(size=(K, d)),
        text_bias=rng.normal(size=K),
        classifier=rng.normal(size=K),
        center=rng.normal(size=d),
        scale=1.7,
    )


def mf(base=None, adapter=None, weak="cheap", strong="dear"):
    return MfRouter(router_of() if base is None else base, weak, strong, adapter)


def adapter_of(base):
    rng = np.random.default_rng(1)
    prefix = "base_model.model."
    shapes = {
        f"{prefix}text_projection.lora_A.weight": (2, D),
        f"{prefix}text_projection.lora_B.weight": (K, 2),
        f"{prefix}text_projection.base_layer.bias": (K,),
        f"{prefix}classifier.lora_A.weight": (2, K),
        f"{prefix}classifier.lora_B.weight": (1, 2),
    }
    tensors = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 4.0, "use_rslora": True}
    return LoraAdapter(tensors, config, base.sha256, 1.0, 5, 200, ((0, 0.1), (5, 0.2)))


def facts_of(**changes):
    facts = {
        "name": "medical-coding.mf",
        "weak": "cheap",
        "strong": "dear",
        "encoder": EncoderSpec(),
        "encoder_sha256": "e" * 64,
        "calibrator": Calibrator(method="platt", slope=1.3, intercept=-0.2, n_labels=400),
        "thresholds": {"default": 0.4, "oncology/high": None},
        "settings_fingerprint": "s" * 64,
        "data_fingerprint": "d" * 64,
        "created_at": datetime(2026, 11, 24, tzinfo=UTC),
    }
    return BundleFacts(**{**facts, **changes})


@pytest.fixture
def folder(tmp_path):
    base = router_of()
    papers = Papers(
        settings={"name": "demo"},
        card="# Card\n",
        certificate={"n": 3},
        evidence={"apgr": 0.6},
        verifier={"checks": ["icd10cm"]},
        seen=seen_texts(["code this"], key=bytes(32)),
    )
    save_bundle(tmp_path / "bundle", facts_of(), router=mf(base, adapter_of(base)), papers=papers)
    return tmp_path / "bundle"


def remanifest(folder, **changes):
    """What someone would do who changes a bundle on purpose: a manifest that agrees with itself."""
    path = folder / "MANIFEST.json"
    says = json.loads(path.read_text())
    del says["sha256"]
    says |= changes
    for name in says["files"]:
        content = (folder / name).read_bytes()
        says["files"][name] = {"sha256": hashlib.sha256(content).hexdigest(), "n_bytes": len(content)}
    says["sha256"] = of_text(canonical_json(says))
    path.write_text(json.dumps(says, indent=1, sort_keys=True) + "\n")


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


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_single_changed_byte_is_refused(folder, data):
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    path = folder / data.draw(st.sampled_from(names))
    whole = path.read_bytes()
    altered = bytearray(whole)
    altered[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(altered)

    try:
        with pytest.raises(BundleError, match="altered"):
            load_bundle(folder)
    finally:
        path.write_bytes(whole)
    load_bundle(folder)


def test_every_byte_of_the_manifest_counts(folder):
    path = folder / "MANIFEST.json"
    whole = path.read_bytes()

    for i in range(len(whole)):
        path.write_bytes(whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1 :])
        with pytest.raises(BundleError, match="altered"):
            load_bundle(folder)


def test_a_folder_without_a_manifest_is_no_bundle(folder):
    (folder / "MANIFEST.json").unlink()

    with pytest.raises(BundleError, match=r"holds no MANIFEST\.json, so it is no bundle"):
        load_bundle(folder)


@pytest.mark.parametrize(
    "name", ["bundle.json", "router/weights.safetensors", "router/adapter/adapter_config.json", "card.md"]
)
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()

    with pytest.raises(BundleError, match=f"lacks {name}"):
        load_bundle(folder)


def test_an_extra_file_is_named(folder):
    (folder / "notes.json").write_text("{}")

    with pytest.raises(BundleError, match=r"does not list: notes\.json"):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["router.pkl", "router.pt", "pytorch_model.bin", "router/hook.py", "weights.npy"])
def test_what_may_hold_code_is_refused_even_when_the_manifest_lists_it(folder, name):
    (folder / name).write_bytes(b"code")
    remanifest(folder, files=json.loads((folder / "MANIFEST.json").read_text())["files"] | {name: {}})

    with pytest.raises(BundleError, match=f"holds {name}; a bundle holds data alone"):
        load_bundle(folder)


def test_a_link_is_refused(folder):
    shutil.move(folder / "card.md", folder.parent / "card.md")
    (folder / "card.md").symlink_to(folder.parent / "card.md")

    with pytest.raises(BundleError, match="no links"):
        load_bundle(folder)


def test_what_mlflow_writes_beside_a_bundle_is_no_matter(folder):
    for name in ("MLmodel", "registered_model_meta"):
        (folder / name).write_text("written by MLflow")

    assert load_bundle(folder).weak == "cheap"


def test_a_newer_format_names_the_release_that_reads_it(folder):
    remanifest(folder, format_version=2, readable_since="0.7.0")

    with pytest.raises(BundleError, match=r"of format 2; .*pip install 'preceptor>=0\.7\.0'"):
        load_bundle(folder)


def test_a_bundle_for_a_pair_its_router_does_not_know_is_refused_when_saved_and_when_loaded(folder, tmp_path):
    with pytest.raises(BundleError, match="does not know a model named 'unheard-of'"):
        save_bundle(tmp_path / "new", facts_of(strong="unheard-of"), router=mf())
    about = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps({**about, "strong": "unheard-of"}))
    remanifest(folder)

    with pytest.raises(BundleError, match="does not know a model named 'unheard-of'"):
        load_bundle(folder)


def test_a_whole_bundle_with_foreign_facts_is_refused(folder):
    (folder / "bundle.json").write_text("{}")
    remanifest(folder)

    with pytest.raises(BundleError, match="does not read as format 1"):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("encoder", "says"),
    [
        (WithOther(sha256="f" * 64), "was trained with encoder eeeeeeeeeeee; 'minilm' here is ffffffffffff"),
        (WithOther(dimension=7), "needs an encoder of"),
        (WithOther(spec=EncoderSpec(max_tokens=8)), "needs an encoder of"),
    ],
)
def test_another_encoder_is_refused(folder, encoder, says):
    with pytest.raises(BundleError, match=says):
        load_bundle(folder, encoder=encoder)


def test_the_encoder_is_checked_when_it_is_loaded_late(folder):
    bundle = load_bundle(folder)

    with pytest.raises(BundleError, match="was trained with encoder eeeeeeeeeeee"):
        bundle.probabilities(["x"])


def test_an_adapter_of_another_base_is_refused(tmp_path):
    with pytest.raises(BundleError, match="belongs to base"):
        save_bundle(tmp_path / "b", facts_of(), router=mf(router_of(0), adapter_of(router_of(1))))

    assert list(tmp_path.iterdir()) == []


def test_a_bundle_is_never_overwritten(folder):
    before = (folder / "MANIFEST.json").read_bytes()

    with pytest.raises(BundleError, match="never overwritten"):
        save_bundle(folder, facts_of(), router=mf(router_of(5)))

    assert (folder / "MANIFEST.json").read_bytes() == before


def test_a_save_that_dies_leaves_no_bundle(tmp_path, monkeypatch):
    def full_disk(fd):
        raise OSError("No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)

    with pytest.raises(OSError, match="No space"):
        save_bundle(tmp_path / "bundle", facts_of(), router=mf())
    assert list(tmp_path.iterdir()) == []


def test_a_router_that_reads_vectors_needs_an_encoder(tmp_path):
    with pytest.raises(BundleError, match="reads vectors and the bundle names no encoder"):
        save_bundle(tmp_path / "b", facts_of(encoder=None, encoder_sha256=None), router=mf())


def test_an_unknown_family_names_the_known_ones(tmp_path):
    with pytest.raises(BundleError, match=r"no family of routers named 'oracle' in this release; it knows .*mf"):
        save_bundle(tmp_path / "b", facts_of(family="oracle"), router=mf())


def test_certified_without_a_certificate_is_refused(tmp_path):
    with pytest.raises(BundleError, match="holds no certificate"):
        save_bundle(tmp_path / "b", facts_of(status="certified"), router=mf())


@pytest.mark.parametrize(
    "changes",
    [
        {"thresholds": {"oncology": 0.2}},
        {"thresholds": {"default": float("nan")}},
        {"thresholds": {"default": 1.5}},
        {"calibrator": Calibrator(method="platt", intercept=float("inf"))},
        {"created_at": datetime(2026, 11, 24)},
    ],
)
def test_facts_that_cannot_decide_are_refused(changes):
    with pytest.raises(ValidationError):
        facts_of(**changes)


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
