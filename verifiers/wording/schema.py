"""wording.schema: the answer is JSON of the asked form. It fetches nothing, and says nothing of the values' truth.

The schema is the case's (fact `schema`), else the pack's. JSON in a code fence or among prose is read, unless the pack
asks for nothing but JSON. A `$ref` that leaves the schema is not followed: then the check cannot decide.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import DataError, MissingExtra
from verifiers.case import Case
from verifiers.chain import CheckOutcome, CheckResult, Price
from verifiers.stakes.patterns import compile_bounded
from verifiers.wording.findings import READ_CHARS, Finding, failed, not_applicable, passed, undecided
from verifiers.wording.reply_json import Reply, reply_json

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

_MAX_FAULTS = 20


class SchemaCheck:
    """Finds answers that are no JSON, or not of the asked form."""

    id = "wording.schema"
    price = Price.FREE

    def __init__(
        self, *, schema: Mapping[str, Any] | Path | str | None = None, only_json: bool = False, required: bool = False
    ) -> None:
        """Read the pack's schema.

        Args:
            schema: the schema, or the path of a JSON file with it, for cases that bring none.
            only_json: prose or a code fence around the JSON is a fault.
            required: a case without a schema cannot be decided, instead of passing.

        Raises:
            MissingExtra: jsonschema is not installed.
            DataError: the pack's schema is none.
        """
        try:
            import jsonschema  # noqa: F401
        except ImportError as error:
            raise MissingExtra("jsonschema", "replies", "Checking an answer against a schema") from error
        self._schema: Any = schema
        if isinstance(schema, str | Path):
            try:
                self._schema = json.loads(Path(schema).read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                raise DataError(
                    [f"{schema}: {type(error).__name__}"], "Give a file that holds one JSON Schema."
                ) from error
        if self._schema is not None and _validator(_canonical(self._schema)) is None:
            raise DataError(
                [f"{schema}: not a JSON Schema"], "Mend the schema; its metaschema says what may stand in it."
            )
        self._only_json = only_json
        self._required = required

    def judge(self, case: Case) -> CheckResult:
        """Whether the answer has the asked form."""
        given = case.facts.get("schema")
        schema = given if given is not None else self._schema
        if schema is None:
            return not_applicable("no_schema", self._required).by(self.id)
        if len(case.answer) > READ_CHARS:
            return undecided("too_long", chars=len(case.answer), read_chars=READ_CHARS).by(self.id)
        if case.is_client_told and given is not None and not _is_bounded(given):
            return undecided("unbounded_pattern").by(self.id)
        if case.is_client_told and given is not None and self._schema is not None:
            of_pack = self._about(self._schema, case.answer)
            if of_pack.outcome is not CheckOutcome.PASS:
                return of_pack.by(self.id)
        return self._about(schema, case.answer).by(self.id)

    def _about(self, schema: object, answer: str) -> Finding:
        validator = _validator(_canonical(schema))
        if validator is None:
            return undecided("bad_schema")
        reply = _whole(answer) if self._only_json else reply_json(answer)
        if reply.fault is not None:
            return failed(reply.fault)
        return _validated(validator, reply.value)


def _validated(validator: "Validator", value: object) -> Finding:
    from referencing.exceptions import Unresolvable

    try:
        faults = [fault for _, fault in zip(range(_MAX_FAULTS), validator.iter_errors(value), strict=False)]
    except Unresolvable:
        return undecided("remote_reference")
    except RecursionError:
        return undecided("too_deep")
    if not faults:
        return passed("matches")
    return failed(
        "breaks_schema", n_faults=len(faults), keyword=str(faults[0].validator)[:64], depth=len(faults[0].path)
    )


def _whole(answer: str) -> Reply:
    reply = reply_json(answer)
    starts = answer.strip()[:1] not in ("`", "~") and answer.strip()[-1:] not in ("`", "~")
    try:
        json.loads(answer)
    except (ValueError, RecursionError):
        return Reply(None, reply.fault or "not_only_json")
    return reply if starts else Reply(None, "not_only_json")


def _is_bounded(schema: object) -> bool:
    """Whether no pattern of a client's schema can run away: one that does would hold up every other request too."""
    left: list[object] = [schema]
    while left:
        one = left.pop()
        if isinstance(one, Mapping):
            left.extend(one.values())
            named = one.get("patternProperties")
            patterns = [*(named if isinstance(named, Mapping) else ()), one.get("pattern")]
            try:
                for pattern in patterns:
                    if isinstance(pattern, str):
                        compile_bounded(pattern)
            except ValueError:
                return False
        elif isinstance(one, list):
            left.extend(one)
    return True


def _canonical(schema: object) -> str:
    return json.dumps(schema, sort_keys=True)


@lru_cache(maxsize=64)
def _validator(schema: str) -> "Validator | None":
    """A validator that follows no reference out of the schema; None when it is no schema."""
    from jsonschema import SchemaError
    from jsonschema.validators import Draft202012Validator, validator_for
    from referencing import Registry
    from referencing.jsonschema import EMPTY_REGISTRY

    read = json.loads(schema)
    if not isinstance(read, dict | bool):
        return None
    kind = validator_for(read, default=Draft202012Validator)
    try:
        kind.check_schema(read)
    except (SchemaError, RecursionError):
        return None
    registry: Registry[Any] = EMPTY_REGISTRY
    built: Validator = kind(read, registry=registry, format_checker=kind.FORMAT_CHECKER)
    return built
