"""The nouns of the house: frozen records that every room shares.

| record | what it is |
|---|---|
| Query | what the user asks: messages, domain, stratum, stakes |
| Answer | one model's answer to one query, with what it cost |
| Pair | one query with two models' answers, in canonical order |
| Judgement | one expert's verdict on a pair |
| Outcome | per query, the quality of each model's answer, with its source |
| Decision | what the gateway did with one request, without its text |
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.call_record import CallRecord
from core.check_record import CheckRecord
from core.routing_text import routing_text

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
"""A number in [0, 1]: a probability, a quality, a share of calls."""

Weight = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""How much a row counts beside others: 2 is as good as the same row twice."""

InclusionProbability = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
"""The chance that a sampler had of choosing a row, in (0, 1]."""

Name = Annotated[str, Field(min_length=1, max_length=200)]
"""A non-empty identifier."""


class Record(BaseModel):
    """A frozen record: unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Stakes(StrEnum):
    """What a wrong answer costs, in four tiers. Unknown means high.

    | tier | a weak answer |
    |---|---|
    | low | leaves unchecked |
    | standard | leaves unless a check failed or broke |
    | high | leaves when every check passed |
    | critical | is never asked for: the strong model answers, and a person looks |

    They are ordered by what a wrong answer costs, not by their letters; a text compares as the tier that it names.

    >>> Stakes.LOW < Stakes.STANDARD < Stakes.HIGH < Stakes.CRITICAL, Stakes.CRITICAL > "low"
    (True, True)
    >>> max(Stakes.HIGH, Stakes.LOW).value, Stakes.STANDARD.is_high
    ('high', False)
    """

    LOW = "low"
    STANDARD = "standard"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for low to 3 for critical."""
        return _RANKS[self]

    @property
    def is_high(self) -> bool:
        """Whether an answer must be shown right before it leaves: high and critical."""
        return _RANKS[self] >= _RANKS["high"]

    def __lt__(self, other: str) -> bool:
        return _RANKS[self] < _rank_of(other)

    def __le__(self, other: str) -> bool:
        return _RANKS[self] <= _rank_of(other)

    def __gt__(self, other: str) -> bool:
        return _RANKS[self] > _rank_of(other)

    def __ge__(self, other: str) -> bool:
        return _RANKS[self] >= _rank_of(other)


_RANKS: Mapping[str, int] = {stakes: rank for rank, stakes in enumerate(Stakes)}


def _rank_of(tier: str) -> int:
    return _RANKS[tier] if tier in _RANKS else Stakes(tier).rank  # which says what is wrong with it


class Source(StrEnum):
    """Who said how good an answer is."""

    EXPERT = "expert"
    REFERENCE = "reference"
    JUDGE = "judge"


class Verdict(StrEnum):
    """One expert's comparison of two answers, in the pair's canonical order."""

    FIRST_BETTER = "first_better"
    SECOND_BETTER = "second_better"
    BOTH_ACCEPTABLE = "both_acceptable"
    NEITHER_ACCEPTABLE = "neither_acceptable"
    CANNOT_JUDGE = "cannot_judge"


QUALITIES: Mapping[Verdict, tuple[float, float]] = {
    Verdict.FIRST_BETTER: (1.0, 0.0),
    Verdict.SECOND_BETTER: (0.0, 1.0),
    Verdict.BOTH_ACCEPTABLE: (1.0, 1.0),
    Verdict.NEITHER_ACCEPTABLE: (0.0, 0.0),
}
"""Quality of (first, second) where a verdict speaks alone; *cannot judge* says nothing."""


class Message(Record):
    """One turn of a conversation, text only."""

    role: str
    content: str


class Query(Record):
    """What the user asks.

    `group` binds rows that must never part in a split (one claim, one patient, one contract).
    `topic` is a finer label inside the domain, used by the topic-prior floor.
    `reference` is the right answer where one is known.
    """

    id: Name
    messages: tuple[Message, ...] = Field(min_length=1)
    domain: Name = "general"
    stakes: Stakes = Stakes.HIGH
    stratum: Name | None = None
    group: str | None = None
    topic: str | None = None
    reference: str | None = None

    @property
    def text(self) -> str:
        """The whole conversation as one text, as checks and stakes read it (see `conversation_text`)."""
        return conversation_text(self.messages)

    @property
    def routing_text(self) -> str:
        """What a router reads of it (see `core.routing_text`); of a lone message the same as `text`."""
        return routing_text(self.messages)

    @property
    def stratum_name(self) -> str:
        """The stratum, or domain and stakes where none was given."""
        return self.stratum or f"{self.domain}/{self.stakes}"


class Answer(Record):
    """One model's answer to one query."""

    query_id: Name
    model: Name
    text: str
    cost_usd: float | None = Field(default=None, ge=0)
    latency_ms: float | None = Field(default=None, ge=0)


class Pair(Record):
    """One query with two models' answers; `first` sorts before `second`, so position says nothing."""

    id: Name
    query: Query
    first: Answer
    second: Answer


class Mark(Record):
    """A sentence of one answer, counted from 0, that an expert marked as faulty."""

    answer: Literal["first", "second"]
    sentence: int = Field(ge=0)
    category: Name
    severity: Literal["minor", "major", "critical"]


