"""Bundles for the gateway's benchmarks: a matrix factorization of RouteLLM's size before a real encoder.

The weights are drawn from a seed: how well it routes is measured elsewhere, what it costs is the same.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

RANK, N_MODELS = 128, 64
"""Width and number of models of RouteLLM's factorization."""

Encoder = Literal["static", "minilm"]


def make_bundle(folder: Path, encoder: Encoder, *, threshold: float = 1.0, seed: int = 0) -> Path:
    """A bundle for the pair `weak-model`, `strong-model`, at `folder`.

    Args:
        folder: does not exist yet.
        encoder: a static table distilled from MiniLM (once, about half a minute; kept in the user's cache), or MiniLM
            through ONNX.
        threshold: 1 sends nearly all to the weak model, 0 all to the strong one.
        seed: of the weights; bundles of two seeds have two hashes.
    """
    import numpy as np

    from core.calibrator import Calibrator
    from models.bundle import save_bundle
    from models.bundle_facts import BundleFacts
    from models.encoders import EncoderSpec, load_encoder
    from models.matrix_factorization import MatrixFactorization
    from models.mf_router import MfRouter

    spec = EncoderSpec(name=str(_static_table()), runtime="static") if encoder == "static" else EncoderSpec()
    loaded = load_encoder(spec)
    rng = np.random.default_rng(seed)
    names = ("weak-model", "strong-model", *(f"model-{number}" for number in range(2, N_MODELS)))
    base = MatrixFactorization(
        model_names=names,
        model_vectors=rng.normal(size=(N_MODELS, RANK)),
        model_biases=rng.normal(size=N_MODELS),
        text_projection=rng.normal(size=(RANK, loaded.dimension)) / 10,
        text_bias=rng.normal(size=RANK) / 10,
        classifier=rng.normal(size=RANK) / 10,
        center=np.zeros(loaded.dimension),
        scale=1.0,
    )
    facts = BundleFacts(
        name="benchmark.mf",
        weak="weak-model",
        strong="strong-model",
        encoder=spec,
        encoder_sha256=loaded.sha256,
        calibrator=Calibrator(method="platt", slope=0.1, intercept=0.0, n_labels=400),
        thresholds={"default": threshold},
        settings_fingerprint="0" * 64,
        data_fingerprint="0" * 64,
        created_at=datetime(2026, 11, 24, tzinfo=UTC),
    )
    save_bundle(folder, facts, router=MfRouter(base, "weak-model", "strong-model", None))
    return folder


def _static_table() -> Path:
    from models.encoders import EncoderSpec, cache_folder
    from models.static_encoder import distill_static

    folder = cache_folder() / "benchmarks" / "static-minilm"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        distill_static(EncoderSpec(runtime="torch"), folder)
    return folder


if __name__ == "__main__":  # in a process of its own: torch stays out of the one that measures
    import argparse

    parser = argparse.ArgumentParser(description="Make a bundle for the gateway's benchmarks.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--encoder", choices=("static", "minilm"), default="static")
    parser.add_argument("--threshold", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    make_bundle(asked.folder, asked.encoder, threshold=asked.threshold, seed=asked.seed)
