"""What a check needs to ask a model: a callable that is handed in. Opens no connection, keeps no text.

Whatever a callable raises becomes the outcome `error`, with the calls made until then.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from core.records import Message
from verifiers.case import Token


@dataclass(frozen=True)
class Given:
    """A model's reply. `cost_usd` is what the call cost, None where it is not known.

    `tokens` are there where the endpoint gave log-probabilities.

    `is_cut`: the model stopped at its limit of tokens, not at its end.
    """

    text: str
    cost_usd: float | None = None
    tokens: tuple[Token, ...] = ()
    is_cut: bool = False


class Ask(Protocol):
    """Asks one model; `options` are further fields of the request, such as the temperature."""

    def __call__(self, messages: Sequence[Message], options: Mapping[str, object]) -> Given:
        """The reply; raises where there is none."""
        ...


class AskingFailed(Exception):
    """A call brought no usable reply. `kind` is a slug; the message holds nothing else."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__(kind)


@dataclass
class Bill:
    """What one check asked of models, and what that cost; None once the cost of one call is not known."""

    calls: int = 0
    cost_usd: float | None = 0.0

    def ask(self, ask: Ask, messages: Sequence[Message], options: Mapping[str, object]) -> Given:
        """One call, counted before it is made and charged after.

        Raises:
            AskingFailed: the callable raised, or returned what is no reply; nothing of its message is kept.
        """
        self.calls += 1
        before, self.cost_usd = self.cost_usd, None  # not known until the reply tells
        try:
            given = ask(messages, options)
        except Exception as error:  # noqa: BLE001 - whatever a callable raises, its text may hold the answer
            raise AskingFailed(_kind_of(error)) from None
        if not isinstance(given, Given) or not isinstance(given.text, str):
            raise AskingFailed("malformed_reply")
        if given.cost_usd is not None:
            if not _is_amount(given.cost_usd):
                raise AskingFailed("malformed_cost")
            self.cost_usd = None if before is None else before + given.cost_usd
        if given.is_cut:
            raise AskingFailed("unfinished_reply")
        return given


def _is_amount(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _kind_of(error: Exception) -> str:
    """A slug for an error: its own `kind`, else its class.

    >>> _kind_of(TimeoutError("secret")), _kind_of(AskingFailed("status_500"))
    ('timeouterror', 'status_500')
    """
    kind = getattr(error, "kind", None)
    name = kind if isinstance(kind, str) else type(error).__name__
    return re.sub(r"[^a-z0-9_.-]", "_", name.lower())[:40].lstrip("_.-") or "unnamed"
