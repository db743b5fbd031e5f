"""The text that a router reads of a conversation, in training as in serving. Checks and stakes read the whole instead.

A router learns from bare questions, and its threshold was measured on them. So what the human asks comes first and
bare, and what the other turns say follows as context. A system prompt, which is the same for all that one program asks,
stays out, as does what a harness writes into the human's turns: a prompt of one line in front of the question moves all
scores the same way, so that a threshold keeps another promise, and a long one leaves an encoder nothing of the question
(docs/gateway/routing.md has the figures).

| conversation | the router's text |
|---|---|
| one message | that message, as it is |
| a system prompt and one user turn | the user's turn alone |
| several turns | the last user turn, then the others in their order, each with its role |

Of a long transcript the ask, the first turn and the last ones are read, and `[...]` stands for what is left out.
"""

import re
from collections.abc import Sequence
from typing import Protocol

ASK_CHARS = 4_000
"""Characters read of the last user turn where there are other turns."""

CONTEXT_CHARS = 4_000
"""Characters read of all other turns together."""

TURN_CHARS = 1_000
"""Characters read of each of them."""

LEFT_OUT = "[...]"

HARNESS_TAGS = ("system-reminder", "environment_details", "environment_context", "function_results", "tool_result")
"""Blocks that agents' harnesses write into user turns."""

_INSTRUCTIONS = ("system", "developer")
_OPENING = re.compile(rf"<({'|'.join(HARNESS_TAGS)})>")


class Turn(Protocol):
    """One turn of a conversation; `core.records.Message` is one."""

    @property
    def role(self) -> str:
        """Who speaks."""
        ...

    @property
    def content(self) -> str:
        """What was said."""
        ...


def routing_text(turns: Sequence[Turn]) -> str:
    r"""What a router reads of the turns; see the table above.

    >>> from core.records import Message
    >>> system, ask = Message(role="system", content="You code."), Message(role="user", content="Code asthma.")
    >>> routing_text([ask]), routing_text([system, ask])
    ('Code asthma.', 'Code asthma.')
    >>> said = Message(role="assistant", content="J45.909")
    >>> routing_text([system, ask, said, Message(role="user", content="And in a child?")])
    'And in a child?\n\nuser: Code asthma.\n\nassistant: J45.909'
    """
    if len(turns) == 1:
        return turns[0].content
    spoken = [(turn.role, _of_the_speaker(turn)) for turn in turns if turn.role not in _INSTRUCTIONS]
    spoken = [(role, content) for role, content in spoken if content.strip()]
    if not spoken:
        return _cut("\n\n".join(turn.content for turn in turns), ASK_CHARS)
    if len(spoken) == 1:
        return spoken[0][1]
    asked = max((i for i, (role, _) in enumerate(spoken) if role == "user"), default=len(spoken) - 1)
    context = [f"{role}: {_cut(content, TURN_CHARS)}" for i, (role, content) in enumerate(spoken) if i != asked]
    return "\n\n".join((_cut(spoken[asked][1], ASK_CHARS), *_first_and_last(context)))


def _of_the_speaker(turn: Turn) -> str:
    return without_harness(turn.content) if turn.role == "user" else turn.content


def without_harness(text: str) -> str:
    """The text without a harness's blocks; one that is not closed stays.

    >>> without_harness("<system-reminder>Be brief.</system-reminder> Fix the test. <tool_result>")
    'Fix the test. <tool_result>'
    """
    kept: list[str] = []
    never_closed: set[str] = set()
    position = 0
    while (opening := _OPENING.search(text, position)) is not None:
        name = opening.group(1)
        # A name without a closing tag is searched for once, so that the work grows with the text alone.
        end = -1 if name in never_closed else text.find(f"</{name}>", opening.end())
        if end < 0:
            never_closed.add(name)
            kept.append(text[position : opening.end()])
            position = opening.end()
        else:
            kept.append(text[position : opening.start()])
            position = end + len(name) + 3
    if not position:
        return text
    return "".join((*kept, text[position:])).strip()


def _cut(text: str, n_chars: int) -> str:
    """The text, or its first and its last half where it is longer."""
    if len(text) <= n_chars:
        return text
    half = (n_chars - len(LEFT_OUT) - 2) // 2
    return f"{text[:half]} {LEFT_OUT} {text[-half:]}"


def _first_and_last(context: Sequence[str]) -> list[str]:
    """The first turn and as many of the last ones as may be read."""
    left = CONTEXT_CHARS - len(context[0])
    last: list[str] = []
    for turn in reversed(context[1:]):
        left -= len(turn)
        if left < 0:
            last.append(LEFT_OUT)
            break
        last.append(turn)
    return [context[0], *reversed(last)]
