"""Judging a file of queries: both models answer, the judge compares in both orders, each reply is on disk at once.

Answers and replies stand in append-only files, so a run that was killed goes on where it stopped and pays nothing
twice. Texts go to the endpoints that the settings name and nowhere else; nothing but counts is said of them.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache

from core.answer_file import AnswerFile
from core.asking import Asking, AskReport, AskRules
from core.endpoint import Endpoint
from core.questions import Question, open_questions
from core.screening import Screen, identifier_screen
from core.spending import ASSUMED_OUTPUT_TOKENS, CHARS_A_TOKEN, Estimate
from pipeline.judge_prompt import N_RETRIES, Blinded, JudgePrompt, read_reply
from pipeline.judge_rows import ToJudge, questions_for, with_answers
from pipeline.judge_verdicts import UNANSWERED, Ruling, Said, ruling_of, said_by

_PLACEHOLDER = "x" * (ASSUMED_OUTPUT_TOKENS * CHARS_A_TOKEN)
"""Stands for an answer that is not there yet, where the judge's cost is estimated."""

ORDERS = (True, False)
"""Whether the weak model's answer is shown first."""


@dataclass(frozen=True)
class Judged:
    """Every row with its ruling, in order, and what became of the asking."""

    rows: tuple[ToJudge, ...]
    rulings: tuple[Ruling, ...]
    n_cut: int
    """Answers that were longer than the judge reads."""
    spent_usd: float
    reports: tuple[AskReport, ...]

    @property
    def stopped(self) -> str:
        """Why asking ended before all were asked; empty where it did not."""
        return next((report.stopped for report in self.reports if report.stopped), "")


