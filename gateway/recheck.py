"""The recheck of a weak completion: every choice must be finished text, and pass every check.

A tool call, a refusal or a cut-off answer is nothing the checks can judge: it cannot be decided, so it does not pass.
What breaks or is late here has not passed either.
"""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from core.check_record import CheckRecord
from core.records import Query, Stakes
from gateway.contained import FREE_CHECKS, PAID_CHECKS, in_thread
from gateway.log_probabilities import tokens_of
from verifiers.assembling import Recheck
from verifiers.case import Case
from verifiers.chain import ChainVerdict, Check, CheckOutcome, CheckResult, Limits, Price, run_chain
from verifiers.verdict import price_of

LOG = logging.getLogger("preceptor.gateway")

_NOT_TEXT = ("tool_calls", "function_call", "audio", "refusal")
_PASSED_ON = ("role", "content", *_NOT_TEXT)  # none of the latter holds anything in an answer that was released
_OF_A_CHOICE = ("index", "finish_reason", "logprobs")
_OF_A_COMPLETION = ("id", "object", "created", "model", "usage", "system_fingerprint", "service_tier")


class Asked(NamedTuple):
    """What a weak answer is an answer to: the query with its stakes, and the facts that came with it.

    `doubt` is the bundle's own check, where it asks for one.
    """

    query: Query
    facts: Mapping[str, Any] = {}
    doubt: Check | None = None


class Finding(NamedTuple):
    """Whether the weak answer may leave, what the recheck says, the reasons against it, and what stays on record."""

    is_released: bool
    verdict: str
    reasons: tuple[str, ...] = ()
    checks: tuple[CheckRecord, ...] = ()
    cost_usd: float | None = 0.0


async def recheck_in_time(recheck: Recheck, asked: Asked, completion: Mapping[str, Any]) -> Finding:
    """What the recheck finds, whatever breaks in it. At low stakes nothing is rechecked but the bundle's own doubt.

    Args:
        recheck: checks and limits.
        asked: what was asked.
        completion: the weak model's.
    """
    is_low = asked.query.stakes is Stakes.LOW
    if is_low and asked.doubt is None:
        return Finding(is_released=True, verdict="skipped")
    checks = (() if is_low else recheck.checks) + (() if asked.doubt is None else (asked.doubt,))
    whole = Recheck(checks, recheck.limits)
    try:
        seconds = whole.timeout_s * max(1, len(completion["choices"]))
        lane = FREE_CHECKS if all(price_of(check) is Price.FREE for check in checks) else PAID_CHECKS
        verdict = await in_thread(partial(verdict_on, whole, asked, completion), timeout_s=seconds, lane=lane)
        passed = [result.check for result in verdict.results if result.outcome is CheckOutcome.PASS]
        n_choices = len(completion["choices"])  # one that was not scored is not sure
        is_sure = asked.doubt is None or passed.count(asked.doubt.id) == n_choices
        lacks_checks = asked.query.stakes.is_high and not recheck.checks  # a classifier alone verifies nothing
        return Finding(
            is_released=is_sure and not lacks_checks and verdict.releases(asked.query.stakes),
            verdict=(CheckOutcome.CANNOT_DECIDE if lacks_checks else verdict.outcome).value,
            reasons=("chain:no_checks", *verdict.reasons) if lacks_checks and verdict.results else verdict.reasons,
            checks=tuple(CheckRecord.model_validate(result.model_dump(mode="json")) for result in verdict.results),
            cost_usd=verdict.cost_usd,
        )
    except (Exception, SystemExit) as error:  # noqa: BLE001 - an answer that could not be rechecked does not leave
        LOG.error("The recheck broke (%s); the strong model answers.", type(error).__name__)
        reason = "timeout" if isinstance(error, TimeoutError) else "error"
        return Finding(
            is_released=False,
            verdict="error",
            reasons=(f"chain:{reason}",),
            checks=_not_known(checks, f"chain_{reason}"),
            cost_usd=None,
        )


def verdict_on(recheck: Recheck, asked: Asked, completion: Mapping[str, Any]) -> ChainVerdict:
    """The verdict over all choices of a completion; their calls and costs count together.

    >>> query = Query(id="q", messages=({"role": "user", "content": "Code this."},))
    >>> cut_off = {"choices": [{"message": {"content": "Code: B4"}, "finish_reason": "length"}]}
    >>> verdict_on(Recheck(), Asked(query), cut_off).reasons
    ('gateway.text:unfinished',)
    """
    results: list[CheckResult] = []
    limits = recheck.limits
    for choice in completion["choices"]:
        fault = _fault(choice)
        if fault is not None:
            results.append(CheckResult(check="gateway.text", outcome=CheckOutcome.CANNOT_DECIDE, reason=fault))
            continue
        case = Case(
            query=asked.query,
            answer=choice["message"]["content"],
            facts=asked.facts,
            tokens=tokens_of(choice),
            is_client_told=True,
        )
        verdict = run_chain(recheck.checks, case, limits=limits)
        if not verdict.results:
            return verdict  # no checks: nothing is verified
        results.extend(verdict.results)
        limits = _what_is_left(limits, verdict)
    return ChainVerdict(results=tuple(results))


def as_read(completion: Mapping[str, Any]) -> dict[str, Any]:
    """The completion without what no check has read, such as a model's `reasoning_content` beside its answer.

    Of the completion and of each choice what OpenAI names stays; other fields may hold texts of the model's too.

    >>> choice = {"index": 0, "message": {"role": "assistant", "content": "B42.81", "reasoning_content": "Perhaps ..."}}
    >>> as_read({"choices": [choice]})["choices"][0]["message"]
    {'role': 'assistant', 'content': 'B42.81'}
    """
    choices = [
        {**_only(_OF_A_CHOICE, choice), "message": _only(_PASSED_ON, choice["message"])}
        for choice in completion["choices"]
    ]
    return {**_only(_OF_A_COMPLETION, completion), "choices": choices}


def _only(names: Sequence[str], whole: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in whole.items() if name in names}


def _fault(choice: Mapping[str, Any]) -> str | None:
    message = choice["message"]
    for field in _NOT_TEXT:
        if message.get(field):
            return field
    if not isinstance(message.get("content"), str) or not message["content"].strip():
        return "no_text"
    return None if choice.get("finish_reason") in (None, "stop") else "unfinished"


def _what_is_left(limits: Limits, verdict: ChainVerdict) -> Limits:
    cost_usd = verdict.cost_usd
    left_usd = 0.0 if cost_usd is None else max(0.0, limits.max_cost_usd - cost_usd)
    return limits.model_copy(update={"max_calls": max(0, limits.max_calls - verdict.calls), "max_cost_usd": left_usd})


def _not_known(checks: Sequence[Check], reason: str) -> tuple[CheckRecord, ...]:
    """Every check on record, as one of which nothing is known."""
    ids = [identifier if isinstance(identifier := getattr(one, "id", None), str) else "unnamed" for one in checks]
    return tuple(CheckRecord(check=one[:64], outcome="error", reason=reason, cost_usd=None) for one in ids)
