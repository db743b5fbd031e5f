"""Answers to recheck, from rows; verdicts, as rows. Knows no file."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from core.errors import DataError
from core.reading import Row
from core.records import Query, Stakes, messages_of
from verifiers.case import Case
from verifiers.chain import ChainVerdict

_FACTS = ("samples", "second_answer")
"""Fields of a row that are facts by another place: what models said when they were asked before."""

_OF_QUERY = ("domain", "stratum")
_FIELDS = frozenset({"id", "answer", "strong_answer", "query", "facts", "tokens", *_FACTS, *_OF_QUERY})


def read_answers(rows: Sequence[Row], *, stakes: Stakes = Stakes.HIGH) -> list[Case]:
    """The case of each row, all at the same stakes.

    | field | what it is |
    |---|---|
    | id, answer | must be there |
    | query | a text, or a list of {role, content} |
    | facts | an object (`verifiers.case.Case`) |
    | tokens | the answer's log-probabilities: a list of {text, logprob, runner_up} |
    | samples, second_answer | what the weak model said when asked again, and what a second model said |
    | domain, stratum | of the query |

    Raises:
        DataError: rows lack an id or an answer, or repeat an id; every such row is listed.
    """
    answers: list[Case] = []
    faults: list[str] = []
    first_place: dict[str, str] = {}
    for place, values in rows:
        identifier, answer = values.get("id"), values.get("answer")
        if isinstance(identifier, int) and not isinstance(identifier, bool):
            identifier = str(identifier)
        if not isinstance(identifier, str) or not identifier:
            faults.append(f"{place}: 'id' is missing or not a text")
        elif not isinstance(answer, str):
            faults.append(f"{place}: 'answer' is missing or not a text")
        elif identifier in first_place:
            faults.append(f"{place}: id '{identifier}' stands at {first_place[identifier]} already")
        else:
            first_place[identifier] = place
            try:
                about = {name: values[name] for name in _OF_QUERY if values.get(name)}
                messages = messages_of(values.get("query") or "")
                query = Query(id=identifier, messages=messages, stakes=stakes, **about)
            except (ValidationError, TypeError):
                faults.append(f"{place}: 'query' is neither a text nor a list of {{role, content}}")
                continue
            try:
                facts = {**(values.get("facts") or {})} | {
                    name: values[name] for name in _FACTS if values.get(name) is not None
                }
                answers.append(Case(query=query, answer=answer, facts=facts, tokens=values.get("tokens") or ()))
            except ValidationError as error:
                at = error.errors()[0]["loc"][0]
                needed = "a list of {text, logprob, runner_up}" if at == "tokens" else "an object of JSON values"
                faults.append(f"{place}: '{at}' is not {needed}")
            except TypeError:
                faults.append(f"{place}: 'facts' is not an object of JSON values")
    if faults:
        raise DataError(faults, "Mend these rows, then run the command again.")
    return answers


def unread_fields(rows: Sequence[Row]) -> list[str]:
    """Fields of the rows that no check can see, in alphabetical order.

    >>> unread_fields([("a.jsonl:1", {"id": "1", "answer": "5", "source": "It is 6."})])
    ['source']
    """
    return sorted({field for _, values in rows for field in values} - _FIELDS)


def verdict_row(identifier: str, verdict: ChainVerdict) -> dict[str, Any]:
    """The verdict as one JSON object: outcome, reasons, and each check with its evidence."""
    checks = [result.model_dump(mode="json") for result in verdict.results]
    return {"id": identifier, "outcome": verdict.outcome.value, "reasons": list(verdict.reasons), "checks": checks}
