"""Answers to recheck, from rows; verdicts, as rows. Knows no file."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from core.errors import DataError
from core.reading import Row
from core.records import Query, messages_of
from verifiers.case import Case
from verifiers.chain import ChainVerdict


def read_answers(rows: Sequence[Row]) -> list[Case]:
    """The case of each row; `query` may be missing, a text, or a list of messages, `facts` an object.

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
                query = Query(id=identifier, messages=messages_of(values.get("query") or ""))
            except (ValidationError, TypeError):
                faults.append(f"{place}: 'query' is neither a text nor a list of {{role, content}}")
                continue
            try:
                answers.append(Case(query=query, answer=answer, facts=values.get("facts") or {}))
            except ValidationError:
                faults.append(f"{place}: 'facts' is not an object of names and JSON values")
    if faults:
        raise DataError(faults, "Mend these rows, then run the command again.")
    return answers


def verdict_row(identifier: str, verdict: ChainVerdict) -> dict[str, Any]:
    """The verdict as one JSON object: outcome, reasons, and each check with its evidence."""
    checks = [result.model_dump(mode="json") for result in verdict.results]
    return {"id": identifier, "outcome": verdict.outcome.value, "reasons": list(verdict.reasons), "checks": checks}
