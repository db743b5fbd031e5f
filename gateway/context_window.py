"""Whether a request may exceed a model's context window, by an estimate that errs on the large side. Asks no tokeniser.

Byte-level tokenisers take at most one token a byte, so what has fewer bytes than the window surely fits, and is not
looked at further. Else letters and blanks count half a token and every other byte one, as does every byte of a long
unbroken run, which is no word of any language; docs/gateway/routing.md says how far that lies above what two real
tokenisers count. What cannot be measured (an image, a file) is taken not to fit.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Protocol

from gateway.conversation import Conversation

MESSAGE_TOKENS = 8
"""Tokens that a chat template may put around a message."""

LETTERS_A_TOKEN = 2.0
"""Fewest ASCII letters and blanks that a token holds on average, over a whole request."""

ASSUMED_OUTPUT_TOKENS = 1024
"""Tokens kept free for an answer whose length the request does not limit; of a small window a quarter."""

_MOST_BYTES_A_TOKEN = 8
"""More bytes a token than prose or code has in any tokeniser; what needs more is not looked at further."""

LONGEST_WORD = 40
"""Bytes of the longest run without a blank that is taken for words; longer ones may be hexadecimal or base64."""

_LETTERS_AND_BLANKS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ "

_UNBROKEN = re.compile(rb"\S{%d,}" % (LONGEST_WORD + 1))

_OTHER_TEXT = ("tools", "functions", "response_format")
"""Fields beside the messages that models are shown."""


class HasWindow(Protocol):
    """An endpoint, as far as it matters here."""

    @property
    def context_window(self) -> int | None:
        """Tokens that a prompt and its answer may take together; None: not known."""
        ...


def context_fault(body: Mapping[str, Any], conversation: Conversation, endpoint: HasWindow) -> str | None:
    """Why a request may not fit into the endpoint's context window; None where it does, or the window is not known.

    | reason | what |
    |---|---|
    | context_window | prompt and answer may take more tokens than the window has |
    | context_unknown | it holds what cannot be counted: an image, a file, a length that is no number |
    """
    window = endpoint.context_window
    if window is None:
        return None
    output = _output_tokens(body, window)
    texts = [message.content for message in conversation.messages]
    calls = [one for name in ("tool_calls", "function_call") for one in _of_messages(body, name)]
    try:
        others = [_as_json(value) for value in (*calls, *(body.get(name) for name in _OTHER_TEXT)) if value is not None]
    except (TypeError, ValueError, RecursionError):
        return "context_unknown"
    if conversation.unreadable is not None or output is None:
        return "context_unknown"
    room = window - output - MESSAGE_TOKENS * (len(texts) + 1)
    n_bytes = sum(len(text.encode("utf-8", "replace")) for text in (*texts, *others))
    if n_bytes <= room:
        return None
    if n_bytes > room * _MOST_BYTES_A_TOKEN:
        return "context_window"
    return None if sum(most_tokens(text) for text in (*texts, *others)) <= room else "context_window"


def most_tokens(text: str) -> int:
    """Tokens of a text, on the safe side.

    >>> most_tokens("Fracture"), most_tokens("S72.001A"), most_tokens("骨折")
    (4, 7, 6)
    """
    content = text.encode("utf-8", "replace")
    n_digits = len(content) - len(content.translate(None, b"0123456789"))
    # A blank before a number is a token of its own.
    n_blanks = min(content.count(b" "), n_digits)
    n_full = len(content.translate(None, _LETTERS_AND_BLANKS)) + n_blanks
    n_full += sum(_n_letters(run) for run in _UNBROKEN.findall(content))
    return n_full + math.ceil((len(content) - n_full) / LETTERS_A_TOKEN)


def _n_letters(content: bytes) -> int:
    return len(content) - len(content.translate(None, _LETTERS_AND_BLANKS))


def _output_tokens(body: Mapping[str, Any], window: int) -> int | None:
    """Tokens to keep free for the answer; None where the request says what cannot be read."""
    named = [body[name] for name in ("max_completion_tokens", "max_tokens") if body.get(name) is not None]
    if not named:
        return min(ASSUMED_OUTPUT_TOKENS, window // 4)
    if any(isinstance(value, bool) or not isinstance(value, int) or value < 0 for value in named):
        return None
    return int(max(named))


def _of_messages(body: Mapping[str, Any], name: str) -> list[object]:
    messages = body.get("messages")
    return [one.get(name) for one in messages if isinstance(one, dict)] if isinstance(messages, list) else []


def _as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
