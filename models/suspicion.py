"""The classifier of (question, weak answer): how likely it is that the answer is not acceptable. Decides nothing.

It is a router of pair texts (`models.pair_text`) with a calibrator and a threshold of its own, the part `verifier/` of
a bundle:

    suspicion.json       family, calibrator, the threshold tau and how it was set, encoder and its hash
    router/              the router's own files (see `models.families`)

Loading it needs no torch where its family needs none.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float, Float32
from pydantic import Field

from core.calibrator import Calibrator
from core.errors import BundleError
from core.records import Record
from models.encoders import Encoder, EncoderSpec
from models.families import Reading, as_json, files_of, router_from
from models.file_tree import below, within
from models.pair_router import PairRouter, pair_vectors
from models.pair_text import pair_text
from models.router import Queries, Router

FACTS_FILE = "suspicion.json"

CANNOT_SCORE = 1.0
"""The suspicion of what cannot be scored: above every threshold."""


class SuspicionFacts(Record):
    """What suspicion.json says. An answer whose suspicion is above `tau` does not leave."""

    family: str
    calibrator: Calibrator = Calibrator()
    tau: float = Field(ge=0, lt=1)
    pass_share: float = Field(gt=0, lt=1)
    """Share of the acceptable weak answers of the calibration rows whose suspicion is at most tau."""
    encoder: EncoderSpec | None = None
    """What turns question and answer into vectors; None for a family that reads the text itself."""
    encoder_sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    n_labels: int = Field(ge=0)
    """Judged weak answers that it was trained on."""


@dataclass(frozen=True, eq=False)
class Suspicion:
    """A classifier that is ready to score. Safe to share between threads."""

    facts: SuspicionFacts
    router: Router
    encoder: Callable[[], Encoder]
    """Loads the encoder when first asked; a family that reads the text itself never asks."""

    def of(self, pairs: Sequence[tuple[str, str]]) -> Float[np.ndarray, " n"]:
        """P(the weak answer is not acceptable) per (question, answer); 1.0 where it cannot be scored."""
        probabilities = self.facts.calibrator.apply(self.scores([pair_text(*pair) for pair in pairs]))
        return np.where(np.isfinite(probabilities), probabilities, CANNOT_SCORE)

    def scores(self, texts: Sequence[str]) -> Float[np.ndarray, " n"]:
        """The router's own score per pair text, not calibrated; NaN where it cannot be scored."""
        return self.router.score(Queries(texts, partial(vectors_of, self.router, self.encoder)))

    def to_files(self) -> dict[str, bytes]:
        """The classifier as files of safetensors and JSON."""
        return {
            FACTS_FILE: as_json(self.facts.model_dump(mode="json")),
            **below(files_of(self.router), "router"),
        }


def suspicion_facts(files: Mapping[str, bytes]) -> SuspicionFacts:
    """What suspicion.json of these files says.

    Raises:
        BundleError: it is missing or does not read.
    """
    try:
        return SuspicionFacts.model_validate(json.loads(files[FACTS_FILE]))
    except (KeyError, ValueError, TypeError) as error:
        raise BundleError(
            f"The bundle's classifier of weak answers does not read ({error!r}). Run `preceptor run` again."
        ) from error


def suspicion_from(files: Mapping[str, bytes], reading: Reading, encoder: Callable[[], Encoder]) -> Suspicion:
    """The classifier that `to_files` took apart.

    Raises:
        BundleError: a file is missing or altered, or it reads vectors and names no encoder.
    """
    facts = suspicion_facts(files)
    router = router_from(facts.family, within(files, "router"), reading)
    if router.dimension is not None and (facts.encoder is None or facts.encoder_sha256 is None):
        raise BundleError(
            f"The bundle's classifier of weak answers, of family '{facts.family}', reads vectors and names no encoder. "
            "Run `preceptor run` again."
        )
    return Suspicion(facts, router, encoder)


def vectors_of(router: Router, encoder: Callable[[], Encoder], texts: Sequence[str]) -> Float32[np.ndarray, "n d"]:
    """The vectors that a router reads of pair texts: question beside answer, or of a whole pair text."""
    return pair_vectors(encoder(), texts) if isinstance(router, PairRouter) else encoder().encode(texts)


def threshold_for(suspicion: Float[np.ndarray, " n"], pass_share: float) -> float:
    """The smallest tau that at least `pass_share` of these acceptable answers pass; always below 1.

    Raises:
        ValueError: there is no answer.

    >>> threshold_for(np.array([0.1, 0.4, 0.2, 0.3]), 0.75)
    0.3
    """
    if not len(suspicion):
        raise ValueError("no acceptable answer to set the threshold by")
    at = int(np.ceil(pass_share * len(suspicion) - 1e-9)) - 1
    return float(min(np.sort(suspicion)[max(at, 0)], np.nextafter(CANNOT_SCORE, 0.0)))
