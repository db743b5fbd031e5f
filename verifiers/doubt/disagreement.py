"""How far two answers to one query disagree: letters, codes, numbers by value, else by their words. Pure functions."""

import math
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from verifiers.doubt.final_answer import MOST_CHARS, AnswerKind, find_final_answer, words_of

_CLOSE = Decimal("1e-9")
"""Numbers this close, as a share of the larger, are one number."""


def disagreement(answer: str, other: str, *, query: str) -> float:
    r"""0 where both say the same, 1 where they do not; in between for answers that are words alone.

    A letter, a code or a number is compared by value, `12.50 %` with `12.5%` too; a number written as a share of a
    hundred equals the same share written plainly. Answers of different kinds disagree. Words are compared by token F1
    (harmonic mean of the shares of words that occur in the other answer too).

    >>> disagreement("The answer is 12.50%.", "It rose by 12.5 %", query="How much?")
    0.0
    >>> asked = "Which?\nA. x\nB. y"
    >>> disagreement("B", "The answer is B.", query=asked), disagreement("B", "A) x", query=asked)
    (0.0, 1.0)
    >>> disagreement("mild chronic asthma", "asthma", query="What is it?")
    0.5
    """
    one, two = find_final_answer(answer, query), find_final_answer(other, query)
    if one.kind is AnswerKind.WORDS or two.kind is AnswerKind.WORDS:
        if one.kind is not two.kind:
            return 1.0
        return 1.0 - token_f1(answer, other)
    if one.kind is not two.kind:
        return 1.0
    if one.kind is AnswerKind.NUMBER:
        return 0.0 if _same_number(one.value, two.value) else 1.0
    return 0.0 if one.value == two.value else 1.0


def mean_disagreement(answer: str, others: Sequence[str], *, query: str) -> float:
    """The share of other answers that disagree with this one; NaN where there are none.

    >>> mean_disagreement("4", ["4", "5", "four is 4", "4.0"], query="2 + 2?")
    0.25
    >>> mean_disagreement("4", [], query="2 + 2?")
    nan
    """
    if not others:
        return math.nan
    return math.fsum(disagreement(answer, other, query=query) for other in others) / len(others)


def token_f1(one: str, two: str) -> float:
    """Harmonic mean of the shares of each text's words that occur in the other; 1 for two texts without words.

    >>> token_f1("the left knee", "left knee pain")
    0.6666666666666666
    """
    first, second = words_of(one[-MOST_CHARS:]), words_of(two[-MOST_CHARS:])
    if not first and not second:
        return 1.0
    shared = sum((Counter(first) & Counter(second)).values())
    return 2.0 * shared / (len(first) + len(second))


def _same_number(one: str, two: str) -> bool:
    is_share = one.endswith("%"), two.endswith("%")
    a, b = Decimal(one.rstrip("%")), Decimal(two.rstrip("%"))
    if is_share[0] is not is_share[1] and _close(a / (100 if is_share[0] else 1), b / (100 if is_share[1] else 1)):
        return True
    # A unit of per cent that one of them leaves out, as in "by how many per cent": the figure is what counts.
    return _close(a, b)


def _close(a: Decimal, b: Decimal) -> bool:
    return abs(a - b) <= _CLOSE * max(abs(a), abs(b))
