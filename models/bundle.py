"""The bundle: one folder that decides, of safetensors and JSON alone. Written once, checked byte by byte when loaded.

    bundle.json          who decides what: pair, encoder and its hash, calibrator, thresholds, status, fingerprints
    router.safetensors   the base router's weights
    adapter/             the LoRA update in PEFT's files, merged when loaded (optional)
    certificate.json     the evidence for a promise (optional)
    verifier.json        the policy of the recheck (optional)
    evidence.json        what the run measured on unseen rows, for the promotion gates (optional)
    settings.json        the settings of the run that made it
    card.md              what a person should know
    MANIFEST.json        hash and size of every other file; its own hash names the bundle

Holds no code and no pickle; loading it needs no torch where the encoder needs none.
"""

import json
import math
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from core.calibrator import Calibrator, sigmoid
from core.errors import BundleError
from models.adaptation import LoraAdapter, load_adapter, merge, save_adapter
from models.bundle_facts import BundleFacts, Papers
from models.bundle_files import bundle_sha256
from models.encoders import Encoder, load_encoder
from models.manifest import read_folder, write_folder
from models.matrix_factorization import MatrixFactorization, PairScorer

__all__ = ["Bundle", "BundleFacts", "Papers", "load_bundle", "save_bundle"]


@dataclass(frozen=True, eq=False)
class Bundle:
    """A loaded bundle: texts in, calibrated probabilities that the strong model is needed out.

    Safe to share between threads. What cannot be scored (a number that is not finite on the way) has probability 1.0:
    it goes to the strong model.
    """

    folder: Path
    sha256: str
    facts: BundleFacts
    papers: Papers
    router: MatrixFactorization
    """The router with the adapter merged in."""
    scorer: PairScorer
    _encoder: "_OnFirstUse"

    @property
    def name(self) -> str:
        """The registered name that it was made for."""
        return self.facts.name

    @property
    def family(self) -> str:
        """The kind of router: `mf`."""
        return self.facts.family

    @property
    def weak(self) -> str:
        """Name of the weak model."""
        return self.facts.weak

    @property
    def strong(self) -> str:
        """Name of the strong model."""
        return self.facts.strong

    @property
    def calibrator(self) -> Calibrator:
        """Raw score to probability."""
        return self.facts.calibrator

    @property
    def thresholds(self) -> Mapping[str, float | None]:
        """Threshold per stratum, and `default`; None means always strong."""
        return self.facts.thresholds

    @property
    def certificate(self) -> Mapping[str, Any] | None:
        """The evidence for a promise, where there is one."""
        return self.papers.certificate

    @property
    def encoder(self) -> Encoder:
        """The encoder, loaded when first asked for and checked against the bundle's hash.

        Raises:
            BundleError: its weights are missing, or are not those that the router was trained with.
        """
        return self._encoder.get()

    def probabilities(self, texts: Sequence[str]) -> Float[np.ndarray, " n"]:
        """P(strong needed) per text; 1.0 where a score is not finite."""
        return self.probabilities_of_embeddings(self.encoder.encode(texts))

    def scores(self, texts: Sequence[str]) -> Float[np.ndarray, " n"]:
        """The router's own score per text, not calibrated; NaN where it is not finite."""
        return self.scores_of_embeddings(self.encoder.encode(texts))

    def probabilities_of_embeddings(self, embeddings: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """P(strong needed) per row of ready embeddings; 1.0 where a score is not finite."""
        probabilities = self.calibrator.apply(self.scores_of_embeddings(embeddings))
        return np.where(np.isfinite(probabilities), probabilities, 1.0)

    def scores_of_embeddings(self, embeddings: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """The router's own score per row of ready embeddings; NaN where its logit is not finite."""
        with np.errstate(over="ignore", invalid="ignore"):
            logits = np.asarray(embeddings, dtype=np.float32) @ self.scorer.vector
        logits = logits.astype(np.float64) + self.scorer.intercept
        return np.where(np.isfinite(logits), sigmoid(logits), np.nan)

    def probability_of_embedding(self, embedding: Float[np.ndarray, " d"]) -> float:
        """P(strong needed) of one ready float32 embedding: one dot product, no batch built; 1.0 if not finite."""
        with np.errstate(over="ignore", invalid="ignore"):
            logit = float(self.scorer.vector.dot(embedding)) + self.scorer.intercept
        if not math.isfinite(logit):
            return 1.0
        score = 0.5 + 0.5 * math.tanh(0.5 * logit)
        probability = float(self.calibrator.apply(np.array([score]))[0])
        return probability if math.isfinite(probability) else 1.0


def save_bundle(
    folder: Path,
    facts: BundleFacts,
    *,
    router: MatrixFactorization,
    adapter: LoraAdapter | None = None,
    papers: Papers | None = None,
) -> str:
    """Write a bundle to a new folder, complete or not at all; its SHA-256.

    Args:
        folder: must not exist.
        facts: what bundle.json says.
        router: the base router; the adapter is stored beside it and merged at each load.
        adapter: the LoRA update of `router`.
        papers: settings, card, certificate, verifier policy.

    Raises:
        BundleError: the folder exists, the router does not know the pair, the adapter belongs to another base, or the
            status is `certified` without a certificate.
    """
    papers = papers or Papers()
    merged = merge(router, adapter) if adapter else router
    merged.collapse(facts.weak, facts.strong)
    _check_status(facts, papers)
    about = {
        **facts.model_dump(mode="json"),
        "router_models": list(router.model_names),
        "preceptor_version": installed_version("preceptor"),
    }
    arrays = {name: np.ascontiguousarray(array, dtype=np.float64) for name, array in router.to_arrays().items()}
    files = {
        "bundle.json": _json(about),
        "router.safetensors": safetensors.save(arrays),
        "settings.json": _json(papers.settings),
        "card.md": papers.card.encode(),
    }
    if papers.certificate is not None:
        files["certificate.json"] = _json(papers.certificate)
    if papers.verifier is not None:
        files["verifier.json"] = _json(papers.verifier)
    if papers.evidence is not None:
        files["evidence.json"] = _json(papers.evidence)
    if adapter is not None:
        with tempfile.TemporaryDirectory() as name:
            save_adapter(adapter, Path(name))
            files |= {f"adapter/{path.name}": path.read_bytes() for path in sorted(Path(name).iterdir())}
    write_folder(folder, files)
    return bundle_sha256(folder)


def load_bundle(folder: Path, *, encoder: Encoder | None = None, n_threads: int = 1) -> Bundle:
    """The bundle in `folder`, every byte checked against its manifest.

    Args:
        folder: what `save_bundle` wrote, or the registry fetched.
        encoder: one that is loaded already, to be shared; else it is loaded on first use.
        n_threads: CPU threads of an encoder that is loaded here.

    Raises:
        BundleError: it is no bundle, was altered, is of another format, holds what may be code, its router does not
            know its pair, or `encoder` is another than the one it was trained with.
    """
    sha256 = bundle_sha256(folder)
    files = read_folder(folder)
    if bundle_sha256(folder) != sha256:
        raise BundleError(f"The bundle {folder} was replaced while it was read. Load it again.")
    try:
        about = json.loads(files["bundle.json"])
        model_names = tuple(about.pop("router_models"))
        about.pop("preceptor_version")
        facts = BundleFacts.model_validate(about)
        papers = Papers(
            settings=json.loads(files["settings.json"]),
            card=files["card.md"].decode(),
            certificate=_optional(files, "certificate.json"),
            verifier=_optional(files, "verifier.json"),
            evidence=_optional(files, "evidence.json"),
        )
        arrays = safetensors.load(files["router.safetensors"])
    except (KeyError, TypeError, ValueError, SafetensorError) as error:
        raise BundleError(
            f"The bundle {folder} is whole, but it does not read as format 1 ({error!r}). "
            "It was written by other means than `preceptor run`; run that again."
        ) from error
    _check_status(facts, papers)
    router = MatrixFactorization.from_arrays(model_names, arrays)
    if any(name.startswith("adapter/") for name in files):
        router = merge(router, load_adapter(folder / "adapter"))
    scorer = router.collapse(facts.weak, facts.strong)
    on_first_use = _OnFirstUse(facts, dimension=router.dimension, n_threads=n_threads, encoder=encoder)
    return Bundle(folder, sha256, facts, papers, router, scorer, on_first_use)


class _OnFirstUse:
    """The bundle's encoder, loaded once by whichever thread asks first."""

    def __init__(self, facts: BundleFacts, *, dimension: int, n_threads: int, encoder: Encoder | None) -> None:
        self._facts, self._dimension, self._n_threads = facts, dimension, n_threads
        self._lock = threading.Lock()
        self._encoder = None if encoder is None else self._checked(encoder)

    def get(self) -> Encoder:
        with self._lock:
            if self._encoder is None:
                self._encoder = self._checked(load_encoder(self._facts.encoder, n_threads=self._n_threads))
            return self._encoder

    def _checked(self, encoder: Encoder) -> Encoder:
        if encoder.sha256 != self._facts.encoder_sha256:
            raise BundleError(
                f"The bundle '{self._facts.name}' was trained with encoder {self._facts.encoder_sha256[:12]}; "
                f"'{encoder.spec.name}' here is {encoder.sha256[:12]}. Install that encoder, or train with this one."
            )
        needs = (self._facts.encoder.max_tokens, self._dimension)
        if (encoder.spec.max_tokens, encoder.dimension) != needs:
            raise BundleError(
                f"The bundle '{self._facts.name}' needs an encoder of (max_tokens, dimension) {needs}; this one has "
                f"{(encoder.spec.max_tokens, encoder.dimension)}. Load the encoder by the bundle's own spec."
            )
        return encoder


def _check_status(facts: BundleFacts, papers: Papers) -> None:
    if facts.status == "certified" and not papers.certificate:
        raise BundleError(
            f"The bundle '{facts.name}' says it is certified and holds no certificate. "
            "Set its status to not_certified, or add the certificate."
        )


def _optional(files: Mapping[str, bytes], name: str) -> dict[str, Any] | None:
    return json.loads(files[name]) if name in files else None


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()
