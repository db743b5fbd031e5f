"""The bundle: one folder that decides, of safetensors and JSON alone. Written once, checked byte by byte when loaded.

    bundle.json          who decides what: family, pair, encoder and its hash, calibrator, thresholds, fingerprints
    router/              the router's own files (see `models.families`)
    certificate.json     the evidence for a promise (optional)
    verifier.json        the policy of the recheck (optional)
    verifier/            the classifier of (question, weak answer) (optional; see `models.suspicion`)
    evidence.json        what the run measured on unseen rows, for the promotion gates (optional)
    seen.safetensors     keyed hashes of the questions it was made from, so that evaluation can warn (optional)
    settings.json        the settings of the run that made it
    card.md              what a person should know
    MANIFEST.json        hash and size of every other file; its own hash names the bundle

Holds no code and no pickle; loading it needs no torch where the encoder needs none.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from core.calibrator import Calibrator
from core.errors import BundleError
from core.records import Stakes
from models.bundle_facts import BundleFacts, Papers
from models.bundle_files import bundle_sha256
from models.certificate_check import check_certificate
from models.encoder_on_first_use import EncoderOnFirstUse, Wanted
from models.encoders import Encoder
from models.families import Reading, as_json, files_of, router_from
from models.file_tree import below, within
from models.manifest import FORMAT_VERSION, read_folder, write_folder
from models.router import Queries, Router
from models.seen import SeenTexts
from models.suspicion import CANNOT_SCORE, Suspicion, suspicion_facts, suspicion_from

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
    router: Router
    suspicion: Suspicion | None
    """The classifier of (question, weak answer), where the run trained one."""
    _encoder: EncoderOnFirstUse

    @property
    def name(self) -> str:
        """The registered name that it was made for."""
        return self.facts.name

    @property
    def family(self) -> str:
        """The kind of router, such as `mf`."""
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

    def probabilities(self, texts: Sequence[str], strata: Sequence[str | None] = ()) -> Float[np.ndarray, " n"]:
        """P(strong needed) per text; 1.0 where it cannot be scored.

        Args:
            texts: the queries' texts.
            strata: the stratum of each, None where not known; empty: of none. Some strata have a map of their own.
        """
        probabilities = self.calibrator.apply(self.scores(texts), strata)
        return np.where(np.isfinite(probabilities), probabilities, 1.0)

    def scores(self, texts: Sequence[str]) -> Float[np.ndarray, " n"]:
        """The router's own score per text, not calibrated; NaN where it cannot be scored."""
        return self.router.score(Queries(texts, lambda texts: self.encoder.encode(texts)))

    def suspicions(self, pairs: Sequence[tuple[str, str]]) -> Float[np.ndarray, " n"]:
        """P(the weak answer is not acceptable) per (question, answer); 1.0 where it cannot be scored, or never is."""
        return np.full(len(pairs), CANNOT_SCORE) if self.suspicion is None else self.suspicion.of(pairs)

    def tau(self, stratum: str) -> float | None:
        """The suspicion above which a weak answer of the stratum does not leave; None: it is not asked there.

        A certificate's own threshold holds in the strata that it tried; elsewhere the one that the run set, but not at
        low stakes, where an answer leaves unchecked.
        """
        if self.suspicion is None:
            return None
        tried = {one["stratum"]: one.get("tau") for one in (self.certificate or {}).get("strata", ())}
        if stratum in tried:
            tau: float | None = tried[stratum]
            return tau
        return None if stratum.endswith(f"/{Stakes.LOW}") else self.suspicion.facts.tau


