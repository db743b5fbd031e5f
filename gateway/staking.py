"""The stakes of one request, by the server's policy. Whatever goes wrong in finding them makes them high or more."""

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

from gateway.contained import in_thread
from gateway.conversation import Conversation
from verifiers.stakes.deciding import StakesDecision, StakesRequest, decide_stakes
from verifiers.stakes.policy import StakesPolicy

LOG = logging.getLogger("preceptor.gateway")


async def stakes_of(
    policy: StakesPolicy,
    conversation: Conversation,
    body: Mapping[str, Any],
    *,
    domain: str | None,
    header: str | None,
    timeout_s: float,
) -> StakesDecision:
    """The tier, what named it, and the policy's hash.

    Rules read every turn of the conversation, and the fields of the body's `metadata`, whose `stakes` may raise the
    tier as the header may. They are read in a thread, so that a long text holds up no other request.
    """
    request = StakesRequest(
        texts=(conversation.text,),
        domain=domain,
        header=header,
        facts=body.get("metadata"),
        is_readable=conversation.unreadable is None,
    )
    try:
        return await in_thread(partial(decide_stakes, policy, request), timeout_s=timeout_s)
    except Exception as error:  # noqa: BLE001 - what was not read may be of any stakes
        LOG.error("The stakes could not be told (%s).", type(error).__name__)
        why = "policy.timeout" if isinstance(error, TimeoutError) else "policy.fault"
        return StakesDecision(max(policy.on_error, policy.on_unread, policy.default), (why,), policy.sha256)