class Judgement(Record):
    """One expert's verdict on a pair, in canonical order whatever side was shown where.

    `first_acceptable` and `second_acceptable` answer *acceptable for release?*; None means not asked.
    `strength` says how much the better answer is better: 1 slightly, 2 clearly, 3 much.
    `swapped` is true when `second` was shown on the left.
    `active_ms` leaves pauses out, `wall_ms` does not.
    """

    id: Name
    pair_id: Name
    expert: Name
    verdict: Verdict
    strength: int | None = Field(default=None, ge=1, le=3)
    first_acceptable: bool | None = None
    second_acceptable: bool | None = None
    swapped: bool = False
    reason: str = ""
    reason_codes: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()
    guideline_version: int | None = None
    active_ms: int | None = Field(default=None, ge=0)
    wall_ms: int | None = Field(default=None, ge=0)
    at: datetime

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        marks = (self.first_acceptable, self.second_acceptable)
        if self.verdict is Verdict.BOTH_ACCEPTABLE and False in marks:
            raise ValueError("verdict 'both_acceptable' contradicts an answer marked not acceptable")
        if self.verdict is Verdict.NEITHER_ACCEPTABLE and True in marks:
            raise ValueError("verdict 'neither_acceptable' contradicts an answer marked acceptable")
        if self.verdict is Verdict.CANNOT_JUDGE and not (self.reason.strip() or self.reason_codes):
            raise ValueError("verdict 'cannot_judge' needs a reason")
        if self.strength is not None and self.verdict not in (Verdict.FIRST_BETTER, Verdict.SECOND_BETTER):
            raise ValueError(f"verdict '{self.verdict}' prefers no answer, so it has no strength")
        return self

    @property
    def qualities(self) -> tuple[float, float] | None:
        """Quality of the first and of the second answer; None where it could not be judged.

        | judgement | quality of an answer |
        |---|---|
        | marked acceptable / not acceptable | 1 / 0, whatever the verdict |
        | no mark, and it is the better one or both are acceptable | 1 |
        | no mark, and it is the worse one or neither is acceptable | 0 |
        | cannot judge | none: the judgement is left out |
        """
        if self.verdict is Verdict.CANNOT_JUDGE:
            return None
        first, second = QUALITIES[self.verdict]
        if self.first_acceptable is not None:
            first = float(self.first_acceptable)
        if self.second_acceptable is not None:
            second = float(self.second_acceptable)
        return first, second


class Graded(Record):
    """How good one model's answer was, and what it cost."""

    quality: Share
    text: str | None = None
    cost_usd: float | None = Field(default=None, ge=0)


class Outcome(Record):
    """Per query, the quality in [0, 1] of each model's answer, with its source.

    `weight` says how much the row counts beside others. `inclusion_probability` is the chance that a sampler had of
    choosing the query; None: not known, or everything was taken. How they become weights: `models.targets`.
    """

    query: Query
    results: Mapping[str, Graded] = Field(min_length=1)
    source: Source = Source.REFERENCE
    weight: Weight = 1.0
    inclusion_probability: InclusionProbability | None = None


class Decision(Record):
    """What the gateway did with one request. Holds no text: hashes, numbers and names only.

    `cost_usd` is that of all its calls, the recheck's too; None where one is not known. `checks` are those of the weak
    answer's recheck, `rules` and `policy_sha256` what named its stakes. `calls` are those of the weak and the strong
    model in their order; `arm` says which of two bundles decided; `task_sha256` groups the requests that a client named
    as one task, `conversation_sha256` those of one conversation.
    """

    id: Name
    at: datetime
    requested_model: str
    answered_by: str | None
    bundle: str | None
    probability: float | None
    threshold: float | None
    domain: str | None
    stakes: Stakes
    verdict: str | None
    reasons: tuple[str, ...]
    cost_usd: float | None
    latency_ms: float
    query_sha256: str
    checks: tuple[CheckRecord, ...] = ()
    rules: tuple[str, ...] = ()
    policy_sha256: str | None = None
    calls: tuple[CallRecord, ...] = ()
    arm: Literal["champion", "canary"] = "champion"
    is_streamed: bool = False
    key_id: str | None = None
    task_sha256: str | None = None
    conversation_sha256: str | None = None


def conversation_text(messages: Sequence[Message]) -> str:
    r"""The whole conversation as one text: a lone message stands by itself, else each turn names its role.

    >>> conversation_text([Message(role="user", content="Code this.")])
    'Code this.'
    >>> conversation_text([Message(role="system", content="You code."), Message(role="user", content="Go.")])
    'system: You code.\n\nuser: Go.'
    """
    if len(messages) == 1:
        return messages[0].content
    return "\n\n".join(f"{message.role}: {message.content}" for message in messages)


def messages_of(query: str | Sequence[Mapping[str, Any]]) -> tuple[Message, ...]:
    """Messages from a text (one user turn) or from a list of {role, content}.

    >>> messages_of("Code this.")
    (Message(role='user', content='Code this.'),)
    """
    if isinstance(query, str):
        return (Message(role="user", content=query),)
    return tuple(Message.model_validate(message) for message in query)
