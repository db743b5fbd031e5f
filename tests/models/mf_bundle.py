"""A small bundle of matrix factorization, as tests save, load and tamper with it."""

import hashlib
import json
from datetime import UTC, datetime

import numpy as np
import pytest

from core.calibrator import Calibrator
from core.fingerprint import canonical_json, of_text
from models.adaptation import LoraAdapter
from models.bundle import save_bundle
from models.bundle_facts import BundleFacts, Papers
from models.encoders import EncoderSpec
from models.matrix_factorization import MatrixFactorization
from models.mf_router import MfRouter
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
