"""The requests of the chaos benchmark, drawn from a seed, and what an answer to one of them shows from outside.

Judges by what a client sees alone: the bytes that came, the code in the answer, who the headers say answered.
"""

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.gateways.client import Answer
from benchmarks.gateways.preceptor_server import STRONG, WEAK
from benchmarks.gateways.stub import WRONG

HIGH = ("high", "critical")
_ORDER = ("low", "standard", "high", "critical")


@dataclass(frozen=True)
class Asked:
    """One request."""

    number: int
    model: str
    stakes: str | None
    """What its header says."""
    is_streamed: bool
    key: str
    """`good`, `limited` or `wrong`."""
    is_coding: bool
    """Whether it asks for a code, which the pack's rules call high, or for a word's meaning, which they let be."""
    leaves: bool
    """Whether the client hangs up after the first bytes of the answer."""

    def body(self) -> dict[str, Any]:
        """Its JSON."""
        # Each begins another conversation: one that went to the strong model would stay with it.
        if self.is_coding:
            text = f"Code this diagnosis in ICD-10-CM: Fear of women. Visit {self.number}."
        else:
            letters = "".join(chr(ord("a") + int(digit)) for digit in str(self.number))
            text = f"Define the word x{letters}"
        body: dict[str, Any] = {"model": self.model, "messages": [{"role": "user", "content": text}]}
        if self.is_streamed:
            body |= {"stream": True, "stream_options": {"include_usage": self.number % 2 == 0}}
        return body

    def headers(self, keys: Mapping[str, str]) -> dict[str, str]:
        """Its headers, every detail of the decision asked for."""
        found = {"authorization": f"Bearer {keys[self.key]}", "x-preceptor-debug": "1"}
        return found if self.stakes is None else {**found, "x-preceptor-stakes": self.stakes}


@dataclass(frozen=True)
class Seen:
    """What its answer showed."""

    asked: Asked
    kind: str
    """`answer`, `error`, `left` (by the client), `lost`, or `cut` (by the killed worker)."""
    status: int = 0
    decision_id: str | None = None
    who: str | None = None
    bundle: str | None = None
    code: str = ""
    """The code of an error envelope."""
    leak: str = ""
    """Why a weak answer should not have left; empty: nothing seen from outside."""
    reasons: tuple[str, ...] = field(default=())
    why: str = ""
    """Of a lost one: what came."""


def draw(number: int, rng: random.Random) -> Asked:
    """The next request."""
    models = ("auto", "auto:medical_coding", "router-mf-0.3", "router-mf-0.9:medical_coding", WEAK, STRONG)
    return Asked(
        number,
        model=rng.choices(models, (50, 20, 8, 8, 10, 4))[0],
        stakes=rng.choices((None, *_ORDER), (35, 5, 15, 35, 10))[0],
        is_streamed=rng.random() < 0.35,
        key=rng.choices(("good", "limited", "wrong"), (93, 5, 2))[0],
        is_coding=rng.random() < 0.7,
        leaves=rng.random() < 0.02,
    )


def see(asked: Asked, answer: Answer, *, left: bool = False, cut: bool = False) -> Seen:
    """What the answer shows."""
    found = answer.headers
    shared: dict[str, Any] = {
        "status": answer.status,
        "decision_id": found.get("x-preceptor-decision-id"),
        "who": found.get("x-preceptor-model"),
        "bundle": found.get("x-preceptor-bundle"),
        "reasons": tuple(filter(None, found.get("x-preceptor-reason", "").split(","))),
    }
    text, error, fault = _read(asked, answer)
    leak = "" if text is None else _leak(asked, found, text)
    if left and not cut:
        return Seen(asked, "left", leak=leak, **shared)
    if fault is not None or left:
        return Seen(asked, "cut" if cut else "lost", leak=leak, why=fault or "", **shared)
    if error is not None:
        return Seen(asked, "error", code=str(error.get("code")), leak=leak, **shared)
    return Seen(asked, "answer", leak=leak, **shared)


def _read(asked: Asked, answer: Answer) -> tuple[str | None, dict[str, Any] | None, str | None]:
    """The text that came, the error that came, and why it is no whole answer."""
    is_stream = answer.headers.get("content-type", "").startswith("text/event-stream")
    text, error, fault = _events(answer.body) if is_stream else _whole(answer)
    if answer.fault is not None:
        fault = answer.fault
    return text, error, fault


def _whole(answer: Answer) -> tuple[str | None, dict[str, Any] | None, str | None]:
    try:
        said = json.loads(answer.body)
        if answer.status == 200:
            return said["choices"][0]["message"]["content"] or "", None, None
        return None, _envelope(said), None
    except (ValueError, KeyError, IndexError, TypeError):
        return None, None, f"status {answer.status}, neither an answer nor an error envelope: {answer.body[:80]!r}"


def _events(content: bytes) -> tuple[str, dict[str, Any] | None, str | None]:
    text, error = "", None
    *events, rest = content.split(b"\n\n")
    is_done = bool(events) and events[-1] == b"data: [DONE]"
    try:
        for one in events[:-1] if is_done else events:
            if one.startswith(b":"):  # a comment keeps a connection alive
                continue
            said = json.loads(one.removeprefix(b"data: "))
            if "error" in said:
                error = _envelope(said)
            for choice in said.get("choices", ()):
                text += choice["delta"].get("content") or ""
    except (ValueError, KeyError, TypeError):
        return text, error, "an event is not JSON"
    if rest:
        return text, error, "the last event is not whole"
    return text, error, None if is_done or error is not None else "the stream has no end"


def _envelope(said: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    error: dict[str, Any] = said["error"]
    if not isinstance(error["message"], str) or not {"type", "param", "code"} <= set(error):
        raise KeyError("message")
    return error


def _leak(asked: Asked, found: Mapping[str, str], text: str) -> str:
    """Why a weak answer should not have left; empty where it may, or is none."""
    if "weak)" not in text and found.get("x-preceptor-model") != WEAK:
        return ""
    tier = max(asked.stakes or "low", found.get("x-preceptor-stakes", "low"), key=_ORDER.index)
    if tier == "critical":
        return "a weak answer at critical stakes"
    if tier == "high" and WRONG in text:
        return "a wrong weak answer at high stakes"
    verdict = found.get("x-preceptor-verdict")
    if tier == "high" and verdict != "pass" and text:
        return f"a weak answer at high stakes, verdict {verdict}"
    return ""
