"""Keeps what a person must look at, with its texts, where the settings ask for it; without that, nothing is kept.

A person must look at every request of critical stakes, and at one of high stakes whose recheck did not pass.
"""

from typing import Any, Protocol

import sqlalchemy as sa

from core.records import Decision, Query, Stakes
from core.store import create_tables
from core.unresolved import CheckSaid, MachineVerdict, Unresolved, keep_unresolved
from gateway.asking.upstream import Completion
from gateway.attempts import Attempt


class UnresolvedSink(Protocol):
    """Where requests for a person are kept; `UnresolvedLog` is one."""

    def keep(self, query: Query, decision: Decision, tried: Attempt) -> None:
        """Keep one, if a person must look. Raising is allowed and loses no request."""


class UnresolvedLog:
    """Keeps them in the store, for `preceptor label import --unresolved`. Synchronous, like the decision log."""

    def __init__(self, engine: sa.Engine, *, weak: str, strong: str) -> None:
        self._engine, self._weak, self._strong = engine, weak, strong
        create_tables(engine)

    def keep(self, query: Query, decision: Decision, tried: Attempt) -> None:
        """Keep the question and the answers that there are, by the decision's id.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the store does not take it.
        """
        if not needs_a_person(decision):
            return
        strong = tried.completion if not tried.is_weak else None
        said = tuple(CheckSaid(check=one.check, outcome=one.outcome, reason=one.reason) for one in decision.checks)
        row = Unresolved(
            id=decision.id,
            query=query.model_copy(update={"domain": decision.domain or query.domain, "stakes": decision.stakes}),
            weak=self._weak,
            strong=self._strong,
            weak_answer=_text(tried.weak),
            strong_answer=_text(strong),
            said=MachineVerdict(verdict=decision.verdict or "not_checked", checks=said),
        )
        keep_unresolved(self._engine, [row], origin="gateway", now=decision.at)


def needs_a_person(decision: Decision) -> bool:
    """Whether the recheck left something open that only a person can settle."""
    if decision.stakes is Stakes.CRITICAL:
        return True
    return decision.stakes is Stakes.HIGH and decision.verdict not in (None, "pass")


def _text(completion: Completion | None) -> str | None:
    """The first choice's text; None where there is none."""
    if completion is None:
        return None
    message: dict[str, Any] = completion.body["choices"][0]["message"]
    content = message.get("content")
    return content if isinstance(content, str) and content.strip() else None
