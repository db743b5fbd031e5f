"""The rows to be judged: queries from a file, with the answers that stand in it or that were asked for. Asks nobody."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from core import fingerprint
from core.answer_file import AnswerFile
from core.errors import DataError
from core.outcomes import SAMPLING, query_of
from core.questions import Question
from core.reading import Row, read_rows
from core.records import Query
from core.screening import Screen


@dataclass(frozen=True)
class Answered:
    """A model's answer, and what it cost where that is known."""

    text: str
    cost_usd: float | None = None


@dataclass(frozen=True)
class ToJudge:
    """A query, the answers of both models as far as they are known, and how it was chosen."""

    place: str
    query: Query
    answers: Mapping[str, Answered]
    sampling: Mapping[str, float]

    @property
    def messages_sha256(self) -> str:
        """What answers to it are kept under."""
        return fingerprint.of_json([{"role": one.role, "content": one.content} for one in self.query.messages])


def rows_to_judge(path: Path, pair: tuple[str, str]) -> list[ToJudge]:
    """The rows of a file, one a query.

    Raises:
        DataError: a row holds no query, an answer is no text, or an id stands twice; all faults at once.
    """
    rows: list[ToJudge] = []
    faults: list[str] = []
    first_place: dict[str, str] = {}
    for row in read_rows(path):
        try:
            one = _to_judge(row, pair)
        except ValidationError as error:
            faults.extend(f"{row.place}: {fault['msg']}" for fault in error.errors())
            continue
        except ValueError as error:
            faults.append(f"{row.place}: {error}")
            continue
        seen_at = first_place.setdefault(one.query.id, row.place)
        if seen_at != row.place:
            faults.append(f"{row.place}: id '{one.query.id}' stands already at {seen_at}")
        rows.append(one)
    if faults:
        raise DataError(faults, "Mend these rows (docs/judge.md shows the form), then run the command again.")
    return rows


def with_answers(rows: list[ToJudge], pair: tuple[str, str], file: AnswerFile) -> list[ToJudge]:
    """The rows with the answers of the file where they hold none themselves."""
    completed = []
    for row in rows:
        kept = {model: file.answers.get((model, row.messages_sha256)) for model in pair if model not in row.answers}
        found = {model: Answered(one.text, one.cost_usd) for model, one in kept.items() if one is not None}
        completed.append(replace(row, answers={**row.answers, **found}))
    return completed


def questions_for(model: str, rows: list[ToJudge], screen: Screen | None) -> list[Question]:
    """What a model of the pair is still to be asked, once each."""
    questions: dict[str, Question] = {}
    for row in rows:
        if model not in row.answers and row.messages_sha256 not in questions:
            has_findings = screen is not None and screen(row.query.text)
            questions[row.messages_sha256] = Question(row.place, row.messages_sha256, row.query.messages, has_findings)
    return list(questions.values())


def _to_judge(row: Row, pair: tuple[str, str]) -> ToJudge:
    values = row.values
    given = next((values[field] for field in ("answers", "results", "models") if values.get(field)), None)
    if given is None:
        given = {name: values.get(f"answers.{name}") for name in pair}
    if not isinstance(given, Mapping):
        raise ValueError("answers are an object {model: text} or {model: {text, cost_usd}}")
    answers = {model: _answered(model, given[model]) for model in pair if given.get(model)}
    sampling = {name: float(values[name]) for name in SAMPLING if values.get(name) not in (None, "")}
    return ToJudge(row.place, query_of(row), {m: one for m, one in answers.items() if one is not None}, sampling)


def _answered(model: str, given: Any) -> Answered | None:  # noqa: ANN401 - JSON is anything
    if isinstance(given, str):
        return Answered(given) if given.strip() else None
    if not isinstance(given, Mapping):
        return None  # a quality alone, as outcomes may hold it
    text = given.get("text")
    if text is not None and not isinstance(text, str):
        raise ValueError(f"the answer of '{model}' is no text")
    return Answered(text, given.get("cost_usd")) if text and text.strip() else None
