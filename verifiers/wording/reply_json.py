"""Finds the one JSON value that an answer gives, in a code fence or among prose. It reads nothing into it."""

import json
import re
from typing import NamedTuple

_FENCE = re.compile(
    r"^[ \t]*(`{3,}|~{3,})(?![`~])[ \t]*(?P<label>[\w+-]*)[^\n]*\n(?P<code>.*?)(?:^[ \t]*\1[ \t]*$|\Z)", re.M | re.S
)
_START = re.compile(r"[{\[]")
_MAX_STARTS = 20


class Reply(NamedTuple):
    """The JSON of an answer. `fault` says why there is none: `no_json`, `not_json`, `several`, `duplicate_key`."""

    value: object
    fault: str | None


class _Duplicate(ValueError):
    """A key that stands twice in one object: two readers may take two values."""


def reply_json(answer: str) -> Reply:
    r"""The JSON value of the answer.

    >>> reply_json('Here it is:\n```json\n{"code": "J45.909"}\n```').value
    {'code': 'J45.909'}
    >>> reply_json('{"code": "J45.909", }').fault
    'not_json'
    >>> reply_json("The code is J45.909.").fault
    'no_json'
    """
    fences = [match for match in _FENCE.finditer(answer) if match["label"].lower() in ("json", "jsonc", "")]
    labelled = [match for match in fences if match["label"]]
    chosen = labelled or [match for match in fences if _START.match(match["code"].lstrip())]
    if len(chosen) > 1:
        return Reply(None, "several")
    return _read(chosen[0]["code"]) if chosen else _bare(answer)


def _bare(answer: str) -> Reply:
    """The whole answer, or else the only JSON object or list that stands in its prose."""
    whole = _read(answer)
    if whole.fault is None or whole.fault == "duplicate_key":
        return whole
    decoder = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_refuse)
    for _, match in zip(range(_MAX_STARTS), _START.finditer(answer), strict=False):
        try:
            value, _ = decoder.raw_decode(answer, match.start())
        except _Duplicate:
            return Reply(None, "duplicate_key")
        except (ValueError, RecursionError):
            if not answer[: match.start()].strip():
                return Reply(None, "not_json")
            continue
        if value or match[0] == "{":
            return Reply(value, None)
    return Reply(None, "not_json" if "{" in answer else "no_json")


def _read(text: str) -> Reply:
    try:
        return Reply(json.loads(text, object_pairs_hook=_once, parse_constant=_refuse), None)
    except _Duplicate:
        return Reply(None, "duplicate_key")
    except (ValueError, RecursionError):
        return Reply(None, "not_json")


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Duplicate
    return found


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no JSON number.")
