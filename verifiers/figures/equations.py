"""Equations that a text states, and whether they hold: `300 / 4 is 75`, `(48 - 40) / 40 = 20%`.

What cannot be read with certainty (variables, mixed units, dates) is left out, never called wrong.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from verifiers.figures.equation_tokens import Token, calculator_marks, plain, tokens_of
from verifiers.figures.equation_values import Side, mixes_units, readings_of, says
from verifiers.figures.sentences import sentences_of
from verifiers.figures.units import unit_at

READ_EQUATIONS, _UNIT_WORDS = 60, 6
"""Equations that are recomputed, and words that may stand between a number and the next operator."""


_SIGN = re.compile(r"[=≈→]")
_OPERATION = re.compile(
    r"[-+*/×·÷^xX\u2212] ?[$€£(]?\d|\b(?:plus|minus|less|times|multiplied by|divided by)\b|(?:%|percent) of\b"
)
_VERB = re.compile(r"\b(?:is|equals?|gives|makes|leaves|yields|totals|comes to|are|was|results in)\b")


class Equation(NamedTuple):
    """One stated equation: what the left side comes to, and what the text says it does."""

    expected: Decimal
    stated: Decimal
    step: Decimal
    holds: bool
    start: int
    end: int


def equations_of(text: str) -> list[Equation]:
    """The equations of the text, in order, at most 60; those in calculator marks follow.

    >>> [(str(e.stated), e.holds) for e in equations_of("12.5 + 7.5 = 20, and $1,200 less 15% is $1,030.")]
    [('20', True), ('1030', False)]
    """
    return list(_equations(text))


@lru_cache(maxsize=4)
def _equations(text: str) -> tuple[Equation, ...]:
    known: dict[Decimal, Decimal] = {}
    found: list[Equation] = []
    body = plain(text)
    for start, end in sentences_of(body):
        if _OPERATION.search(body, start, end) and (_SIGN.search(body, start, end) or _VERB.search(body, start, end)):
            found += [e._replace(start=e.start + start, end=e.end + start) for e in _of_plain(body[start:end], known)]
    for mark in calculator_marks(text):
        found += [equation._replace(start=0, end=0) for equation in _of_plain(mark, known)]
    return tuple(found[:READ_EQUATIONS])


def _of_plain(text: str, known: dict[Decimal, Decimal]) -> list[Equation]:
    tokens = tokens_of(text)
    found: list[Equation] = []
    for index, token in enumerate(tokens):
        if token.kind != "equals" or len(found) >= READ_EQUATIONS:
            continue
        left = _left_of(tokens, index)
        if left is None or left.n_operators == 0 or (token.text == "is" and not _is_sentence(tokens, index, left)):
            continue
        right = _right_of(tokens, index)
        if right is None or _is_range(left):
            continue
        equation = _equation(text, left, right, known)
        if equation is not None:
            found.append(equation)
    return found


def _left_of(tokens: Sequence[Token], index: int) -> Side | None:
    """The longest expression that ends before the sign, or None where it cannot be read."""
    taken: list[Token] = []
    depth = n_words = 0
    position = index - 1
    while position >= 0:
        token = tokens[position]
        first = taken[-1] if taken else None
        if token.kind == "word":
            n_words += 1
            if n_words > _UNIT_WORDS:
                break
        elif token.kind in {"number", "close"}:
            if first is not None and first.kind in {"number", "open"}:
                if first.kind == "open" and token.kind == "number" and n_words == 0 and not first.is_spaced:
                    taken.append(Token("operator", "*"))
                else:
                    break
            depth += token.kind == "close"
            taken.append(token)
            n_words = 0
        elif token.kind == "operator":
            if first is None or (first.kind == "operator" and (n_words or first.text != "-")):
                return None
            taken.append(token)
            n_words = 0
        elif token.kind == "open" and depth:
            if first is not None and first.kind == "operator" and (first.text != "-" or taken[-2].is_spaced):
                return None
            depth -= 1
            taken.append(token)
            n_words = 0
        else:
            break
        position -= 1
    if n_words and position >= 0 and tokens[position].kind in {"number", "close"}:
        between = {token.text.lower() for token in tokens[position + 1 : position + 1 + n_words]}
        if between & {"per", "each", "of"}:
            return None
    while taken and depth and taken[-1].kind == "close":
        taken.pop()
        depth -= 1
    if depth or not taken:
        return None
    if taken[-1].kind == "operator":
        is_sign = taken[-1].text == "-" and len(taken) > 1 and not taken[-2].is_spaced and n_words == 0
        if not is_sign:
            return None
    return Side(tuple(reversed(taken)))


def _right_of(tokens: Sequence[Token], index: int) -> Side | None:
    """The number after the sign, with the expression that it may open."""
    taken: list[Token] = []
    depth = n_words = 0
    stopped: Token | None = None
    for token in tokens[index + 1 : index + 80]:
        last = taken[-1] if taken else None
        if token.kind == "word":
            n_words += 1
            if n_words > (_UNIT_WORDS if taken else 2):
                break
            continue
        begins = last is None or last.kind in {"operator", "open"}
        is_operator = token.kind == "operator" and (
            token.text == "-" if last is None else last.kind in {"number", "close"}
        )
        if (token.kind == "number" and begins) or is_operator:
            taken.append(token)
        elif token.kind == "open" and (last is None or last.kind == "operator") and n_words == 0:
            depth += 1
            taken.append(token)
        elif token.kind == "close" and depth:
            depth -= 1
            taken.append(token)
        else:
            stopped = token
            break
        n_words = 0
    while taken and taken[-1].kind == "operator":
        if taken[-1].text in {"*", "+", "**"} and (n_words or (stopped is not None and stopped.kind != "bound")):
            return None
        taken.pop()
    if stopped is not None and stopped.kind == "bound" and stopped.text.isalpha():
        return None
    if depth or not any(token.kind == "number" for token in taken):
        return None
    return Side(tuple(taken))


def _is_sentence(tokens: Sequence[Token], index: int, left: Side) -> bool:
    """Whether `is` after the expression states its result.

    At most two words stand between, and its operators stand apart, as in `300 / 4`, not as in `120/80`.
    """
    if all(token.kind == "word" for token in tokens[max(0, index - 3) : index]):
        return False
    return all(token.is_spaced or token.text in "*+**" for token in left.tokens if token.kind == "operator")


def _is_range(left: Side) -> bool:
    """Whether it is two years or pages with a dash, `2019-2020`."""
    return (
        len(left.tokens) == 3
        and left.tokens[1].text == "-"
        and not left.tokens[1].is_spaced
        and not left.tokens[2].is_spaced
        and all(1900 <= token.value <= 2100 and not token.currency for token in left.numbers)
    )


def _equation(text: str, left: Side, right: Side, known: dict[Decimal, Decimal]) -> Equation | None:
    numbers = left.numbers
    head = right.numbers[0]
    sign = -1 if right.tokens[0].kind == "operator" else 1
    units = [_unit(text, token) for token in (*numbers, head)]
    stated, step = sign * head.value * head.scale, head.step * head.scale
    readings = readings_of(left, known)
    if not readings:
        return None
    value = readings[0]
    holds = any(says(reading, head, sign=sign, units=units) for reading in readings)
    if not holds and right.n_operators > (sign < 0):
        whole = readings_of(right, {})
        holds = any(abs(reading - other) <= abs(other) * Decimal("1e-6") for reading in readings for other in whole)
    if not holds and mixes_units(left, units):
        return None
    if holds and abs(value - stated) > 0:
        known[stated] = value
    return Equation(value, stated, step, holds, left.tokens[0].start, right.tokens[0].end)


def _unit(text: str, token: Token) -> str:
    unit = unit_at(text, token.end)[0] if token.end else ""
    return "usd" if token.currency.endswith("$") and not unit else unit
