"""The walker over arithmetic: exact, capped, and silent but for its own error."""

from contextlib import suppress
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifiers.figures.expression import ExpressionError, evaluate


@st.composite
def sums(draw: st.DrawFn, depth: int = 3) -> tuple[str, Fraction]:
    """An expression in + - * and parentheses, with its exact value."""
    if depth == 0 or draw(st.booleans()):
        n, digits = draw(st.integers(-999, 999)), draw(st.integers(0, 3))
        value = Fraction(n, 10**digits)
        return f"({Decimal(n).scaleb(-digits):f})", value
    left, right = draw(sums(depth - 1)), draw(sums(depth - 1))
    sign = draw(st.sampled_from("+-*"))
    value = {"+": left[1] + right[1], "-": left[1] - right[1], "*": left[1] * right[1]}[sign]
    return f"({left[0]}{sign}{right[0]})", value


@given(sums())
def test_the_walker_agrees_with_exact_fractions(case: tuple[str, Fraction]) -> None:
    text, value = case

    if len(text) <= 400:
        assert Fraction(evaluate(text)) == value


@given(st.text(alphabet="0123456789.+-*/()% eE_,x[]'\"lambda:=<>", max_size=60))
def test_whatever_the_text_only_its_own_error_is_raised(text: str) -> None:
    with suppress(ExpressionError):
        assert evaluate(text).is_finite()


@pytest.mark.parametrize(
    "text",
    [
        "1e400", "9**9**9", "9**99", "1/0", "0**0", "x", "().__class__", "__import__('os')", "'a'*9", "True",
        "1 if 1 else 2", "round(1, 99)", "pow(2, 3)", "[1, 2]", "1j", "1" * 401, "-" * 40 + "1",
        "sum(x for x in [1])", "min()", "1 < 2", "1_000_000_000 ** 9",
    ],
)  # fmt: skip
def test_what_is_no_small_arithmetic_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(text)


def test_functions_names_and_rounding_half_up() -> None:
    names = {"price": Decimal("2.5")}

    assert evaluate("round(price) + min(1, 2) + max(1, 2) + abs(-3) + sum([1, 2], 3)", names) == 3 + 1 + 2 + 3 + 6
    assert evaluate("7 // 2 + 7 % 2 + 2 ** 3") == 3 + 1 + 8
