"""Outcomes from files: per query, the quality of each model's answer, in whatever form it came.

| form | how a row is recognised | quality |
|---|---|---|
| outcomes | `results` (or `models`): {model: {`quality` or `correct`, `text`, `cost_usd`}} | as given, in [0, 1] |
| preference pairs | `model_a`, `model_b`, `winner` | winner 1, loser 0; `tie` 1 and 1; `tie (bothbad)` 0 and 0 |
| RouteLLM CSV | `prompt` and `strong_correct`, `weak_correct` | true 1, false 0; models are named strong and weak |
| RouteLLM's own CSV | `prompt` and one true/false column per model | true 1, false 0 |

Each may also say `weight` (> 0, default 1) and `inclusion_probability` (in (0, 1]; absent: not known).
The query is `query`, `question`, `prompt` or the user turns of `conversation_a`: a text, or a list of {role, content}.
Bad rows are listed with file and line, and then nothing is read.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from core.errors import DataError
from core.fingerprint import canonical_json
from core.reading import Row, read_all
from core.records import Graded, Outcome, Query, Source, messages_of

WINNERS: Mapping[str, tuple[float, float]] = {
    "model_a": (1.0, 0.0),
    "model_b": (0.0, 1.0),
    "tie": (1.0, 1.0),
    "tie (bothbad)": (0.0, 0.0),
}
"""Quality of (model_a, model_b) by LMArena's four verdicts."""

SAMPLING = ("weight", "inclusion_probability")
"""Fields that every form may carry: how much the row counts, and the chance that it had of being chosen."""

TRUE_FALSE = {"true": 1.0, "1": 1.0, "1.0": 1.0, "false": 0.0, "0": 0.0, "0.0": 0.0}


def read_outcomes(paths: Sequence[Path]) -> list[Outcome]:
    """Outcomes of all files, in order, whatever their form.

    Rows that RouteLLM's files mark `contaminated` are left out, as its own evaluation does.

    Raises:
        DataError: a file or a row cannot be read, or an id stands twice.
    """
    outcomes: list[Outcome] = []
    faults: list[str] = []
    first_place: dict[str, str] = {}
    for row in read_all(paths):
        try:
            outcome = outcome_of(row)
        except ValidationError as error:
            faults.extend(f"{row.place}: {_where(fault)}: {fault['msg']}" for fault in error.errors())
            continue
        except ValueError as error:
            faults.append(f"{row.place}: {error}")
            continue
        if outcome is None:
            continue
        seen_at = first_place.setdefault(outcome.query.id, row.place)
        if seen_at != row.place:
            faults.append(f"{row.place}: id '{outcome.query.id}' stands already at {seen_at}")
        outcomes.append(outcome)
    if faults:
        raise DataError(faults, "Mend these rows (docs/formats.md shows each form), then run the command again.")
    return outcomes


def outcome_of(row: Row) -> Outcome | None:
    """The outcome that a row describes; None for a row marked as contaminated.

    Raises:
        ValueError: the row is of no known form, or a value is out of range.
    """
    values = row.values
    if str(values.get("contaminated", "")).lower() in {"true", "1"}:
        return None
    for recognised, reader in _FORMS:
        if recognised(values):
            return Outcome(
                query=query_of(row),
                results=reader(values),
                source=_source(values),
                **{name: values[name] for name in SAMPLING if values.get(name) not in (None, "")},
            )
    raise ValueError(
        f"no known form (it has {', '.join(sorted(values)) or 'no fields'}); "
        "a row needs 'results', or 'winner' with 'model_a' and 'model_b', or one true/false column per model"
    )


def query_of(row: Row) -> Query:
    """The query that a row asks, whatever else the row holds.

    Raises:
        ValueError: the row holds no query, or one of its fields is out of range.
    """
    values = row.values
    asked = next((values[key] for key in ("query", "question", "prompt") if values.get(key)), None)
    if asked is None and values.get("conversation_a"):
        asked = [turn for turn in values["conversation_a"] if turn.get("role") != "assistant"]
        asked = [{"role": turn["role"], "content": turn["content"]} for turn in asked]
    if not asked or (isinstance(asked, str) and not asked.strip()):
        raise ValueError("no query: give 'query' as a text or as a list of {role, content}")
    optional = {key: values[key] for key in ("domain", "stakes", "stratum", "group", "reference") if values.get(key)}
    identity = values.get("id") or values.get("pair_id") or values.get("question_id") or row.place
    return Query(id=str(identity), messages=messages_of(asked), topic=_topic(values), **optional)


