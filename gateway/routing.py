"""Which model a request goes to first: the router's word where it can be had, the strong model where it cannot."""

import math
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

import numpy as np

from core.records import Stakes
from gateway.certified import RoutingBundle, stratum_of, threshold_in_force
from gateway.contained import in_thread
from gateway.conversation import Conversation
from gateway.model_names import Routed
from verifiers.chain import Check


class Route(NamedTuple):
    """The first model to ask, and why: `reasons` say what spoke against the weak one, or lowered the threshold."""

    ask_strong: bool
    probability: float | None
    threshold: float | None
    bundle: str | None
    reasons: tuple[str, ...]
    doubt: Check | None = None
    """The bundle's own check of a weak answer, where it asks for one."""


def all_strong(reason: str, *, bundle: str | None = None) -> Route:
    """The strong model, because nothing can be decided."""
    return Route(ask_strong=True, probability=None, threshold=None, bundle=bundle, reasons=(reason,))


class Limits(NamedTuple):
    """What bounds one decision: the request's stakes, the time now, and how long the router may take."""

    stakes: Stakes
    now: datetime
    timeout_s: float


async def decide_route(bundle: RoutingBundle, asked: Routed, conversation: Conversation, limits: Limits) -> Route:
    """Strong iff probability >= threshold; strong too when either is missing, not a number, or late.

    Where the bundle has a certificate, nothing exceeds it: an expired one, or a stratum that it does not name, goes to
    the strong model, and a request's own threshold may lower the certified one, never raise it.
    Scoring runs in a thread, so that it never holds up another request.
    """
    if conversation.unreadable is not None:
        return all_strong(conversation.unreadable, bundle=bundle.sha256)
    found = threshold_in_force(bundle, asked, stakes=limits.stakes, now=limits.now)
    if isinstance(found, str):
        return all_strong(found, bundle=bundle.sha256)
    threshold, lowered = found
    stratum = stratum_of(bundle.thresholds, asked.domain, limits.stakes)
    probability = await _in_thread(lambda: _probability(bundle, conversation.text, stratum), limits.timeout_s)
    if probability is None or not 0.0 <= probability <= 1.0:  # NaN fails the comparison too
        reason = "router_timeout" if probability is None else "probability_not_in_0_1"
        return all_strong(reason, bundle=bundle.sha256)._replace(threshold=threshold)
    ask_strong = probability >= threshold
    return Route(ask_strong, probability, threshold, bundle.sha256, (*lowered, *(("above_threshold",) * ask_strong)))


def bundle_mismatch(bundle: RoutingBundle, *, weak: str, strong: str) -> str | None:
    """Why a bundle must not decide for this pair of models; None when it may."""
    return None if (bundle.weak, bundle.strong) == (weak, strong) else "bundle_for_another_pair"


def _probability(bundle: RoutingBundle, text: str, stratum: str | None) -> float:
    probabilities = np.asarray(bundle.probabilities([text], [stratum]), dtype=float)
    return float(probabilities[0]) if probabilities.shape == (1,) else math.nan


async def _in_thread(work: Callable[[], float], timeout_s: float) -> float | None:
    """The work's result, or None when it is late; a late thread ends by itself and its result is dropped."""
    try:
        return await in_thread(work, timeout_s=timeout_s)
    except TimeoutError:
        return None
