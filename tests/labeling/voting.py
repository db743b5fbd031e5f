"""Judging by wish: an expert who prefers the strong or the weak answer, whatever side it is shown on."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from labeling.judging.ballots import Ballot, Choice
from labeling.judging.submitting import submit
from labeling.queueing.experts import invite_expert
from labeling.queueing.offering import next_task
from tests.labeling.conftest import PLAIN_RULES, want

WITHOUT_SIDE = {
    "both": Choice.BOTH_ACCEPTABLE,
    "neither": Choice.NEITHER_ACCEPTABLE,
    "cannot": Choice.CANNOT_JUDGE,
}


def vote(engine: sa.Engine, expert: str, clock: Callable[[], datetime], wish: str, **marks: Any) -> str:
    """Judge the next pair and return its query's id.

    Args:
        engine: the store.
        expert: who judges.
        clock: tells the time.
        wish: strong, weak, both, neither or cannot.
        marks: `strong` and `weak`, whether that answer is acceptable; `strength` and `reason` of the verdict.
    """
    task = next_task(engine, expert, rules=PLAIN_RULES, now=clock())
    assert task is not None
    strong_left = "Dear words" in task.left
    sides = {"strong": "left" if strong_left else "right", "weak": "right" if strong_left else "left"}
    choice = WITHOUT_SIDE.get(wish) or Choice(f"{sides[wish]}_better")
    given = {f"{sides[tier]}_acceptable": marks.pop(tier) for tier in ("strong", "weak") if tier in marks}
    reason = marks.pop("reason", "no record" if wish == "cannot" else "")
    ballot = Ballot(task.assignment_id, task.revision, choice, reason=reason, **given, **marks)
    submit(engine, ballot, expert=expert, now=clock())
    return task.query.id


def two_experts(engine: sa.Engine, clock: Callable[[], datetime]) -> str:
    """Invite Dana Ruiz and Lee Okafor, who both judge every pair; returns the first one's name."""
    want(engine, 2)
    for name in ("Dana Ruiz", "Lee Okafor"):
        invite_expert(engine, name, by="lead", now=clock())
    return "Dana Ruiz"


def judge_six(engine: sa.Engine, clock: Callable[[], datetime]) -> dict[str, str]:
    """Let Dana judge six pairs, each in another way; returns the queries' ids by how."""
    return {
        **{wish: vote(engine, "Dana Ruiz", clock, wish) for wish in ("strong", "weak", "both", "neither", "cannot")},
        "strong, weak acceptable": vote(engine, "Dana Ruiz", clock, "strong", weak=True, strong=True),
    }
