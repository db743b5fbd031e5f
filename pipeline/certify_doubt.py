"""What the classifier of weak answers adds to a certificate's trial: its suspicion of the rows, and which thresholds.

A threshold is tried only where every row's suspicion is known: rows without the weak answer's text would leave a
promise that counts on fewer answers than the gateway will let go. Thresholds come from calibration rows, never from
these.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from jaxtyping import Bool, Float, Int

from assurance.certificates import Certified, Promise, Rows, certify_family
from core import fingerprint

OFF: tuple[float | None, ...] = (None,)
"""The thresholds that are tried where the classifier is off."""


class Classified(Protocol):
    """A run's classifier as a trial needs it; `pipeline.suspecting.Suspected` is one."""

    @property
    def is_on(self) -> bool:
        """Whether there is a classifier."""

    @property
    def suspicion(self) -> Float[np.ndarray, " n"]:
        """Of every row of the run."""

    @property
    def is_known(self) -> Bool[np.ndarray, " n"]:
        """Of which rows it is known."""

    def taus(self, path: str, stratum: str) -> tuple[float | None, ...]:
        """The declared thresholds of a stratum; None: off."""


class Doubt(NamedTuple):
    """Suspicion of the rows of one stratum, and the thresholds that are tried there."""

    suspicion: Float[np.ndarray, " k"] | None
    taus: tuple[float | None, ...]

    @property
    def asked(self) -> dict[str, object]:
        """What tells this trial from one with other thresholds; empty where the classifier is off."""
        if self.suspicion is None:
            return {}
        return {"taus": list(self.taus), "suspicion": fingerprint.of_array(self.suspicion)}


def doubt_of(classified: Classified | None, path: str, stratum: str, index: Int[np.ndarray, " k"]) -> Doubt:
    """The suspicion of these rows, where it is known of all of them and there is a classifier."""
    if classified is None or not classified.is_on or not len(index) or not classified.is_known[index].all():
        return Doubt(None, OFF)
    return Doubt(np.asarray(classified.suspicion[index]), classified.taus(path, stratum))


def cheapest(stratum: str, rows: Rows, promise: Promise, taus: Sequence[float | None], *, start: float) -> Certified:
    """Of the thresholds that certify, each at its share of delta, the one at which most weak answers leave.

    All that certify hold at once, so choosing among them by how many leave, which needs no label, costs nothing.
    """
    found = certify_family(stratum, rows, promise, taus, start=start)
    return max(found, key=lambda one: (one.is_certified, one.n_accepted))
