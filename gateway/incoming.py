"""A request as the loop reads it, once: what is asked, of whom, in which conversation. Asks and decides nothing."""

import os
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from core import fingerprint
from core.records import Query, Stakes
from gateway.conversation import Conversation, conversation_key, read_conversation
from gateway.model_names import Direct, Names, Routed, parse_model_name
from gateway.once import once
from gateway.told import Told

_RANDOM: deque[bytes] = deque()
os.register_at_fork(after_in_child=_RANDOM.clear)  # two processes never give the same id


def new_id() -> str:
    """A decision's id: 128 random bits, of which the system is asked for many at a time.

    >>> len(new_id()), new_id() == new_id()
    (36, False)
    """
    try:
        return f"dec_{_RANDOM.popleft().hex()}"
    except IndexError:
        drawn = os.urandom(16 * 256)
        _RANDOM.extend(drawn[start : start + 16] for start in range(0, len(drawn), 16))
        return f"dec_{_RANDOM.popleft().hex()}"


class Incoming:
    """One request.

    Args:
        body: OpenAI's, with a `model` and `messages`; it is never changed.
        told: what came beside it.
        names: those that work.

    Raises:
        UnknownModel, BadThreshold: `model` is none of them.
    """

    def __init__(self, body: Mapping[str, Any], told: Told, *, names: Names) -> None:
        self.started_s = time.perf_counter()
        self.body, self.told = body, told
        self.asked: Direct | Routed = parse_model_name(body["model"], names=names)
        self.id = new_id()

    @once
    def conversation(self) -> Conversation:
        """The turns as text."""
        return read_conversation(
            self.body["messages"], tools=self.body.get("tools"), functions=self.body.get("functions")
        )

    @once
    def key(self) -> tuple[str, float]:
        """The conversation's hash, and its lot in [0, 1)."""
        return conversation_key(self.body, self.told)

    @property
    def is_first_turn(self) -> bool:
        """Whether nothing was answered in it before, as far as the request shows: a session may leave that out."""
        return self.told.session is None and not self.conversation.is_continued

    @once
    def query_sha256(self) -> str:
        """Hash of the conversation's text."""
        return fingerprint.of_text(self.conversation.text)

    @once
    def task_sha256(self) -> str | None:
        """Hash of the task that the client named, with its key's id: two keys share none."""
        task = self.told.task
        return None if task is None else fingerprint.of_texts((self.told.key_id or "", task))

    @property
    def domain(self) -> str | None:
        """The domain that the model's name says; None where it says none."""
        return self.asked.domain if isinstance(self.asked, Routed) else None

    @property
    def wants_stream(self) -> bool:
        """Whether the answer is wanted as events."""
        return bool(self.body.get("stream"))

    @property
    def wants_usage(self) -> bool:
        """Whether the events shall end with the usage."""
        options = self.body.get("stream_options")
        return isinstance(options, Mapping) and options.get("include_usage") is True

    @once
    def whole(self) -> Mapping[str, Any]:
        """The body for one whole answer, as an answer that is rechecked must be."""
        if not self.wants_stream:
            return self.body
        return {key: value for key, value in self.body.items() if key not in ("stream", "stream_options")}

    @property
    def forces_tools(self) -> bool:
        """Whether the answer must be a tool call, which no check can judge.

        | field | forces one |
        |---|---|
        | `tool_choice` | `required`, or an object that names a tool or says `required` |
        | `function_call` | an object |
        """
        choice = self.body.get("tool_choice")
        if isinstance(choice, Mapping):
            allowed = choice.get("allowed_tools")
            return not isinstance(allowed, Mapping) or allowed.get("mode") != "auto"
        return choice == "required" or isinstance(self.body.get("function_call"), Mapping)

    @property
    def elapsed_ms(self) -> float:
        """Since it came."""
        return (time.perf_counter() - self.started_s) * 1000

    def query(self, stakes: Stakes) -> Query:
        """The question as checks and experts read it."""
        domain = self.domain or "general"
        return Query(id=self.id, messages=self.conversation.messages, stakes=stakes, domain=domain)
