"""A small real bundle on disk, for tests that load one."""

import numpy as np

from core.calibrator import Calibrator
from models.bundle import save_bundle
from models.bundle_facts import BundleFacts, Papers
from models.vocabulary import Vocabulary
from models.words import WordsRouter


def bundle_at(folder, *, weak="small", strong="large", **papers):
    """A real bundle that knows two words; it needs no encoder."""
    vocabulary = Vocabulary(("asthma", "femur"), np.ones(2, np.float32))
    router = WordsRouter(vocabulary, np.array([0.4, -0.4], np.float32), 0.1)
    facts = BundleFacts(
        name="demo.words",
        family="words",
        weak=weak,
        strong=strong,
        encoder=None,
        encoder_sha256=None,
        calibrator=Calibrator(method="platt", slope=1.0, intercept=0.0, n_labels=400),
        thresholds={"default": 1.0},
        settings_fingerprint="s" * 64,
        data_fingerprint="d" * 64,
        created_at="2026-11-24T00:00:00Z",
    )
    save_bundle(folder, facts, router=router, papers=Papers(**papers))
    return folder
