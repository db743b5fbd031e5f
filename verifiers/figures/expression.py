"""Arithmetic in Decimal, read by a walker of our own over Python's syntax tree. It never calls, looks up or imports.

Allowed: numbers, names that the caller gives, `+ - * / // % **`, signs, parentheses, and round, min, max, abs, sum.
Length, depth, digits and exponents are capped, so the worst expression costs microseconds and no memory.
"""

import ast
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal, DecimalException, Overflow, localcontext
from types import MappingProxyType

from core.errors import PreceptorError

MAX_CHARACTERS, MAX_NODES, MAX_DEPTH = 400, 120, 24
"""The longest expression, the most nodes of its tree, and how deep they may lie."""

MAX_MAGNITUDE, MAX_POWER = Decimal("1e30"), 64
"""The largest absolute value, input or result, and the largest exponent of `**`."""

_CONTEXT = Context(prec=40, rounding=ROUND_HALF_UP, traps=[Overflow])
_NO_NAMES: Mapping[str, Decimal] = MappingProxyType({})


class ExpressionError(PreceptorError):
    """The text is no arithmetic that the walker reads."""


def evaluate(text: str, names: Mapping[str, Decimal] = _NO_NAMES) -> Decimal:
    """The value of the expression, to 40 digits.

    `round` is half up, as bills and reports round, with a whole number of digits from -9 to 12.

    Args:
        text: the expression, at most 400 characters.
        names: values of the names that it may use.

    Raises:
        ExpressionError: it is no arithmetic, too long, too deep, too large, or divides by zero.

    >>> evaluate("(12 + 8) / 4")
    Decimal('5')
    >>> evaluate("round(units * price, 2)", {"units": Decimal(3), "price": Decimal("1.335")})
    Decimal('4.01')
    """
    if len(text) > MAX_CHARACTERS:
        raise ExpressionError(_refusal(f"has {len(text)} characters", f"at most {MAX_CHARACTERS} are read"))
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError(_refusal("is no arithmetic", "write numbers, + - * / ** and parentheses")) from error
    if len(text) * 4 > MAX_NODES and sum(1 for _ in ast.walk(tree)) > MAX_NODES:  # a character makes fewer than 4
        raise ExpressionError(_refusal(f"has more than {MAX_NODES} parts", "split it"))
    with localcontext(_CONTEXT):
        try:
            return _value(tree.body, names, MAX_DEPTH)
        except DecimalException as error:
            raise ExpressionError(_refusal("divides by zero or has no value", "mend the divisor")) from error


def _value(node: ast.expr, names: Mapping[str, Decimal], depth: int) -> Decimal:
    if depth == 0:
        raise ExpressionError(_refusal(f"is nested deeper than {MAX_DEPTH}", "split it"))
    if isinstance(node, ast.Constant):
        return _number(node.value)
    if isinstance(node, ast.Name):
        if node.id not in names:
            raise ExpressionError(_refusal("uses a name without a value", "give it among the inputs"))
        return _within(names[node.id])
    if isinstance(node, ast.UnaryOp):
        operand = _value(node.operand, names, depth - 1)
        if isinstance(node.op, ast.USub):
            return -operand
        if isinstance(node.op, ast.UAdd):
            return operand
    if isinstance(node, ast.BinOp):
        return _binary(node.op, _value(node.left, names, depth - 1), _value(node.right, names, depth - 1))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        return _called(node.func.id, [values for item in node.args for values in _items(item, names, depth - 1)])
    raise ExpressionError(_refusal(f"holds a {type(node).__name__}", "write numbers, + - * / ** and parentheses"))


def _items(node: ast.expr, names: Mapping[str, Decimal], depth: int) -> list[Decimal]:
    """The values of one argument; a list or a tuple, as in `sum([1, 2])`, gives several."""
    if isinstance(node, ast.List | ast.Tuple):
        return [_value(item, names, depth - 1) for item in node.elts]
    return [_value(node, names, depth)]


def _number(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ExpressionError(_refusal(f"holds a {type(value).__name__}", "write numbers"))
    if isinstance(value, int) and value.bit_length() > 110:
        raise ExpressionError(_refusal("holds a number that is too large", f"stay below {MAX_MAGNITUDE}"))
    return _within(Decimal(repr(value)))


def _within(value: Decimal) -> Decimal:
    if not value.is_finite() or abs(value) > MAX_MAGNITUDE:
        raise ExpressionError(_refusal("has a value that is too large", f"stay below {MAX_MAGNITUDE}"))
    return value


def _binary(operator: ast.operator, left: Decimal, right: Decimal) -> Decimal:
    if isinstance(operator, ast.Add):
        return _within(left + right)
    if isinstance(operator, ast.Sub):
        return _within(left - right)
    if isinstance(operator, ast.Mult):
        return _within(left * right)
    if isinstance(operator, ast.Pow):
        return _power(left, right)
    if right == 0:
        raise ExpressionError(_refusal("divides by zero", "mend the divisor"))
    if isinstance(operator, ast.Div):
        return _within(left / right)
    if isinstance(operator, ast.FloorDiv | ast.Mod) and abs(left / right) < MAX_MAGNITUDE:
        floor = (left / right).to_integral_value(rounding="ROUND_FLOOR")
        return floor if isinstance(operator, ast.FloorDiv) else left - floor * right
    raise ExpressionError(_refusal(f"uses {type(operator).__name__}", "write + - * / ** and parentheses"))


def _power(base: Decimal, exponent: Decimal) -> Decimal:
    if abs(exponent) > MAX_POWER or (base == 0 and exponent <= 0) or (base < 0 and exponent != int(exponent)):
        raise ExpressionError(_refusal("raises to a power that is not read", f"use exponents up to {MAX_POWER}"))
    return _within(base**exponent)


def _called(name: str, values: Sequence[Decimal]) -> Decimal:
    if name == "round" and len(values) in (1, 2):
        digits = values[1] if len(values) == 2 else Decimal(0)
        if digits != digits.to_integral_value() or not -9 <= digits <= 12:
            raise ExpressionError(_refusal("rounds to a number of digits that is not read", "use -9 to 12"))
        return values[0].quantize(Decimal(1).scaleb(-int(digits)), rounding=ROUND_HALF_UP) + 0
    if name == "abs" and len(values) == 1:
        return abs(values[0])
    if name in {"min", "max", "sum"} and values:
        chosen = min(values) if name == "min" else max(values) if name == "max" else sum(values, Decimal(0))
        return _within(chosen + Decimal(0))
    raise ExpressionError(_refusal("calls what is not read", "use round, min, max, abs or sum"))


def _refusal(fault: str, remedy: str) -> str:
    """A sentence on the fault, without the expression itself, which may come from an answer."""
    return f"The expression {fault}; {remedy}."
