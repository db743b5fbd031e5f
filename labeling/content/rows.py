"""One row of an import file: a query with the answers of two or more models.

| field | what it may be |
|---|---|
| `query`, `messages`, `question`, `prompt` or `text` | a text, or a list of {role, content} (JSON in CSV) |
| `answers`, `results` or `models` | {model: text} or {model: {text, cost_usd, latency_ms}} (JSON in CSV) |
| `answers.MODEL`, `cost_usd.MODEL` | the same, one column per model |
| `id`, `domain`, `stakes`, `stratum`, `group`, `topic`, `reference` | optional |
| `weight`, `inclusion_probability` | optional: how the query was chosen, in the words of docs/formats.md |

Pure: rows in, entries or a ValueError out.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from core.errors import PreceptorError
from core.fingerprint import canonical_json, of_json, of_text
from core.reading import Row
from core.records import Answer, InclusionProbability, Pair, Query, Record, Weight, messages_of

QUERY_FIELDS = ("query", "messages", "question", "prompt", "text")
ANSWER_FIELDS = ("answers", "results", "models")
SAMPLING_FIELDS = ("weight", "inclusion_probability")
OPTIONAL_FIELDS = ("domain", "stakes", "stratum", "group", "topic", "reference")
PLAIN_FIELDS = ("id", *OPTIONAL_FIELDS, *SAMPLING_FIELDS)
MAPPABLE_FIELDS = ("query", "answers", *PLAIN_FIELDS)


class Entry(Record):
    """A pair as a row describes it, how it was chosen, and where the row stands."""

    place: str
    pair: Pair
    first_id: str
    second_id: str
    content: str
    """A hash of the query's text and both answers, whatever the row's id: equal for duplicates."""
    messages: str
    """The query's messages as canonical JSON."""
    weak: str | None
    strong: str | None
    weight: Weight = 1.0
    inclusion_probability: InclusionProbability | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """All text that an expert would see: the query, the first answer, the second."""
        return (self.pair.query.text, self.pair.first.text, self.pair.second.text)

    @property
    def answers(self) -> tuple[tuple[str, Answer], tuple[str, Answer]]:
        """Both answers with their ids."""
        return ((self.first_id, self.pair.first), (self.second_id, self.pair.second))


def entry_of(row: Row, *, weak: str | None = None, strong: str | None = None) -> Entry:
    """The pair that a row describes.

    Without `weak` and `strong` the row must hold exactly two answers, and which model is cheap stays open.

    Raises:
        ValueError: what the row lacks, in one sentence.
    """
    query, messages = query_in(row)
    answers = _answers(row.values)
    chosen = [_answer(query, model, answers[model]) for model in _chosen(answers, weak, strong)]
    (first_id, first), (second_id, second) = sorted(((answer_id(answer), answer) for answer in chosen), key=_by_id)
    sampling = {field: row.values[field] for field in SAMPLING_FIELDS if row.values.get(field) not in (None, "")}
    return Entry(
        place=row.place,
        pair=Pair(id=of_json([first_id, second_id]), query=query, first=first, second=second),
        first_id=first_id,
        second_id=second_id,
        content=of_text(f"[{messages},{canonical_json(sorted([one.model, one.text] for one in chosen))}]"),
        messages=messages,
        weak=weak,
        strong=strong,
        **sampling,
    )


def query_in(row: Row) -> tuple[Query, str]:
    """The query of a row, and its messages as canonical JSON.

    Raises:
        ValueError: what the row lacks, in one sentence.
    """
    messages = messages_of(_asked(row.values))
    if not any(message.content.strip() for message in messages):
        raise ValueError("the query is empty")
    written = [{"role": message.role, "content": message.content} for message in messages]
    given_id = row.values.get("id")
    # Without an id the query's content names it, so the same file gives the same ids again.
    identity = str(given_id) if given_id not in (None, "") else of_json(written)[:16]
    optional = {field: row.values[field] for field in OPTIONAL_FIELDS if row.values.get(field) not in (None, "")}
    for field, value in {"id": identity, **optional}.items():
        _refuse_zero(field, value)
    return Query(id=identity, messages=messages, **optional), canonical_json(written)


def answer_id(answer: Answer) -> str:
    """A hash of what was answered to which query by whom: it orders answers, and its order says nothing."""
    return of_json([answer.query_id, answer.model, answer.text])


def fault_sentences(error: ValueError) -> list[str]:
    """What is wrong, one sentence per fault; pydantic's carry the field."""
    if isinstance(error, ValidationError):
        return [f"{'.'.join(str(part) for part in fault['loc']) or 'row'}: {fault['msg']}" for fault in error.errors()]
    return [str(error)]


