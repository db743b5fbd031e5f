"""The weak model's answer, read before it leaves: it is asked, rechecked, and let go or held back."""

from collections.abc import Mapping
from typing import Any

from core.records import Stakes
from gateway.asking.upstream import Completion, Upstream, UpstreamFailure
from gateway.attempts import Attempt, ask
from gateway.facts import facts_of
from gateway.incoming import Incoming
from gateway.log_probabilities import may_be_refusal, with_logprobs, without_logprobs
from gateway.recheck import Asked, Finding, as_read, recheck_in_time
from gateway.weighing import Weighed

_SKIPPED = Finding(is_released=True, verdict="skipped")
"""Of an answer at low stakes that the bundle does not doubt."""


async def ask_weak(weak: Upstream, incoming: Incoming, weighed: Weighed, tried: Attempt) -> None:
    """Ask the weak model and recheck its answer; `tried` then says whether it leaves, or why not."""
    recheck = weighed.deciding.recheck
    answer = await _asked(weak, incoming.whole, tried, needs_tokens=recheck.needs_tokens and weighed.is_rechecked)
    if isinstance(answer, UpstreamFailure):
        tried.held_back(f"weak_{answer.kind}")
        return
    tried.weak = answer
    if weighed.is_rechecked:
        asked = Asked(incoming.query(weighed.stakes), facts_of(incoming.body), weighed.route.doubt)
        found = await recheck_in_time(recheck, asked, answer.body)
    else:
        found = _SKIPPED
    tried.verdict, tried.checks, tried.recheck_cost_usd = found.verdict, found.checks, found.cost_usd
    if not found.is_released:
        tried.held_back(*found.reasons)
        return
    body = answer.body if weighed.stakes is Stakes.LOW else as_read(answer.body)
    body = body if "logprobs" in incoming.body else without_logprobs(body)
    tried.leaves("weak", answer.model, answer._replace(body=body))


async def _asked(
    weak: Upstream, body: Mapping[str, Any], tried: Attempt, *, needs_tokens: bool
) -> Completion | UpstreamFailure:
    """An answer, with log-probabilities where a check reads them and the endpoint gives some."""
    wanted = with_logprobs(body) if needs_tokens else None
    if wanted is not None:
        answer = await ask(weak, wanted, tried, most=tried.n_left - 1)
        refused = isinstance(answer, UpstreamFailure) and may_be_refusal(answer.status)
        if not refused or tried.n_left < 2:
            return answer
    return await ask(weak, body, tried, most=tried.n_left - 1)
