"""The text that a router reads of a request: the whole conversation, not its last message.

What is not text (images, audio, files) cannot be read by a text router, and is said so.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from core.records import Message, conversation_text


class Conversation(NamedTuple):
    """The turns as text; `unreadable` says why a router cannot judge them, None when it can."""

    messages: tuple[Message, ...]
    unreadable: str | None

    @property
    def text(self) -> str:
        """The whole conversation as one text."""
        return conversation_text(self.messages)


def read_conversation(messages: Sequence[Any]) -> Conversation:
    r"""The conversation of a request's `messages`; never raises, for the upstream judges what is malformed.

    >>> parts = [{"type": "text", "text": "Code"}, {"type": "text", "text": "this."}]
    >>> read_conversation([{"role": "user", "content": parts}]).text
    'Code\nthis.'
    >>> read_conversation([{"role": "user", "content": [{"type": "image_url"}]}]).unreadable
    'content_not_text'
    """
    turns: list[Message] = []
    unreadable: str | None = None
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            unreadable = unreadable or "messages_not_understood"
            continue
        text, fault = _text_of(message.get("content"))
        unreadable = unreadable or fault
        turns.append(Message(role=_encodable(message["role"]), content=_encodable(text)))
    if not turns:
        return Conversation((Message(role="user", content=""),), unreadable or "messages_not_understood")
    return Conversation(tuple(turns), unreadable)


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


def _encodable(text: str) -> str:
    """The text without lone surrogates, which JSON may hold and UTF-8 may not."""
    return text.encode("utf-8", "replace").decode()
