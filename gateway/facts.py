"""What a request tells the checks beside its messages: its `metadata`, and the schema that it asks a reply to have.

OpenAI's metadata holds texts alone, so a number, a list or a schema may come as the JSON text of itself. A client may
write facts, and so mislead the checks about its own request; it cannot make a model agree with itself.
"""

import json
from collections.abc import Mapping
from typing import Any

_JSON_FACTS = ("age_years", "allowed", "schema")
"""Facts that are no texts (see `verifiers.case.Case`)."""

_NEVER_THE_CLIENTS = ("samples", "second_answer")
"""What models said is asked of the models."""


def facts_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a request; empty where it gives none that can be read.

    >>> facts_of({"metadata": {"age_years": "61", "source": "Clause 2", "samples": "[]"}})
    {'age_years': 61, 'source': 'Clause 2'}
    >>> facts_of({"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}}})
    {'schema': {'type': 'object'}}
    """
    metadata = body.get("metadata")
    given = metadata if isinstance(metadata, Mapping) else {}
    facts = {
        name: _read(name, value)
        for name, value in given.items()
        if isinstance(name, str) and 0 < len(name) <= 200 and name not in _NEVER_THE_CLIENTS
    }
    form = body.get("response_format")
    wanted = form.get("json_schema") if isinstance(form, Mapping) else None
    if "schema" not in facts and isinstance(wanted, Mapping) and isinstance(wanted.get("schema"), Mapping):
        facts["schema"] = dict(wanted["schema"])
    return facts


def _read(name: str, value: Any) -> Any:  # noqa: ANN401 - JSON values
    if name not in _JSON_FACTS or not isinstance(value, str):
        return value
    try:
        return json.loads(value, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return value


def _refuse_constant(name: str) -> float:
    raise ValueError(name)
