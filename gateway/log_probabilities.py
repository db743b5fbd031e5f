"""The weak model's log-probabilities: asked for where a check reads them, and taken out where the client did not ask.

A client that says `logprobs: false` is obeyed; an endpoint that refuses them is asked again without.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from verifiers.case import Token

_REFUSALS = frozenset({400, 404, 422})
"""Statuses with which an endpoint that knows no log-probabilities may answer."""


def with_logprobs(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The request with them, the runner-up of each token too; None where the client has decided that itself.

    >>> with_logprobs({"model": "m"})
    {'model': 'm', 'logprobs': True, 'top_logprobs': 2}
    >>> with_logprobs({"model": "m", "logprobs": False}) is None
    True
    """
    return None if "logprobs" in body else {**body, "logprobs": True, "top_logprobs": 2}


def may_be_refusal(status: int | None) -> bool:
    """Whether a failure may mean that the endpoint gives none."""
    return status in _REFUSALS


def without_logprobs(completion: Mapping[str, Any]) -> dict[str, Any]:
    """The completion as the client would have had it."""
    choices = [{**choice, "logprobs": None} if "logprobs" in choice else choice for choice in completion["choices"]]
    return {**completion, "choices": choices}


def tokens_of(choice: Mapping[str, Any]) -> tuple[Token, ...]:
    """The tokens of one choice; none where they are not given, or one of them cannot be read.

    >>> best = [{"token": "4", "logprob": -0.1}, {"token": "5", "logprob": -2.5}]
    >>> tokens_of({"logprobs": {"content": [{"token": "4", "logprob": -0.1, "top_logprobs": best}]}})
    (Token(text='4', logprob=-0.1, runner_up=-2.5),)
    >>> tokens_of({"logprobs": {"content": [{"token": "4", "logprob": 0.1}]}})
    ()
    """
    try:
        return tuple(_token(one) for one in choice["logprobs"]["content"])
    except (LookupError, TypeError, AttributeError, ValueError, ValidationError):
        return ()


def _token(given: Mapping[str, Any]) -> Token:
    others = [one["logprob"] for one in given.get("top_logprobs") or () if one["token"] != given["token"]]
    return Token(text=given["token"], logprob=given["logprob"], runner_up=max(others, default=None))
