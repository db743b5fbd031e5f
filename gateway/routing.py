"""Which model a request goes to first: the router's word where it can be had, the strong model where it cannot."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import anyio
import anyio.to_thread
import numpy as np
from jaxtyping import Float

from core.records import Stakes
from gateway.conversation import Conversation
from gateway.model_names import Routed


class RoutingBundle(Protocol):
    """What the gateway needs of a bundle; `models.bundle.Bundle` is one."""

    @property
    def weak(self) -> str:
        """Name of the weak model the bundle was calibrated for."""
        ...

    @property
    def strong(self) -> str:
        """Name of the strong model the bundle was calibrated for."""
        ...

    @property
    def sha256(self) -> str:
        """Hash of everything in the bundle that decides."""
        ...

    @property
    def thresholds(self) -> Mapping[str, float | None]:
        """Threshold per stratum, with `default`; None sends the stratum to the strong model."""
        ...

    def probabilities(self, texts: Sequence[str]) -> Float[np.ndarray, " n"]:
        """Calibrated probability that the strong model is needed, a text."""
        ...


class Route(NamedTuple):
    """The first model to ask, and why. `reasons` is empty when the router said weak."""

    ask_strong: bool
    probability: float | None
    threshold: float | None
    bundle: str | None
    reasons: tuple[str, ...]


def all_strong(reason: str, *, bundle: str | None = None) -> Route:
    """The strong model, because nothing can be decided."""
    return Route(ask_strong=True, probability=None, threshold=None, bundle=bundle, reasons=(reason,))


async def decide_route(
    bundle: RoutingBundle, asked: Routed, conversation: Conversation, *, stakes: Stakes, timeout_s: float
) -> Route:
    """Strong iff probability >= threshold; strong too when either is missing, not a number, or late.

    Scoring runs in a thread, so that it never holds up another request.
    """
    if conversation.unreadable is not None:
        return all_strong(conversation.unreadable, bundle=bundle.sha256)
    threshold = asked.threshold if asked.threshold is not None else _threshold_of(bundle, asked.domain, stakes)
    if threshold is None or not 0.0 <= threshold <= 1.0:
        return all_strong("no_threshold", bundle=bundle.sha256)
    probability = await _in_thread(lambda: _probability(bundle, conversation.text), timeout_s)
    if probability is None or not 0.0 <= probability <= 1.0:  # NaN fails the comparison too
        reason = "router_timeout" if probability is None else "probability_not_in_0_1"
        return all_strong(reason, bundle=bundle.sha256)._replace(threshold=threshold)
    ask_strong = probability >= threshold
    return Route(ask_strong, probability, threshold, bundle.sha256, ("above_threshold",) if ask_strong else ())


def bundle_mismatch(bundle: RoutingBundle, *, weak: str, strong: str) -> str | None:
    """Why a bundle must not decide for this pair of models; None when it may."""
    return None if (bundle.weak, bundle.strong) == (weak, strong) else "bundle_for_another_pair"


def _threshold_of(bundle: RoutingBundle, domain: str | None, stakes: Stakes) -> float | None:
    """The most specific threshold: of the domain at these stakes, else of the domain, else the default's."""
    if domain is None:
        return bundle.thresholds.get("default")
    for stratum in (f"{domain}/{stakes}", domain):
        if stratum in bundle.thresholds:
            return bundle.thresholds[stratum]
    if any(stratum.startswith(f"{domain}/") for stratum in bundle.thresholds):
        return None  # the domain has thresholds, and none for these stakes
    return bundle.thresholds.get("default")


def _probability(bundle: RoutingBundle, text: str) -> float:
    probabilities = np.asarray(bundle.probabilities([text]), dtype=float)
    return float(probabilities[0]) if probabilities.shape == (1,) else math.nan


async def _in_thread(work: Callable[[], float], timeout_s: float) -> float | None:
    """The work's result, or None when it is late; a late thread ends by itself and its result is dropped."""
    with anyio.move_on_after(timeout_s):
        return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
    return None
