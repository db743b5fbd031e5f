"""What one side of a stated equation may mean, and whether a stated number says it. It finds no equations."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from verifiers.figures.amounts import agree
from verifiers.figures.equation_tokens import Token
from verifiers.figures.expression import MAX_CHARACTERS, ExpressionError, evaluate
from verifiers.figures.units import convert, dimension_of


class Side(NamedTuple):
    """Tokens of an expression, in reading order."""

    tokens: tuple[Token, ...]

    @property
    def n_operators(self) -> int:
        """How many operators it has, signs among them."""
        return sum(1 for token in self.tokens if token.kind == "operator")

    @property
    def numbers(self) -> list[Token]:
        """Its numbers, in order."""
        return [token for token in self.tokens if token.kind == "number"]


def readings_of(side: Side, known: Mapping[Decimal, Decimal]) -> list[Decimal]:
    """The values that the expression may mean.

    They are, in this order: as written; without its scale words; a last `- 15%` as a discount; `12 / 2/5` with the
    fraction in parentheses; and with the exact value of a number that an earlier equation rounded (`known`).
    """
    tokens = side.tokens
    forms = [_written(tokens)]
    if any(token.scale != 1 for token in side.numbers):
        forms.append(_written([token._replace(scale=1) for token in tokens]))
    if len(tokens) >= 3 and tokens[-1].is_percent and tokens[-2].text in {"+", "-"} and not tokens[-3].is_percent:
        forms.append(f"({_written(tokens[:-2])})*(1{tokens[-2].text}{tokens[-1].value}/100)")
    if any(token.text == "/" and token.is_spaced for token in tokens):
        forms.append(_written(_fractions_grouped(tokens)))
    if known and any(token.value * token.scale in known for token in side.numbers):
        exact = [
            token._replace(value=known.get(token.value * token.scale, token.value * token.scale), scale=1)
            for token in tokens
        ]
        forms.append(_written(exact))
    values = []
    for form in dict.fromkeys(forms):
        if len(form) <= MAX_CHARACTERS:
            try:
                values.append(_value_of(form))
            except ExpressionError:
                continue
    return values


@lru_cache(maxsize=256)
def _value_of(form: str) -> Decimal:
    """The value of an expression; a worked answer often states it twice."""
    return evaluate(form)


def says(value: Decimal, head: Token, *, sign: int, units: Sequence[str]) -> bool:
    """Whether the stated number is the value: as it stands, as a percentage, unscaled, or in its own unit.

    `units` are those of the left side's numbers, and last that of the stated one.
    """
    shown = sign * head.value
    tries = [(shown * head.scale, head.step * head.scale)]
    if head.is_percent or units[-1] == "points":
        tries.append((shown / 100, head.step / 100))
    if head.scale != 1:
        tries.append((shown, head.step))
    if any(agree(value, number, step) for number, step in tries):
        return True
    known = {unit for unit in units[:-1] if unit}
    converted = convert(value, known.pop(), units[-1]) if len(known) == 1 and units[-1] else None
    return converted is not None and agree(converted, shown * head.scale, head.step * head.scale)


def mixes_units(left: Side, units: Sequence[str]) -> bool:
    """Whether units of one dimension, rates among them, meet in a way that no single conversion explains."""
    known = {part for unit in units for part in unit.split("/") if dimension_of(part) not in {"", "share"}}
    if len(known) == len({dimension_of(unit) for unit in known}):
        return False
    adds = any(token.text in {"+", "-"} for token in left.tokens if token.kind == "operator")
    simple = sorted({unit for unit in units if unit})
    return adds or not units[-1] or len(simple) != 2 or convert(Decimal(1), simple[0], simple[1]) is None


def _fractions_grouped(tokens: Sequence[Token]) -> list[Token]:
    found: list[Token] = []
    index = 0
    while index < len(tokens):
        group = tokens[index : index + 3]
        is_fraction = (
            len(group) == 3
            and [token.kind for token in group] == ["number", "operator", "number"]
            and group[1].text == "/"
            and not group[1].is_spaced
            and not group[2].is_spaced
        )
        if is_fraction and found:
            found += [Token("open", "("), *group, Token("close", ")")]
            index += 3
        else:
            found.append(tokens[index])
            index += 1
    return found


def _written(tokens: Sequence[Token]) -> str:
    parts = []
    for token in tokens:
        if token.kind == "number":
            digits = f"{token.value * token.scale:f}".lstrip("0")
            digits = digits if digits and digits[0] != "." else f"0{digits}"
            parts.append(f"({digits}/100)" if token.is_percent else digits)
        else:
            parts.append({"open": "(", "close": ")"}.get(token.kind, token.text))
    return "".join(parts)
