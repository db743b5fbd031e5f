"""Asking all questions that have no answer yet: paced, retried, capped, resumable.

An answer that is on disk is never asked for again. A question that fails is reported and holds up no other.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime

from core.answer_file import AnswerFile, GivenAnswer
from core.endpoint import Client, Endpoint, NoAnswer, Reply
from core.moments import timestamp
from core.pacing import Pace
from core.questions import Question, open_questions
from core.spending import Budget, Estimate, OutputLengths, cost_of, estimate, most_tokens_of

LONGEST_WAIT_S = 60.0
"""Of the waits that we choose; what an endpoint asks for in Retry-After may be longer, up to an hour."""


@dataclass(frozen=True)
class AskRules:
    """How endpoints are asked."""

    data_class: str = "deidentified"
    requests_per_minute: float | None = None
    """Of each endpoint; None: as fast as it answers."""
    n_parallel: int = 4
    """Questions under way at once, of each endpoint."""
    n_tries: int = 6
    first_wait_s: float = 1.0
    """Before the second try; doubled before each further one, with jitter."""
    max_usd: float | None = None
    """Cap on what all answers in the file cost together."""
    max_tokens: int | None = None


@dataclass(frozen=True)
class Failure:
    """A question to which a model gave no answer; `kind` is a slug such as `status_500`."""

    place: str
    model: str
    kind: str


@dataclass(frozen=True)
class AskReport:
    """What came of it."""

    n_questions: int
    n_known: int
    """Answers that stood in the file before."""
    n_given: int
    """Answers that came now."""
    n_cut: int
    """Of all answers, those cut off at the limit of tokens."""
    n_open: int
    """Answers that were not asked for, since asking stopped."""
    spent_usd: float
    """By all runs with this file."""
    failures: tuple[Failure, ...] = ()
    stopped: str = ""
    """Why asking ended before all were asked: `cap`, or what one endpoint answers to every question."""


@dataclass
class Asking:
    """One run: whom to ask what it is told, and how.

    Args:
        file: where answers are kept; those in it are not asked for.
        rules: pace, tries, cap.
        rng: jitter of the waits.
        clock: tells the time.
        progress: is told the number of answers that came and the dollars spent.
    """

    file: AnswerFile
    rules: AskRules
    rng: random.Random
    clock: Callable[[], datetime]
    progress: Callable[[int, float], None] = lambda n_given, spent_usd: None
    n_given: int = 0
    stopped: str = ""
    failures: list[Failure] = field(default_factory=list)
    budget: Budget = field(init=False)
    lengths: OutputLengths = field(init=False)

    def __post_init__(self) -> None:
        self.budget = Budget(0.0, self.rules.max_usd)
        self.lengths = OutputLengths(self.file.answers.values(), max_tokens=self.rules.max_tokens)

    def estimates(self, endpoints: Sequence[Endpoint], questions: Sequence[Question]) -> list[Estimate]:
        """What is left to ask of each endpoint, and its cost; questions that may not be sent there are left out."""
        return [
            estimate(
                endpoint,
                [
                    one.messages
                    for one in open_questions(endpoint.model, questions, self.file)
                    if self.may_send(endpoint, one)
                ],
                n_output=self.lengths.expected(endpoint.model),
            )
            for endpoint in endpoints
        ]

    def may_send(self, endpoint: Endpoint, question: Question) -> bool:
        """Whether the question may leave for that endpoint."""
        return endpoint.may_be_sent(self.rules.data_class, has_findings=question.has_findings)

    async def ask_all(self, endpoints: Sequence[Endpoint], questions: Sequence[Question]) -> AskReport:
        """Ask every endpoint every question that it has not answered yet; one with nothing open needs no key.

        Raises:
            SettingsError: a key is missing.
        """
        by_model = {endpoint.model: endpoint for endpoint in endpoints}
        known = [answer for answer in self.file.answers.values() if answer.model in by_model]
        self.budget.spent_usd = sum(cost_of(answer, by_model[answer.model]) for answer in known)
        wanted = {(endpoint.model, one.messages_sha256) for endpoint in endpoints for one in questions}
        n_known = sum(1 for key in wanted if key in self.file.answers)
        async with AsyncExitStack() as stack:
            open_of = {one: deque(open_questions(one.model, questions, self.file)) for one in endpoints}
            clients = [await stack.enter_async_context(Client(one)) for one, left in open_of.items() if left]
            async with asyncio.TaskGroup() as group:
                for client in clients:
                    left = open_of[client.endpoint]
                    pace = Pace(self.rules.requests_per_minute)
                    for _ in range(self.rules.n_parallel):
                        group.create_task(self._work(client, left, pace))
        return AskReport(
            n_questions=len(questions),
            n_known=n_known,
            n_given=self.n_given,
            n_cut=sum(1 for key in wanted if key in self.file.answers and self.file.answers[key].is_cut),
            n_open=len(wanted) - n_known - self.n_given - len(self.failures),
            spent_usd=self.budget.spent_usd,
            failures=tuple(sorted(self.failures, key=_by_place)),
            stopped=self.stopped,
        )

    async def _work(self, client: Client, left: deque[Question], pace: Pace) -> None:
        endpoint = client.endpoint
        while left and not self.stopped:
            question = left.popleft()
            if not self.may_send(endpoint, question):
                kind = "identifier_found" if self.rules.data_class == "deidentified" else "data_class_forbids"
                self.failures.append(Failure(question.place, endpoint.model, kind))
                continue
            n_output = self.rules.max_tokens or 2 * self.lengths.expected(endpoint.model)
            reserved_usd = endpoint.cost_usd(most_tokens_of(question.messages), n_output)
            if not await self.budget.reserve(reserved_usd):
                self.stopped = self.stopped or "cap"
                return
            spent_usd = 0.0
            if self.stopped:  # while this one waited for room under the cap
                await self.budget.settle(reserved_usd, spent_usd)
                return
            try:
                answer = _given(question, await self._insist(client, question, pace), endpoint, self.clock())
                self.file.add(answer)
                self.lengths.add(answer)
                self.n_given += 1
                spent_usd = cost_of(answer, endpoint)
            except NoAnswer as none:
                self.failures.append(Failure(question.place, endpoint.model, none.kind))
                if none.is_fatal:
                    self.stopped = f"{none.kind} of '{endpoint.model}'"
            finally:
                await self.budget.settle(reserved_usd, spent_usd)
            self.progress(self.n_given, self.budget.spent_usd)

    async def _insist(self, client: Client, question: Question, pace: Pace) -> Reply:
        """The answer of the first try that brings one; what may pass is tried again after a growing wait."""
        rules = self.rules
        for n_before in range(rules.n_tries):
            await pace.turn()
            try:
                return await client.ask(
                    question.messages, max_tokens=rules.max_tokens, now=self.clock(), options=question.options
                )
            except NoAnswer as none:
                if not none.is_transient or n_before + 1 == rules.n_tries or self.stopped:
                    raise
                if none.retry_after_s > 0:
                    pace.hold(none.retry_after_s)
                await asyncio.sleep(min(rules.first_wait_s * 2**n_before, LONGEST_WAIT_S) * self.rng.uniform(0.5, 1.0))
        raise NoAnswer("not_tried", is_transient=False)


def _given(question: Question, reply: Reply, endpoint: Endpoint, now: datetime) -> GivenAnswer:
    is_counted = reply.n_input is not None and reply.n_output is not None
    return GivenAnswer(
        model=endpoint.model,
        messages_sha256=question.messages_sha256,
        text=reply.text,
        n_input=reply.n_input,
        n_output=reply.n_output,
        cost_usd=endpoint.cost_usd(reply.n_input or 0, reply.n_output or 0) if is_counted else None,
        latency_ms=reply.latency_ms,
        is_cut=reply.is_cut,
        at=timestamp(now),
    )


def _by_place(failure: Failure) -> tuple[str, str]:
    return failure.place, failure.model