@dataclass
class Judging:
    """One run: whom to ask for answers, whom to judge them, and where both are kept.

    Args:
        pair: the endpoints of those models of the pair of which an answer is missing.
        judge: the judge's endpoint.
        prompt: what it is asked.
        answers: the file of the pair's answers.
        verdicts: the file of the judge's replies.
        rules: pace, tries, class of the texts, and the cap on all that both files cost.
        clock: tells the time.
        rng: jitter of the waits.
        progress: is told how many answers came, and the dollars spent.
    """

    pair: tuple[Endpoint, ...]
    judge: Endpoint
    prompt: JudgePrompt
    answers: AnswerFile
    verdicts: AnswerFile
    rules: AskRules
    clock: Callable[[], datetime]
    rng: random.Random
    progress: Callable[[int, float], None] = lambda n_given, spent_usd: None
    _screen: Screen | None = field(init=False)

    def __post_init__(self) -> None:
        may_see_all = all(
            endpoint.may_be_sent(self.rules.data_class, has_findings=True) for endpoint in (*self.pair, self.judge)
        )
        # Cached, since estimating and judging search the same texts.
        self._screen = None if may_see_all else cache(identifier_screen())

    def estimates(self, rows: list[ToJudge]) -> list[Estimate]:
        """What is left to ask of each model, and what it costs; for the judge as if no reply had to be asked again."""
        rows = with_answers(rows, self.prompt.pair, self.answers)
        found = []
        for endpoint in self.pair:
            asking = self._asking(self.answers, self.rules)
            found += asking.estimates([endpoint], questions_for(endpoint.model, rows, self._screen))
        shown = [self._blinded(row, _PLACEHOLDER) for row in rows]
        asked = [question for one in shown for question in self._unread(one, attempt=0)]
        return found + self._asking(self.verdicts, self.rules).estimates([self.judge], asked)

    def judge_all(self, rows: list[ToJudge]) -> Judged:
        """Ask for the answers that are missing, then have the judge compare, asking again where it cannot be read.

        Raises:
            SettingsError: a key is missing.
        """
        reports: list[AskReport] = []
        asked = {endpoint.model for endpoint in self.pair}
        unasked = [one for one in self.answers.answers.values() if one.model in set(self.prompt.pair) - asked]
        spent_usd = sum(one.cost_usd or 0.0 for one in unasked)
        missing = with_answers(rows, self.prompt.pair, self.answers)
        for endpoint in self.pair:
            report = self._ask(endpoint, questions_for(endpoint.model, missing, self._screen), self.answers, spent_usd)
            reports.append(report)
            spent_usd += report.spent_usd
        rows = with_answers(rows, self.prompt.pair, self.answers)
        is_complete = [len(row.answers) == len(self.prompt.pair) for row in rows]
        shown = [self._blinded(row) if complete else None for row, complete in zip(rows, is_complete, strict=True)]
        blinded = [one for one in shown if one is not None]
        judged_usd = 0.0
        for attempt in range(0 if any(report.stopped for report in reports) else 1 + N_RETRIES):
            due = [question for one in blinded for question in self._unread(one, attempt)]
            if attempt and not open_questions(self.judge.model, due, self.verdicts):
                break
            report = self._ask(self.judge, due, self.verdicts, spent_usd)
            reports.append(report)
            judged_usd = report.spent_usd
            if report.stopped:
                break
        return Judged(
            tuple(rows),
            tuple(UNANSWERED if one is None else self._ruling(one) for one in shown),
            sum(one.n_cut for one in blinded),
            spent_usd + judged_usd,
            tuple(reports),
        )

    def _asking(self, file: AnswerFile, rules: AskRules) -> Asking:
        return Asking(file, rules, self.rng, self.clock, self.progress)

    def _ask(self, endpoint: Endpoint, asked: Sequence[Question], file: AnswerFile, spent_usd: float) -> AskReport:
        """Ask one endpoint within what the cap leaves."""
        cap = self.rules.max_usd
        rules = replace(self.rules, max_usd=None if cap is None else max(0.0, cap - spent_usd))
        once_each = list({question.messages_sha256: question for question in asked}.values())
        return asyncio.run(self._asking(file, rules).ask_all([endpoint], once_each))

    def _blinded(self, row: ToJudge, placeholder: str = "") -> Blinded:
        texts, n_cut = [], 0
        for model in self.prompt.pair:
            answer = row.answers.get(model)
            text, was_cut = self.prompt.blinded(answer.text if answer else placeholder)
            texts.append(text)
            n_cut += was_cut
        screen = self._screen
        has_findings = screen is not None and any(screen(text) for text in (row.query.text, *texts))
        return Blinded(row.place, row.query, texts[0], texts[1], n_cut, has_findings)

    def _unread(self, shown: Blinded, attempt: int) -> list[Question]:
        """The questions of this attempt whose earlier attempts all brought a reply that cannot be read."""
        return [
            self.prompt.question(shown, weak_first=weak_first, vote=vote, attempt=attempt)
            for weak_first in ORDERS
            for vote in range(self.prompt.votes)
            if all(
                self._is_unreadable(self.prompt.question(shown, weak_first=weak_first, vote=vote, attempt=earlier))
                for earlier in range(attempt)
            )
        ]

    def _is_unreadable(self, question: Question) -> bool:
        reply = self.verdicts.answers.get((self.judge.model, question.messages_sha256))
        return reply is not None and read_reply(reply.text) is None

    def _ruling(self, shown: Blinded) -> Ruling:
        votes: dict[bool, list[Said | None]] = {True: [], False: []}
        for weak_first in ORDERS:
            for vote in range(self.prompt.votes):
                is_answered, said = self._vote(shown, weak_first=weak_first, vote=vote)
                if not is_answered:
                    return UNANSWERED
                votes[weak_first].append(said)
        ruling = ruling_of(votes[True], votes[False])
        # Two equal answers have one order: they say nothing about the judge's bias for a position.
        return replace(ruling, was_read_twice=False) if shown.weak == shown.strong else ruling

    def _vote(self, shown: Blinded, *, weak_first: bool, vote: int) -> tuple[bool, Said | None]:
        """Whether all replies that are due came, and what the first that can be read says."""
        for attempt in range(1 + N_RETRIES):
            question = self.prompt.question(shown, weak_first=weak_first, vote=vote, attempt=attempt)
            kept = self.verdicts.answers.get((self.judge.model, question.messages_sha256))
            if kept is None:
                return False, None
            reply = read_reply(kept.text)
            if reply is not None:
                return True, said_by(reply, weak_first=weak_first)
        return True, None
