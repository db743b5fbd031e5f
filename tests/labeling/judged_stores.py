"""Stores that simulated experts judged through the offers and the saving that real ones use."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import sqlalchemy as sa

from core.access import Role
from labeling.judging.ballots import FREE, Ballot, Choice
from labeling.judging.submitting import submit
from labeling.queueing.dealing import OfferRules
from labeling.queueing.experts import invite_expert
from labeling.queueing.offering import Task, next_task
from tests.labeling.conftest import PLAIN_RULES


@dataclass(frozen=True)
class Simulated:
    """An expert who finds the better answer, or favours a side, or does not look at all.

    Attributes:
        name: their login.
        skill: chance of voting by the better answer; else they vote at random between left and right.
        left: chance added to the left when they vote at random or are in doubt.
        seconds: time at work on a pair.
    """

    name: str
    skill: float = 0.9
    left: float = 0.0
    seconds: float = 90.0

    def choose(self, task: Task, rng: np.random.Generator) -> Choice:
        """A verdict: the answer with dear words is the better one, whichever side it stands on."""
        better_is_left = task.left.startswith("Dear")
        looks = rng.random() < self.skill
        goes_left = better_is_left if looks else bool(rng.random() < 0.5 + self.left)
        return Choice.LEFT_BETTER if goes_left else Choice.RIGHT_BETTER


def enrol(engine: sa.Engine, names: Sequence[str], *, now: datetime) -> None:
    """Give these people an account and the role of an annotator."""
    for name in names:
        invite_expert(engine, name, roles=(Role.ANNOTATOR,), by="lead", now=now)


def judge_all(
    engine: sa.Engine,
    experts: Sequence[Simulated],
    clock: Callable[[], datetime],
    *,
    rng: np.random.Generator,
    rules: OfferRules = PLAIN_RULES,
    choose: Callable[[Simulated, Task], Choice] | None = None,
    at_most: int = 100_000,
) -> int:
    """Let the experts judge in turns until nobody is offered anything more; returns the number of judgements."""
    enrol(engine, [one.name for one in experts], now=clock())
    n = 0
    working = list(experts)
    while working and n < at_most:
        for one in list(working):
            task = next_task(engine, one.name, rules=rules, now=clock())
            if task is None:
                working.remove(one)
                continue
            choice = choose(one, task) if choose else one.choose(task, rng)
            ballot = ballot_of(task, choice, seconds=one.seconds * float(rng.lognormal(0, 0.3)))
            submit(engine, ballot, expert=one.name, rules=FREE, now=clock())
            n += 1
    return n


def ballot_of(task: Task, choice: Choice, *, seconds: float = 60.0, **fields: Any) -> Ballot:
    """The ballot that says so."""
    return Ballot(task.assignment_id, task.revision, choice, active_ms=int(1000 * seconds), **fields)


class Days:
    """A clock that moves a second at every look, and a day after so many looks."""

    def __init__(self, start: datetime, looks_a_day: int) -> None:
        self.moment, self.left, self.looks_a_day = start, looks_a_day, looks_a_day

    def __call__(self) -> datetime:
        self.moment += timedelta(seconds=1)
        self.left -= 1
        if self.left == 0:
            self.moment, self.left = self.moment + timedelta(days=1), self.looks_a_day
        return self.moment
