"""The whole answer that a stream's events say, for those who keep texts where settings ask for it. Never raises."""

import json
from collections.abc import Iterable, Mapping
from typing import Any


def completion_of(events: Iterable[bytes]) -> dict[str, Any]:
    r"""OpenAI's completion object of the events; what cannot be read is left out.

    >>> said = completion_of([b'data: {"choices": [{"index": 0, "delta": {"content": "J4"}}]}\n\n',
    ...     b'data: {"choices": [{"index": 0, "delta": {"content": "5"}, "finish_reason": "stop"}]}\n\n'])
    >>> said["choices"]
    [{'index': 0, 'message': {'role': 'assistant', 'content': 'J45'}, 'finish_reason': 'stop'}]
    """
    shared: dict[str, Any] = {}
    choices: dict[int, _Choice] = {}
    for chunk in _chunks(events):
        shared |= {key: value for key, value in chunk.items() if key != "choices" and value is not None}
        for part in chunk.get("choices") or ():
            if isinstance(part, dict) and isinstance(part.get("index", 0), int):
                choices.setdefault(part.get("index", 0), _Choice()).add(part)
    listed = [{"index": index, **choices[index].whole()} for index in sorted(choices)]
    return {**shared, "object": "chat.completion", "choices": listed or [{"index": 0, **_Choice().whole()}]}


class _Choice:
    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {"content": []}
        self._calls: dict[object, dict[str, Any]] = {}
        self._finish_reason: object = None

    def add(self, part: Mapping[str, Any]) -> None:
        self._finish_reason = part.get("finish_reason") or self._finish_reason
        delta = part.get("delta")
        if not isinstance(delta, dict):
            return
        for name, value in delta.items():
            if isinstance(value, str) and name != "role":
                self._texts.setdefault(name, []).append(value)
        calls = delta.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, dict):
                self._add_call(call)

    def whole(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant"}
        message |= {name: "".join(pieces) for name, pieces in self._texts.items()}
        if self._calls:
            message["tool_calls"] = list(self._calls.values())
        return {"message": message, "finish_reason": self._finish_reason}

    def _add_call(self, call: Mapping[str, Any]) -> None:
        known = self._calls.setdefault(call.get("index"), {"function": {"name": "", "arguments": ""}})
        known |= {name: value for name, value in call.items() if name not in ("index", "function") and value}
        function = call.get("function")
        for name in ("name", "arguments"):
            if isinstance(function, dict) and isinstance(function.get(name), str):
                known["function"][name] += function[name]


def _chunks(events: Iterable[bytes]) -> Iterable[dict[str, Any]]:
    for line in b"".join(events).split(b"\n"):
        try:
            chunk = json.loads(line.removeprefix(b"data:")) if line.startswith(b"data:") else None
        except (ValueError, RecursionError):
            continue
        if isinstance(chunk, dict) and isinstance(chunk.get("choices", []), list):
            yield chunk
