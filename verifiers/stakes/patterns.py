"""Regular expressions that cannot run away: every repeat is bounded, and so are the ways to match from one place.

The standard library's engine tries one way after another, and nested or neighbouring repeats multiply the ways. So a
pattern is measured before it is used: where it could try more than `MAX_WAYS` from one place, it is refused.
"""

import re
import warnings
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

MAX_WAYS = 500
"""Ways to match that a pattern may try from one place of the text."""

MAX_WAYS_OF_WHOLE = 1_000_000
"""The same for a pattern that is held against a short text once, from its start to its end."""

MAX_PATTERN_CHARS = 1000
"""Longest pattern."""


@lru_cache(maxsize=4096)
def compile_bounded(pattern: str, *, ignores_case: bool = True, max_ways: int = MAX_WAYS) -> re.Pattern[str]:
    r"""The compiled pattern.

    Raises:
        ValueError: it does not compile, has a repeat without an end, refers back to a group, or has too many ways.

    >>> compile_bounded(r"\bmg/kg\b").search("5 MG/KG daily").group()
    'MG/KG'
    >>> compile_bounded(r"(a+)+b")
    Traceback (most recent call last):
    ValueError: regex '(a+)+b' has a repeat without an end; write {1,20} in place of +, {0,20} in place of *
    """
    if len(pattern) > MAX_PATTERN_CHARS:
        raise ValueError(f"a regex has {len(pattern)} characters, and {MAX_PATTERN_CHARS} are the most; split the rule")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            compiled = re.compile(pattern, re.IGNORECASE if ignores_case else 0)
            parsed = re._parser.parse(pattern)  # type: ignore[attr-defined]  # the engine's own reading
    except (re.error, Warning, OverflowError, RecursionError) as error:
        raise ValueError(f"regex '{pattern}' does not compile ({error}); correct it") from error
    ways = _ways(parsed, pattern, max_ways)
    if ways > max_ways:
        raise ValueError(
            f"regex '{pattern}' may try more than {max_ways} ways from one place; shorten repeats, or split the rule"
        )
    return compiled


def _ways(parsed: Iterable[Any], pattern: str, most_ways: int) -> int:
    """Upper limit of the ways to match a sequence from one place; counting ends soon after the limit."""
    ways = 1
    for operation, argument in parsed:
        ways *= _ways_of(str(operation), argument, pattern, most_ways)
        if ways > most_ways:
            return ways
    return ways


def _ways_of(operation: str, argument: Any, pattern: str, most_ways: int) -> int:  # noqa: ANN401 - the parser's own shapes
    if operation in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        fewest, most, inner = argument
        if most > MAX_PATTERN_CHARS:
            raise ValueError(
                f"regex '{pattern}' has a repeat without an end; write {{1,20}} in place of +, {{0,20}} in place of *"
            )
        once, ways = _ways(inner, pattern, most_ways), 0
        for times in range(int(fewest), int(most) + 1):
            ways += once**times if once > 1 and times < 20 else (1 if once == 1 else most_ways + 1)
            if ways > most_ways:
                break
        return max(ways, 1)
    if operation == "BRANCH":
        return sum(_ways(branch, pattern, most_ways) for branch in argument[1])
    if operation == "SUBPATTERN":
        return _ways(argument[-1], pattern, most_ways)
    if operation in ("ASSERT", "ASSERT_NOT"):
        return _ways(argument[1], pattern, most_ways)
    if operation == "ATOMIC_GROUP":
        return _ways(argument, pattern, most_ways)
    if operation in ("GROUPREF", "GROUPREF_EXISTS", "GROUPREF_IGNORE"):
        raise ValueError(f"regex '{pattern}' refers back to a group; name what it repeats")
    return 1
