"""What a rule asks of a request, and what it finds: yes, no, or that it cannot be said. Decides no tier.

A comparison with a field that is not there finds no. One with a field that cannot be compared (`amount_usd: plenty`)
cannot be said, and stays so through `any`, `all` and `not`, unless another part settles the question.
"""

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, JsonValue, field_validator, model_validator

from core.records import Record
from verifiers.stakes.entities import ENTITIES
from verifiers.stakes.money import amounts_of
from verifiers.stakes.patterns import MAX_WAYS_OF_WHOLE, compile_bounded
from verifiers.stakes.phrases import Words, parts_of

MAX_WHOLE_CHARS = 300
"""Longest text that has a form as a whole."""

Scalar = str | int | float | bool


class Asked:
    """What conditions read of one request: the readings of its texts, its task and domain, its facts."""

    def __init__(
        self, texts: Sequence[str], *, facts: Mapping[str, JsonValue], task: str | None, domain: str | None
    ) -> None:
        self.texts, self.facts = tuple(texts), facts
        self.tasks = _named(task, facts.get("task"))
        self.domains = _named(domain, facts.get("domain"))

    @cached_property
    def words(self) -> tuple[Words, ...]:
        """The words of each reading."""
        return tuple(Words(text) for text in self.texts)


class Comparison(Record):
    """A field of the request's facts, and the value that it is compared with."""

    field: Annotated[str, Field(min_length=1, max_length=64)]
    value: Scalar


class Ordering(Comparison):
    """A comparison of numbers."""

    value: Annotated[float, Field(allow_inf_nan=False)]


class Membership(Record):
    """A field of the request's facts, and the values of which it may be one."""

    field: Annotated[str, Field(min_length=1, max_length=64)]
    values: Annotated[tuple[Scalar, ...], Field(min_length=1)]


class Nearness(Record):
    """Phrases, and other phrases that stand at most `within` words from one of them, in any order."""

    words: Annotated[tuple[str, ...], Field(min_length=1)]
    to: Annotated[tuple[str, ...], Field(min_length=1)]
    within: Annotated[int, Field(ge=1, le=100)] = 12

    @field_validator("words", "to")
    @classmethod
    def _are_phrases(cls, phrases: tuple[str, ...]) -> tuple[str, ...]:
        return _checked(phrases)


