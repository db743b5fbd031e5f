"""The recheck of a weak completion: every choice must be finished text, and pass every check.

A tool call, a refusal or a cut-off answer is nothing the checks can judge: it cannot be decided, so it does not pass.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from core.records import Query
from verifiers.case import Case
from verifiers.chain import ChainVerdict, Check, CheckOutcome, CheckResult, run_chain

_NOT_TEXT = ("tool_calls", "function_call", "audio", "refusal")


def recheck(checks: Sequence[Check], query: Query, completion: Mapping[str, Any]) -> ChainVerdict:
    """The verdict over all choices of a completion.

    >>> query = Query(id="q", messages=({"role": "user", "content": "Code this."},))
    >>> cut_off = {"choices": [{"message": {"content": "Code: B4"}, "finish_reason": "length"}]}
    >>> recheck([], query, cut_off).reasons
    ('gateway.text:unfinished',)
    """
    results: list[CheckResult] = []
    for choice in completion["choices"]:
        fault = _fault(choice)
        if fault is not None:
            results.append(CheckResult(check="gateway.text", outcome=CheckOutcome.CANNOT_DECIDE, reason=fault))
            continue
        verdict = run_chain(checks, Case(query=query, answer=choice["message"]["content"]))
        if not verdict.results:
            return verdict  # no checks: nothing is verified
        results.extend(verdict.results)
    return ChainVerdict(results=tuple(results))


def _fault(choice: Mapping[str, Any]) -> str | None:
    message = choice["message"]
    for field in _NOT_TEXT:
        if message.get(field):
            return field
    if not isinstance(message.get("content"), str) or not message["content"].strip():
        return "no_text"
    return None if choice.get("finish_reason") in (None, "stop") else "unfinished"