def readings_of(values: Mapping[str, Any], *, asks: bool = False) -> dict[str, str | None]:
    """What each field of a row is read as; None where it is passed over. With `asks`, answers come from elsewhere.

    >>> readings_of({"question": "?", "text": "?", "answers": {"a": "x"}, "note": 1})
    {'question': 'query', 'text': None, 'answers': 'answers', 'note': None}
    """
    query = next((field for field in QUERY_FIELDS if values.get(field)), None)
    answers = next((field for field in ANSWER_FIELDS if values.get(field)), None)
    readings: dict[str, str | None] = {}
    for field in values:
        if field == query:
            readings[field] = "query"
        elif field == answers and not asks:
            readings[field] = "answers"
        elif field in PLAIN_FIELDS or (answers is None and not asks and field.startswith(("answers.", "cost_usd."))):
            readings[field] = field
        else:
            readings[field] = None
    return readings


def renamed(values: Mapping[str, Any], mapping: Mapping[str, str]) -> dict[str, Any]:
    """A row with foreign fields under the names that are read here; a field that had such a name gives way.

    >>> renamed({"question_text": "?", "query": "old", "id": 1}, {"query": "question_text"})
    {'id': 1, 'query': '?'}
    """
    taken = {field: values[foreign] for field, foreign in mapping.items() if foreign in values}
    return {field: value for field, value in values.items() if field not in {*mapping.values(), *taken}} | taken


def mapping_of(options: Sequence[str]) -> dict[str, str]:
    """The mapping that options of the form `query=question_text` describe.

    Raises:
        PreceptorError: an option has no such form, or names a field that is not read.
    """
    mapping: dict[str, str] = {}
    for option in options:
        field, _, foreign = option.partition("=")
        if not foreign or not (field in MAPPABLE_FIELDS or field.startswith(("answers.", "cost_usd."))):
            raise PreceptorError(
                f"'{option}' maps nothing. Write FIELD=COLUMN, with FIELD one of {', '.join(MAPPABLE_FIELDS)}, "
                "answers.MODEL or cost_usd.MODEL."
            )
        mapping[field] = foreign
    return mapping


def _asked(values: Mapping[str, Any]) -> str | list[Mapping[str, Any]]:
    asked = next((values[field] for field in QUERY_FIELDS if values.get(field)), None)
    if asked is None:
        raise ValueError("no query: give 'query' as a text or as a list of {role, content}")
    if isinstance(asked, str) and asked.lstrip().startswith("[{"):
        asked = _json(asked, "query")  # a conversation in a CSV column
    if isinstance(asked, str) or (isinstance(asked, list) and all(isinstance(turn, Mapping) for turn in asked)):
        return asked
    raise ValueError("the query is neither a text nor a list of {role, content}")


def _answers(values: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    given = next((values[field] for field in ANSWER_FIELDS if values.get(field)), None)
    if isinstance(given, str):
        given = _json(given, "answers")
    if given is None:
        given = {
            name.removeprefix("answers."): {"text": text, "cost_usd": values.get(f"cost_usd.{name[8:]}") or None}
            for name, text in values.items()
            if name.startswith("answers.") and text
        }
    if not isinstance(given, Mapping) or not given:
        raise ValueError("no answers: give 'answers' as {model: text} or {model: {text, cost_usd}}")
    answers: dict[str, Mapping[str, Any]] = {}
    for model, answer in given.items():
        if isinstance(answer, str):
            answers[str(model)] = {"text": answer}
        elif isinstance(answer, Mapping):
            answers[str(model)] = answer
        elif answer is not None:
            raise ValueError(f"the answer of '{model}' is neither a text nor an object with 'text'")
    return answers


def _chosen(answers: Mapping[str, object], weak: str | None, strong: str | None) -> tuple[str, str]:
    present = ", ".join(sorted(answers))
    if weak and strong:
        missing = [name for name in (weak, strong) if name not in answers]
        if missing:
            raise ValueError(f"no answer of '{', '.join(missing)}'; the row has answers of {present}")
        return weak, strong
    if len(answers) != 2:
        raise ValueError(
            f"a pair needs two answers, the row has {len(answers)} ({present}); choose with --weak --strong"
        )
    first, second = sorted(answers)
    return first, second


def _answer(query: Query, model: str, given: Mapping[str, Any]) -> Answer:
    text = given.get("text")
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"the answer of '{model}' has no text")
    _refuse_zero(f"the answer of '{model}'", text)
    return Answer(
        query_id=query.id, model=model, text=text, cost_usd=given.get("cost_usd"), latency_ms=given.get("latency_ms")
    )


def _refuse_zero(what: str, text: object) -> None:
    if isinstance(text, str) and "\0" in text:
        raise ValueError(f"{what} holds a character of code 0, which PostgreSQL does not keep")


def _by_id(one: tuple[str, Answer]) -> str:
    return one[0]


def _json(text: str, field: str) -> Any:  # noqa: ANN401 - JSON is anything
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"'{field}' looks like JSON and is not ({error})") from error
