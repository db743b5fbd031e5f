"""The stakes of one request, by the server's policy. Whatever goes wrong in finding them makes them high or more."""

import logging
from functools import partial

from core.records import Stakes
from gateway.contained import contained, in_thread
from gateway.incoming import Incoming
from verifiers.stakes.deciding import HEADER_TIERS, StakesDecision, StakesRequest, decide_stakes
from verifiers.stakes.policy import StakesPolicy

LOG = logging.getLogger("preceptor.gateway")

SHORT_CHARS = 500
"""A text so short is read on the event loop: that takes less time than a thread costs."""


async def stakes_of(policy: StakesPolicy, incoming: Incoming, *, timeout_s: float) -> StakesDecision:
    """The tier, what named it, and the policy's hash.

    Rules read every turn of the conversation, what is told of tools and their calls, and the fields of the body's
    `metadata`, whose `stakes` may raise the tier as the header may; so may what the bearer key says. A long text is
    read in a thread, so that it holds up no other request.
    """
    conversation, told = incoming.conversation, incoming.told
    request = StakesRequest(
        texts=(conversation.text, *((conversation.tools_text,) if conversation.has_tools else ())),
        domain=incoming.domain,
        header=told.stakes,
        facts=incoming.body.get("metadata"),
        is_readable=conversation.unreadable is None,
    )
    work = partial(decide_stakes, policy, request)
    try:
        if _is_quick(policy, conversation.n_chars):
            decision = contained(work)
        else:
            decision = await in_thread(work, timeout_s=timeout_s)
    except Exception as error:  # noqa: BLE001 - what was not read may be of any stakes
        LOG.error("The stakes could not be told (%s).", type(error).__name__)
        why = "policy.timeout" if isinstance(error, TimeoutError) else "policy.fault"
        decision = StakesDecision(max(policy.on_error, policy.on_unread, policy.default), (why,), policy.sha256)
    return raised(decision, told.least_stakes)


def raised(decision: StakesDecision, least_stakes: str | None) -> StakesDecision:
    """The decision, with what the bearer key says of all that it asks; a word that nobody defined means high.

    >>> low = StakesDecision(Stakes.LOW, ("policy.default",), "0" * 64)
    >>> raised(low, "high").stakes.value, raised(low, "high").rules, raised(low, None) is low
    ('high', ('policy.key', 'policy.default'), True)
    """
    if least_stakes is None:
        return decision
    least = HEADER_TIERS.get(least_stakes, Stakes.HIGH)
    if least > decision.stakes:
        return decision._replace(stakes=least, rules=("policy.key", *decision.rules))
    return decision._replace(rules=(*decision.rules, "policy.key"))


def _is_quick(policy: StakesPolicy, n_chars: int) -> bool:
    """Whether it is bounded in time: rules' patterns are (`verifiers.stakes.patterns`); a classifier's time is not."""
    return n_chars <= SHORT_CHARS and type(policy) is StakesPolicy and policy.classifier is None
