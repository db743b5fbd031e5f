"""What a router says of one request: the weak model first, or the strong one, and why."""

import math
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import NamedTuple

import numpy as np

from core.records import Stakes
from gateway.certified import RoutingBundle, stratum_of, threshold_in_force
from gateway.contained import in_thread
from gateway.conversation import Conversation
from gateway.model_names import Routed
from verifiers.chain import Check

LOWERED = "threshold_lowered_to_certified"
"""The one reason that does not speak against the weak model."""


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


Scored = Callable[[RoutingBundle, str, str | None, float], Awaitable[float | None]]
"""The probability of a text of a stratum by a bundle, in so many seconds; None where it is late."""


async def scored_alone(bundle: RoutingBundle, text: str, stratum: str | None, timeout_s: float) -> float | None:
    """The probability, in a thread, so that it never holds up another request; a late thread ends by itself."""
    return await in_thread(partial(_probability, bundle, text, stratum), timeout_s=timeout_s)


async def decide_route(
    bundle: RoutingBundle, asked: Routed, conversation: Conversation, limits: Limits, *, scored: Scored = scored_alone
) -> Route:
    """Strong iff probability >= threshold; strong too when either is missing, not a number, or late.

    Where the bundle has a certificate, nothing exceeds it: an expired one, or a stratum that it does not name, goes to
    the strong model, and a request's own threshold may lower the certified one, never raise it.

    | reason | meaning |
    |---|---|
    | content_not_text, messages_not_understood | the router cannot read the request |
    | certificate_expired, certificate_mismatch, not_certified | the promise does not cover it |
    | no_threshold | the bundle has none for its stratum |
    | router_timeout, probability_not_in_0_1 | the router was late, or said no probability |
    | above_threshold | the strong model is needed |
    | threshold_lowered_to_certified | the request's own threshold was above the certified one; speaks for no model |
    """
    if conversation.unreadable is not None:
        return all_strong(conversation.unreadable, bundle=bundle.sha256)
    found = threshold_in_force(bundle, asked, stakes=limits.stakes, now=limits.now)
    if isinstance(found, str):
        return all_strong(found, bundle=bundle.sha256)
    threshold, lowered = found
    stratum = stratum_of(bundle.thresholds, asked.domain, limits.stakes)
    try:
        probability = await scored(bundle, conversation.routing_text, stratum, limits.timeout_s)
    except TimeoutError:
        probability = None
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