def save_bundle(
    folder: Path,
    facts: BundleFacts,
    *,
    router: Router,
    papers: Papers | None = None,
    suspicion: Suspicion | None = None,
) -> str:
    """Write a bundle to a new folder, complete or not at all; its SHA-256.

    Args:
        folder: must not exist.
        facts: what bundle.json says.
        router: what scores; it must read back from its own files.
        papers: settings, card, certificate, verifier policy.
        suspicion: the classifier of (question, weak answer), where there is one.

    Raises:
        BundleError: the folder exists, the router does not know the pair or is of another family than the facts say,
            a router that reads vectors comes without an encoder, the status is `certified` without a certificate, or
            the certificate is about something else.
    """
    papers = papers or Papers()
    own = files_of(router)
    _check(facts, papers, router_from(facts.family, own, Reading(facts.weak, facts.strong)))
    doubting = {} if suspicion is None else suspicion.to_files()
    check_certificate(facts, papers, own, doubting)
    about = {**facts.model_dump(mode="json"), "preceptor_version": installed_version("preceptor")}
    files = {
        "bundle.json": as_json(about),
        **below(own, "router"),
        **below(doubting, "verifier"),
        "settings.json": as_json(papers.settings),
        "card.md": papers.card.encode(),
    }
    for name in _OPTIONAL:
        if (paper := getattr(papers, name)) is not None:
            files[f"{name}.json"] = as_json(paper)
    if papers.seen is not None:
        files["seen.safetensors"] = papers.seen.to_bytes()
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
            know its pair, `encoder` is another than the one it was trained with, or its certificate is about
            something else.
    """
    sha256 = bundle_sha256(folder)
    files = read_folder(folder)
    if bundle_sha256(folder) != sha256:
        raise BundleError(f"The bundle {folder} was replaced while it was read. Load it again.")
    try:
        about = json.loads(files["bundle.json"])
        about.pop("preceptor_version")
        facts = BundleFacts.model_validate(about)
        papers = Papers(
            settings=json.loads(files["settings.json"]),
            card=files["card.md"].decode(),
            **{name: json.loads(files[f"{name}.json"]) for name in _OPTIONAL if f"{name}.json" in files},
            seen=SeenTexts.from_bytes(files["seen.safetensors"]) if "seen.safetensors" in files else None,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(
            f"The bundle {folder} is whole, but it does not read as format {FORMAT_VERSION} ({error!r}). "
            "It was written by other means than `preceptor run`; run that again."
        ) from error
    router = router_from(facts.family, within(files, "router"), Reading(facts.weak, facts.strong, n_threads))
    _check(facts, papers, router)
    doubting = within(files, "verifier")
    check_certificate(facts, papers, within(files, "router"), doubting)
    wanted = Wanted(facts.name, facts.encoder, facts.encoder_sha256, router.dimension)
    on_first_use = EncoderOnFirstUse(wanted, n_threads=n_threads, encoder=encoder)
    suspicion = _suspicion(facts, doubting, wanted, on_first_use, n_threads=n_threads) if doubting else None
    return Bundle(folder, sha256, facts, papers, router, suspicion, on_first_use)


_OPTIONAL = ("certificate", "verifier", "evidence")
"""Papers that a bundle may lack."""


def _suspicion(
    facts: BundleFacts,
    files: Mapping[str, bytes],
    routers: Wanted,
    shared: EncoderOnFirstUse,
    *,
    n_threads: int,
) -> Suspicion:
    """The classifier in the part verifier/; it shares the router's encoder where it reads the same one."""
    own = suspicion_facts(files)
    if own.encoder is None or (own.encoder, own.encoder_sha256) != (routers.spec, routers.sha256):
        loaded = EncoderOnFirstUse(Wanted(facts.name, own.encoder, own.encoder_sha256, None), n_threads=n_threads)
    else:
        loaded = shared
    return suspicion_from(files, Reading(facts.weak, facts.strong, n_threads), loaded.get)


def _check(facts: BundleFacts, papers: Papers, router: Router) -> None:
    if facts.status == "certified" and not papers.certificate:
        raise BundleError(
            f"The bundle '{facts.name}' says it is certified and holds no certificate. "
            "Set its status to not_certified, or add the certificate."
        )
    if router.dimension is not None and (facts.encoder is None or facts.encoder_sha256 is None):
        raise BundleError(
            f"The router of '{facts.name}' reads vectors and the bundle names no encoder. "
            "Name the one it was trained with."
        )
