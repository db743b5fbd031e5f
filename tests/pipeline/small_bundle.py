"""A bundle whose ranking means nothing, for tests of what is done with bundles."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from models.bundle import BundleFacts, Papers, save_bundle
from models.encoders import EncoderSpec, load_encoder
from models.matrix_factorization import MatrixFactorization
from models.mf_router import MfRouter
from models.seen import seen_texts


def small_bundle(folder: Path, *, name: str, pair: tuple[str, str], seen: Sequence[str] | None) -> Path:
    """A bundle in the new folder `folder`, made from the questions `seen`; None: it does not remember them."""
    encoder, rng = load_encoder(EncoderSpec()), np.random.default_rng(0)
    router = MatrixFactorization(
        model_names=pair,
        model_vectors=rng.normal(size=(2, 3)),
        model_biases=np.zeros(2),
        text_projection=rng.normal(size=(3, encoder.dimension)),
        text_bias=np.zeros(3),
        classifier=np.ones(3),
        center=np.zeros(encoder.dimension),
        scale=1.0,
    )
    facts = BundleFacts(
        name=name,
        weak=pair[0],
        strong=pair[1],
        encoder=EncoderSpec(),
        encoder_sha256=encoder.sha256,
        thresholds={"default": 0.5},
        settings_fingerprint="s" * 64,
        data_fingerprint="d" * 64,
        created_at=datetime(2026, 11, 24, tzinfo=UTC),
    )
    remembered = None if seen is None else seen_texts(seen, key=bytes(32))
    save_bundle(folder, facts, router=MfRouter(router, *pair), papers=Papers(seen=remembered))
    return folder
