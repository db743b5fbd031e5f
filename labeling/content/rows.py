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

from core.fingerprint import of_json
from core.reading import Row
from core.records import Answer, InclusionProbability, Pair, Query, Record, Weight, messages_of

QUERY_FIELDS = ("query", "messages", "question", "prompt", "text")
ANSWER_FIELDS = ("answers", "results", "models")
SAMPLING_FIELDS = ("weight", "inclusion_probability")
OPTIONAL_FIELDS = ("domain", "stakes", "stratum", "group", "topic", "reference")


class Entry(Record):
    """A pair as a row describes it, how it was chosen, and where the row stands."""

    place: str
    pair: Pair
    weak: str | None
    strong: str | None
    weight: Weight = 1.0
    inclusion_probability: InclusionProbability | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """All text that an expert would see."""
        return (self.pair.query.text, self.pair.first.text, self.pair.second.text)


def entry_of(row: Row, *, weak: str | None = None, strong: str | None = None) -> Entry:
    """The pair that a row describes.

    Without `weak` and `strong` the row must hold exactly two answers, and which model is cheap stays open.

    Raises:
        ValueError: what the row lacks, in one sentence.
    """
    messages = messages_of(_asked(row.values))
    if not any(message.content.strip() for message in messages):
        raise ValueError("the query is empty")
    answers = _answers(row.values)
    models = _chosen(answers, weak, strong)
    optional = {field: row.values[field] for field in OPTIONAL_FIELDS if row.values.get(field) not in (None, "")}
    given_id = row.values.get("id")
    # Without an id the query's content names it, so the same file gives the same ids again.
    identity = str(given_id) if given_id not in (None, "") else of_json([m.model_dump() for m in messages])[:16]
    query = Query(id=identity, messages=messages, **optional)
    written = sorted((_answer(query, model, answers[model]) for model in models), key=answer_id)
    pair = Pair(id=of_json([answer_id(answer) for answer in written]), query=query, first=written[0], second=written[1])
    sampling = {field: row.values[field] for field in SAMPLING_FIELDS if row.values.get(field) not in (None, "")}
    return Entry(place=row.place, pair=pair, weak=weak, strong=strong, **sampling)


def answer_id(answer: Answer) -> str:
    """A hash of what was answered to which query by whom: it orders answers, and its order says nothing."""
    return of_json([answer.query_id, answer.model, answer.text])


def content_id(entry: Entry) -> str:
    """A hash of the query's text and both answers, whatever the row's id: equal for duplicates."""
    pair = entry.pair
    answers = sorted([answer.model, answer.text] for answer in (pair.first, pair.second))
    return of_json([[message.model_dump() for message in pair.query.messages], answers])


def fault_sentences(error: ValueError) -> list[str]:
    """What is wrong, one sentence per fault; pydantic's carry the field."""
    if isinstance(error, ValidationError):
        return [f"{'.'.join(str(part) for part in fault['loc']) or 'row'}: {fault['msg']}" for fault in error.errors()]
    return [str(error)]


def fields_not_used(rows: Sequence[Row]) -> tuple[str, ...]:
    """Fields of the rows that the import passes over, sorted."""
    used = {"id", *QUERY_FIELDS, *ANSWER_FIELDS, *OPTIONAL_FIELDS, *SAMPLING_FIELDS}
    names = {name for row in rows for name in row.values}
    return tuple(sorted(name for name in names - used if not name.startswith(("answers.", "cost_usd."))))


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
    return Answer(
        query_id=query.id, model=model, text=text, cost_usd=given.get("cost_usd"), latency_ms=given.get("latency_ms")
    )


def _json(text: str, field: str) -> Any:  # noqa: ANN401 - JSON is anything
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"'{field}' looks like JSON and is not ({error})") from error
