"""Completions and chunks as programs read them: dictionaries whose fields are attributes too, as in OpenAI's library.

They are OpenAI's JSON objects, unchanged: `json.dumps` gives what came, and a message may be sent back as it is. What
the endpoint left out reads as None where OpenAI's library has such a field.
"""

import json
from typing import Any

from core.records import Decision

OPTIONAL = frozenset(
    {
        *("annotations", "audio", "content", "function_call", "name", "parsed", "reasoning_content", "refusal", "role"),
        *("finish_reason", "logprobs", "service_tier", "system_fingerprint", "tool_calls", "usage"),
        *("completion_tokens_details", "prompt_tokens_details"),
    }
)
"""Fields of OpenAI's objects that may be missing."""


class AnswerObject(dict[str, Any]):
    """A JSON object whose fields are attributes.

    >>> answer = AnswerObject({"choices": [{"message": {"content": "J45"}}]})
    >>> answer.choices[0].message.content, answer["choices"][0]["message"]["content"]
    ('J45', 'J45')
    >>> answer.choices[0].message.tool_calls is None
    True
    """

    def __init__(self, value: dict[str, Any]) -> None:
        super().__init__({name: _as_object(one) for name, one in value.items()})

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - JSON values
        try:
            return self[name]
        except KeyError:
            if name in OPTIONAL:
                return None
            raise AttributeError(f"The answer has no field '{name}'. It has {', '.join(self)}.") from None

    def model_dump(self) -> dict[str, Any]:
        """Plain dictionaries and lists."""
        return {name: _as_plain(one) for name, one in self.items()}

    def model_dump_json(self) -> str:
        """The JSON text."""
        return json.dumps(self)


class Answer(AnswerObject):
    """A chat completion; `decision` says which model answered and why. It is no field of the JSON object."""

    decision: Decision

    def __init__(self, value: dict[str, Any], decision: Decision) -> None:
        super().__init__(value)
        self.decision = decision


def _as_object(value: Any) -> Any:  # noqa: ANN401 - JSON values
    if isinstance(value, dict):
        return AnswerObject(value)
    return [_as_object(one) for one in value] if isinstance(value, list) else value


def _as_plain(value: Any) -> Any:  # noqa: ANN401 - JSON values
    if isinstance(value, AnswerObject):
        return value.model_dump()
    return [_as_plain(one) for one in value] if isinstance(value, list) else value