class Condition(Record):
    """One condition: exactly one of its fields is set, but for `case` and `at_least`, which go with another."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, use_attribute_docstrings=True)

    any: tuple["Condition", ...] | None = Field(None, min_length=1)
    """One of these holds."""
    all: tuple["Condition", ...] | None = Field(None, min_length=1)
    """All of these hold."""
    negated: "Condition | None" = Field(None, alias="not")
    """This does not hold. What a client writes can make it hold, and so disarm the rule."""
    regex: str | None = None
    """A bounded regular expression matches a reading of the text (`verifiers.stakes.patterns`)."""
    case: Literal["ignore", "exact"] | None = None
    """Whether `regex` minds upper and lower case; unset: it does not."""
    whole: tuple[str, ...] | None = Field(None, min_length=1)
    """Every reading of the text is, from its first to its last letter, of one of these forms: bounded regular
    expressions, case and a mark at the end ignored. What is added to such a text ends it; one of more than 300 letters
    has no form."""
    words: tuple[str, ...] | None = Field(None, min_length=1)
    """One of these phrases stands in the text, by whole words; `deny*` is every word that begins so."""
    near: Nearness | None = None
    """Two phrases stand close together."""
    entity: str | None = None
    """The text holds a thing of this kind (`verifiers.stakes.entities`)."""
    at_least: float | None = Field(None, ge=0, allow_inf_nan=False)
    """The smallest amount that counts; with `entity: money` alone."""
    task: str | None = None
    """The request names this task."""
    domain: str | None = None
    """The request is of this domain."""
    gt: Ordering | None = None
    ge: Ordering | None = None
    lt: Ordering | None = None
    le: Ordering | None = None
    eq: Comparison | None = None
    """The field equals the value; numbers compare as numbers, texts without regard to case."""
    is_in: Membership | None = Field(None, alias="in")
    """The field is one of the values."""

    @field_validator("words")
    @classmethod
    def _are_phrases(cls, phrases: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if phrases is None else _checked(phrases)

    @model_validator(mode="after")
    def _is_one_condition(self) -> Self:
        asked = [name for name in type(self).model_fields if name not in ("case", "at_least") and self._has(name)]
        if len(asked) != 1:
            named = ", ".join("not" if name == "negated" else name for name in asked) or "nothing"
            raise ValueError(f"a condition asks one thing, and this asks {named}; put several under any or all")
        if self.case is not None and self.regex is None:
            raise ValueError("case goes with regex alone; leave it out")
        if self.at_least is not None and self.entity != "money":
            raise ValueError("at_least goes with entity: money alone; leave it out")
        if self.entity is not None and self.entity not in ENTITIES:
            raise ValueError(f"there is no entity '{self.entity}'; there are {', '.join(ENTITIES)}")
        if self.regex is not None:
            compile_bounded(self.regex, ignores_case=self.case != "exact")
        for form in self.whole or ():
            compile_bounded(form, max_ways=MAX_WAYS_OF_WHOLE)
        return self

    def holds(self, asked: Asked) -> bool | None:
        """Whether it holds of the request; None where that cannot be said."""
        if self.any is not None:
            return _some(part.holds(asked) for part in self.any)
        if self.all is not None:
            return _negated(_some(_negated(part.holds(asked)) for part in self.all))
        if self.negated is not None:
            return _negated(self.negated.holds(asked))
        return self._holds_of_text(asked) if self._reads_text else self._holds_of_facts(asked)

    @property
    def can_be_disarmed(self) -> bool:
        """Whether a client can write something that keeps it from holding."""
        parts = (*(self.any or ()), *(self.all or ()))
        is_loose = self.negated is not None and self.negated.whole is None
        return is_loose or any(part.can_be_disarmed for part in parts)

    @property
    def _reads_text(self) -> bool:
        return any(self._has(name) for name in ("regex", "whole", "words", "near", "entity"))

    def _has(self, name: str) -> bool:
        return getattr(self, name) is not None

    def _holds_of_text(self, asked: Asked) -> bool:
        if self.regex is not None:
            pattern = compile_bounded(self.regex, ignores_case=self.case != "exact")
            return any(pattern.search(text) for text in asked.texts)
        if self.whole is not None:
            return bool(asked.texts) and all(_has_form(text, self.whole) for text in asked.texts)
        if self.words is not None:
            return any(words.has_any(self.words) for words in asked.words)
        if self.near is not None:
            near = self.near
            return any(words.has_near(near.words, near.to, within=near.within) for words in asked.words)
        if self.at_least is not None:
            return any(amount >= self.at_least for text in asked.texts for amount in amounts_of(text))
        assert self.entity is not None
        return any(ENTITIES[self.entity](text) for text in asked.texts)

    def _holds_of_facts(self, asked: Asked) -> bool | None:
        if self.task is not None:
            return self.task.casefold() in asked.tasks
        if self.domain is not None:
            return self.domain.casefold() in asked.domains
        if self.eq is not None:
            return _is_one_of((self.eq.value,), asked.facts.get(self.eq.field))
        if self.is_in is not None:
            return _is_one_of(self.is_in.values, asked.facts.get(self.is_in.field))
        ordering = self.gt or self.ge or self.lt or self.le
        assert ordering is not None
        given = asked.facts.get(ordering.field)
        if given is None:
            return False
        number = _number(given)
        if number is None:
            return None
        if self.gt is not None or self.ge is not None:
            return number > ordering.value or (self.ge is not None and number == ordering.value)
        return number < ordering.value or (self.le is not None and number == ordering.value)


def _has_form(text: str, forms: Sequence[str]) -> bool:
    if len(text) > MAX_WHOLE_CHARS:
        return False
    bare = text.rstrip(" .?!")
    return any(compile_bounded(form, max_ways=MAX_WAYS_OF_WHOLE).fullmatch(bare) for form in forms)


def _some(parts: Any) -> bool | None:  # noqa: ANN401 - a generator, so that it ends at the first yes
    unknown = False
    for part in parts:
        if part:
            return True
        unknown = unknown or part is None
    return None if unknown else False


def _negated(found: bool | None) -> bool | None:
    return None if found is None else not found


def _checked(phrases: tuple[str, ...]) -> tuple[str, ...]:
    for phrase in phrases:
        parts_of(phrase)
    return phrases


def _named(*names: object) -> frozenset[str]:
    return frozenset(name.strip().casefold() for name in names if isinstance(name, str))


def _number(given: object) -> float | None:
    """The number that a fact is; metadata has texts alone, so `"$250,000"` is a number too. None: it is none."""
    if isinstance(given, bool) or not isinstance(given, (int, float, str)):
        return None
    try:
        number = float(given)
    except ValueError:
        number = max(amounts_of(f"$ {str(given).strip().lstrip('$')[:40]}"), default=math.nan)
    return number if math.isfinite(number) else None


def _is_one_of(values: Sequence[Scalar], given: object) -> bool | None:
    if given is None:
        return False
    if isinstance(given, (list, dict)):
        return None
    for value in values:
        if isinstance(value, bool) or isinstance(given, bool):
            if str(value).casefold() == str(given).casefold():
                return True
        elif isinstance(value, (int, float)):
            if _number(given) == float(value):
                return True
        elif value.casefold() == str(given).strip().casefold():
            return True
    return False
