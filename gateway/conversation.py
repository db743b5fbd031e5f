"""What a request's messages say: the turns as text, the whole for stakes and checks, the router's part of it.

What is not text (images, audio, files) cannot be read by a router or a check, and is said so. Nothing here raises: the
upstream judges what is malformed.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.records import Message, conversation_text
from core.routing_text import routing_text
from gateway.once import once
from gateway.told import Told

_LOT_DIGITS = 13
"""Hexadecimal digits of a hash that make a lot: 52 bits, which a float holds exactly."""


@dataclass(frozen=True)
class Conversation:
    """The turns as text; `unreadable` says why a router cannot judge them, None when it can."""

    messages: tuple[Message, ...]
    unreadable: str | None
    tools_text: str = ""
    """Names and descriptions of the tools that the model may call, and the calls made so far with their arguments."""

    @once
    def text(self) -> str:
        """The whole conversation as one text, the system prompt and the tools' results too."""
        return conversation_text(self.messages)

    @once
    def routing_text(self) -> str:
        """What the router reads, as in training (`core.routing_text`)."""
        return routing_text(self.messages)

    @property
    def has_tools(self) -> bool:
        """Whether the model may call tools, or has called some."""
        return bool(self.tools_text)

    @property
    def is_continued(self) -> bool:
        """Whether a model has answered in it before."""
        return any(message.role not in ("system", "developer", "user") for message in self.messages) or (
            sum(message.role == "user" for message in self.messages) > 1
        )

    @property
    def n_chars(self) -> int:
        """Characters of all turns and of what is told of tools."""
        return sum(len(message.content) for message in self.messages) + len(self.tools_text)


def read_conversation(messages: Sequence[Any], *, tools: object = None, functions: object = None) -> Conversation:
    r"""The conversation of a request's `messages` and `tools`, or the older `functions`.

    >>> parts = [{"type": "text", "text": "Code"}, {"type": "text", "text": "this."}]
    >>> read_conversation([{"role": "user", "content": parts}]).text
    'Code\nthis.'
    >>> read_conversation([{"role": "user", "content": [{"type": "image_url"}]}]).unreadable
    'content_not_text'
    >>> tools = [{"type": "function", "function": {"name": "find", "description": "Finds a code."}}]
    >>> read_conversation([{"role": "user", "content": "Code this."}], tools=tools).tools_text
    'find: Finds a code.'
    """
    turns: list[Message] = []
    of_tools = [*_tools(tools), *_tools(functions)]
    unreadable: str | None = None
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            unreadable = unreadable or "messages_not_understood"
            continue
        text, fault = _text_of(message.get("content"))
        unreadable = unreadable or fault
        turns.append(Message(role=_encodable(message["role"]), content=_encodable(text)))
        of_tools.extend(_calls(message))
    tools_text = _encodable("\n".join(of_tools))
    if not turns:
        turns, unreadable = [Message(role="user", content="")], unreadable or "messages_not_understood"
    return Conversation(tuple(turns), unreadable, tools_text)


def conversation_key(body: Mapping[str, Any], told: Told) -> tuple[str, float]:
    """The SHA-256 that all turns of one conversation share, and its lot in [0, 1), which is as good as drawn.

    A session that the client names is the conversation; else its system prompt and first user turn are. Two keys never
    share one. Two conversations of one key that begin with the same words do.

    >>> first = {"role": "user", "content": "Code this."}
    >>> more = [{"role": "assistant", "content": "J45"}, {"role": "user", "content": "Sure?"}]
    >>> alone, lot = conversation_key({"messages": [first]}, Told())
    >>> alone == conversation_key({"messages": [first, *more]}, Told())[0], 0 <= lot < 1
    (True, True)
    """
    hashed = hashlib.sha256()
    if told.session is not None:
        _add(hashed, "session", told.session)
    else:
        for role, content in _beginning(body.get("messages")):
            _add(hashed, role, content)
    _add(hashed, "key", told.key_id or "")
    sha256 = hashed.hexdigest()
    return sha256, int(sha256[:_LOT_DIGITS], 16) / 16**_LOT_DIGITS


def _add(hashed: "hashlib._Hash", name: str, text: str) -> None:
    # Lengths stand between the parts, so that no other parts give the same bytes.
    for part in (name, text):
        content = part.encode("utf-8", "replace")
        hashed.update(b"%d:" % len(content))
        hashed.update(content)


def _beginning(messages: object) -> Iterator[tuple[str, str]]:
    for message in messages if isinstance(messages, list) else ():
        if not isinstance(message, dict):
            continue
        role, content = message.get("role"), message.get("content")
        if role in ("system", "developer", "user"):
            yield role, content if isinstance(content, str) else _as_json(_lasting(content))
        if role == "user":
            return


def _lasting(content: object) -> object:
    """Parts of a message without what clients move about from turn to turn, such as marks of a prompt cache."""
    if not isinstance(content, list):
        return content
    return [
        {name: value for name, value in part.items() if name != "cache_control"} if isinstance(part, dict) else part
        for part in content
    ]


def _as_json(value: object) -> str:
    try:
        return json.dumps(value, sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return ""


def _text_of(content: object) -> tuple[str, str | None]:
    if content is None:  # an assistant turn that only calls tools
        return "", None
    if isinstance(content, str):
        return content, None
    if not isinstance(content, list):
        return "", "messages_not_understood"
    texts: list[str] = []
    fault = None
    for part in content:
        if isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str):
            texts.append(part["text"])
        else:
            fault = "content_not_text"
    return "\n".join(texts), fault


def _tools(tools: object) -> Iterator[str]:
    for tool in tools if isinstance(tools, list) else ():
        function = _inner(tool, tool)
        if isinstance(function, dict) and isinstance(function.get("name"), str):
            described = function.get("description")
            yield f"{function['name']}: {described}" if isinstance(described, str) else function["name"]
        else:
            yield "a tool of another kind"


def _calls(message: Mapping[str, Any]) -> Iterator[str]:
    calls = message.get("tool_calls")
    given = [_inner(call, None) for call in calls] if isinstance(calls, list) else []
    for function in (*given, message.get("function_call")):
        if isinstance(function, dict) and isinstance(function.get("name"), str):
            given_it = (function.get(name) for name in ("arguments", "input"))
            yield f"{function['name']}({', '.join(one for one in given_it if isinstance(one, str))})"


def _inner(tool: object, otherwise: object) -> object:
    """What a tool, or a call of one, says under its type: `function`, or `custom`, whose input is free text."""
    if not isinstance(tool, dict):
        return otherwise
    return tool.get("function") or tool.get("custom") or otherwise


def _encodable(text: str) -> str:
    """The text without lone surrogates, which JSON may hold and UTF-8 may not."""
    return text.encode("utf-8", "replace").decode()