def _source(values: Mapping[str, Any]) -> Source:
    """`source` where it is one of ours; public sets use the same word for the data set's name."""
    source = values.get("source")
    if source in set(Source):
        return Source(source)
    return Source.JUDGE if "winner" in values else Source.REFERENCE


def _topic(values: Mapping[str, Any]) -> str | None:
    source = values.get("source")
    named_source = None if source in set(Source) else source
    topic = values.get("topic") or values.get("subject") or named_source
    return str(topic) if topic else None


def _results(values: Mapping[str, Any]) -> dict[str, Graded]:
    given = values.get("results") or values.get("models")
    if not isinstance(given, Mapping) or not given:
        raise ValueError("'results' must be an object {model: {quality, ...}} with at least one model")
    return {str(model): _graded(str(model), graded) for model, graded in given.items() if graded is not None}


def _graded(model: str, given: object) -> Graded:
    if isinstance(given, int | float):
        return Graded(quality=float(given))
    if not isinstance(given, Mapping):
        raise ValueError(f"results of '{model}' must be a number in [0, 1] or an object, not {type(given).__name__}")
    quality = given.get("quality", given.get("correct"))
    if quality is None:
        raise ValueError(f"results of '{model}' hold neither 'quality' nor 'correct'")
    text = given.get("text")
    if text is not None and not isinstance(text, str):
        text = canonical_json(text)  # some sets keep an answer of several spans as a list
    return Graded(quality=float(quality), text=text, cost_usd=given.get("cost_usd"))


def _preference(values: Mapping[str, Any]) -> dict[str, Graded]:
    winner, first, second = (str(values[key]) for key in ("winner", "model_a", "model_b"))
    if winner not in WINNERS:
        raise ValueError(f"winner is '{winner}', not one of {', '.join(WINNERS)}")
    if first == second:
        raise ValueError(f"model_a and model_b are both '{first}'")
    quality = WINNERS[winner]
    return {first: Graded(quality=quality[0]), second: Graded(quality=quality[1])}


def _strong_weak_correct(values: Mapping[str, Any]) -> dict[str, Graded]:
    return {tier: Graded(quality=_true_false(values[f"{tier}_correct"])) for tier in ("strong", "weak")}


def _true_false_columns(values: Mapping[str, Any]) -> dict[str, Graded]:
    return {name: Graded(quality=_true_false(values[name])) for name in _model_columns(values)}


def _model_columns(values: Mapping[str, Any]) -> list[str]:
    known = {
        "id",
        "prompt",
        "query",
        "question",
        "domain",
        "stakes",
        "stratum",
        "group",
        "topic",
        "subject",
        "contaminated",
        *SAMPLING,
    }
    return [name for name, value in values.items() if name not in known and str(value).lower() in TRUE_FALSE]


def _true_false(value: object) -> float:
    quality = TRUE_FALSE.get(str(value).lower())
    if quality is None:
        raise ValueError(f"'{value}' is neither true nor false")
    return quality


def _where(fault: Mapping[str, Any]) -> str:
    return ".".join(str(part) for part in fault["loc"]) or "row"


_FORMS: tuple[tuple[Callable[[Mapping[str, Any]], bool], Callable[[Mapping[str, Any]], dict[str, Graded]]], ...] = (
    (lambda values: "results" in values or "models" in values, _results),
    (lambda values: {"winner", "model_a", "model_b"} <= values.keys(), _preference),
    (lambda values: {"strong_correct", "weak_correct"} <= values.keys(), _strong_weak_correct),
    (lambda values: "prompt" in values and len(_model_columns(values)) >= 2, _true_false_columns),
)
