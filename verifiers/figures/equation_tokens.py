"""Tokens of arithmetic in prose: numbers, operators, words and boundaries. It says nothing about what holds."""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from verifiers.figures.amounts import MOST_DIGITS, NUMBER, READ_CHARACTERS
from verifiers.figures.units import SCALES

OPERATORS = {"+": "+", "-": "-", "\u2212": "-", "\u2013": "-", "*": "*", "×": "*", "·": "*", "x": "*", "X": "*",
             "/": "/", "÷": "/", "^": "**", "**": "**"}  # fmt: skip
SPOKEN = {"plus": "+", "minus": "-", "less": "-", "times": "*", "multiplied by": "*", "divided by": "/"}
EQUALS = {
    "is",
    "equals",
    "equal",
    "gives",
    "makes",
    "leaves",
    "yields",
    "totals",
    "comes to",
    "are",
    "was",
    "results in",
}

_TOKEN = re.compile(
    rf"(?P<number>(?:(?P<currency>US\$|[$€£])[ \t]?)?(?<![\w.,])(?P<digits>{NUMBER})(?![.,]?\d)"
    rf"(?P<percent>[ \t]?(?:%|percent\b|per cent\b))?"
    rf"(?:[ \t]?(?P<scale>thousand|million|billion|trillion)\b|(?P<letter>[kKMB])\b)?)"
    r"|(?P<equals>==?(?!=)|≈|→|\b(?:is|equals?|gives|makes|leaves|yields|totals|comes to|are|was|results in)\b)"
    r"|(?P<operator>\*\*|[-+*×·/÷^\u2212\u2013]|(?<=[\d%)\s])[xX](?=\s?[\d($€£])"
    r"|\b(?:plus|minus|less|times|multiplied by|divided by)\b)"
    r"|(?P<paren>[()\[\]])|(?P<word>[A-Za-z_°µ'\u2019]+(?:-[A-Za-z]+)*)|(?P<space>[ \t]+)|(?P<bound>.)",
    re.S,
)
_LATEX = (
    (re.compile(r"\\(?:d|t)?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}"), r"(\1)/(\2)"),
    (re.compile(r"\\(?:text|mathrm|mbox)\s*\{([^{}]*)\}"), r" \1 "),
    (re.compile(r"\\boxed\s*\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\\(?:times|cdot)"), "*"),
    (re.compile(r"\\div"), "/"),
    (re.compile(r"\\approx"), "="),
    (re.compile(r"\\(?=[$%*()\[\],])"), ""),
)
_CALCULATOR = re.compile(r"<<([^<>]*)>>")
_EMPHASIS = re.compile(r"\*\*(?!\s?[\d(])|(?<![\d)])(?<![\d)]\s)\*\*")
_ASIDE = re.compile(r"\([^()\d]*\)|(?<=\d) \((?=[^()]*[A-Za-z]{3})[^()]*\)")
_BULLET = re.compile(r"^[ \t]*(?:[-*•\u2013]|\d+[.)])[ \t]+", re.M)


class Token(NamedTuple):
    """One token. `kind` is number, operator, equals, open, close, word or bound; `text` is an operator's own sign."""

    kind: str
    text: str
    value: Decimal = Decimal(0)
    step: Decimal = Decimal(1)
    scale: int = 1
    is_percent: bool = False
    currency: str = ""
    is_spaced: bool = False
    start: int = 0
    end: int = 0


def plain(text: str) -> str:
    """The text with LaTeX, emphasis, bullets, asides and calculator marks `<<3*4=12>>` taken out.

    >>> plain("**3 * 4** = <<3*4=12>>12")
    '3 * 4 = 12'
    """
    text = text[:READ_CHARACTERS]
    if "\\" in text:
        for pattern, replacement in _LATEX:
            text = pattern.sub(replacement, text)
    text = _ASIDE.sub(" ", _BULLET.sub("", _CALCULATOR.sub("", text)))
    return _EMPHASIS.sub("", text) if "**" in text else text


def calculator_marks(text: str) -> list[str]:
    """What stands between `<<` and `>>`, each an equation that the answer claims."""
    return _CALCULATOR.findall(text[:READ_CHARACTERS]) if "<<" in text else []


def tokens_of(text: str) -> list[Token]:
    """The tokens of a plain text; spaces are dropped.

    >>> [t.kind for t in tokens_of("15% of 40 eggs = 6")]
    ['number', 'operator', 'number', 'word', 'equals', 'number']
    """
    return list(_tokens(text))


def _tokens(text: str) -> Iterator[Token]:
    spaced, previous = True, "bound"
    for match in _TOKEN.finditer(text):
        if match["space"] is not None:
            spaced = True
            continue
        token = _token(match, spaced=spaced, previous=previous)
        if token.kind == "word" and not spaced and _is_variable(text, token, previous):
            token = token._replace(kind="bound")
        yield token
        previous = "percent" if token.is_percent else token.kind
        spaced = False


def _is_variable(text: str, token: Token, previous: str) -> bool:
    """Whether a letter right after a number or a parenthesis is a variable, as in `6s + 9` or `(1/15)x`."""
    if len(token.text) != 1 or previous not in {"number", "close"}:
        return False
    if previous == "close" or token.text not in "ghlmdts":
        return True
    return bool(re.search(rf"(?<![\w.]){token.text}\s*[=+-]|[=+-]\s*{token.text}(?!\w)", text))


def _token(match: re.Match[str], *, spaced: bool, previous: str) -> Token:
    start, end = match.span()
    if match["number"] is not None:
        digits = match["digits"].replace(",", "")
        if len(digits) > MOST_DIGITS:
            return Token("bound", "", start=start, end=end)
        scale = SCALES[(match["scale"] or match["letter"]).lower()] if match["scale"] or match["letter"] else 1
        return Token(
            "number", "", Decimal(digits), Decimal(1).scaleb(-len(digits.partition(".")[2])), scale,
            match["percent"] is not None, (match["currency"] or "").strip(), spaced, start, end,
        )  # fmt: skip
    text = match[0]
    if match["equals"] is not None:
        return Token("equals", "=" if text in {"=", "==", "≈", "→"} else "is", is_spaced=spaced, start=start, end=end)
    if match["operator"] is not None:
        sign = OPERATORS.get(text) or SPOKEN[text.lower()]
        return Token("operator", sign, is_spaced=spaced, start=start, end=end)
    if match["paren"] is not None:
        return Token("open" if text in "([" else "close", text, is_spaced=spaced, start=start, end=end)
    if match["word"] is not None:
        if text == "of" and previous == "percent":
            return Token("operator", "*", is_spaced=spaced, start=start, end=end)
        return Token("word", text, is_spaced=spaced, start=start, end=end)
    return Token("bound", text, is_spaced=spaced, start=start, end=end)
