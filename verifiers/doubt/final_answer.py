"""What an answer finally says, so that two answers can be compared: a letter, a code, a number, or else its words.

The query tells which: where it lists options, a letter or words; else the one code that the answer proposes; else the
number it ends on. Reads `MOST_CHARS` at most, from the end, where answers conclude. It judges nothing.
"""

import re
import unicodedata
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import NamedTuple

from verifiers.coding.proposed_code import find_proposed_code

MOST_CHARS = 8000
"""Of an answer, from its end; of a query, from its end too, where options stand."""

_OPTION = re.compile(r"(?:^|\n)[ \t]*[(\[]?([A-J])[)\].:][ \t]+\S")
_STATED = re.compile(
    r"(?:\banswer|\boption|\bchoice|\bcorrect)(?:[ _]+(?:answer|option|choice))?(?:[ ]+is|[ ]+would be|[\"']?[ ]*[:=])?"
    r"[ ]*:?[ ]*(?:option[ ]+)?[(\[\"']{0,2}([A-J])(?=[)\].,:;\"']|[ \t]*(?:\n|$)|[ ]+[-(]|[ ]{2})",
    re.IGNORECASE,
)
_BARE = re.compile(r"[\s(\[\"']*([A-Ja-j])(?:[\s)\].:\"']*|[)\].:][\s\S]*)")
_NUMBER = re.compile(
    r"(?<![\w.,])([-+\u2212(]?[$€£]?[ ]?)(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)([ ]?%)?(?!\w)"
)
_ANSWER_IS = re.compile(r"(?:####|\banswer(?:[ ]+is)?[ ]*[:=]?|\btotal(?:[ ]+is)?[ ]*[:=]|=)[ ]*$", re.IGNORECASE)
_MAY_HOLD_A_CODE = re.compile(r"\bcodes?\b|\b[A-Z][0-9][0-9A-Z]", re.IGNORECASE)
_MARKUP = str.maketrans({"*": " ", "`": " "})
_WORD = re.compile(r"[^\W_]+(?:\.\d+)?")


class AnswerKind(StrEnum):
    """What was found."""

    OPTION = "option"
    CODE = "code"
    NUMBER = "number"
    WORDS = "words"


class FinalAnswer(NamedTuple):
    """What an answer says, normalised, and where in the answer it stands (characters `start` to `end`)."""

    kind: AnswerKind
    value: str
    start: int
    end: int


def find_final_answer(answer: str, query: str) -> FinalAnswer:
    r"""The final answer; `words` with the whole text where there is none of another kind.

    >>> asked = "Which drug?\nA. Aspirin\nB. Ibuprofen"
    >>> find_final_answer("It reduces fever. The answer is (B).", asked)[:2]
    (<AnswerKind.OPTION: 'option'>, 'B')
    >>> find_final_answer("40 plus 2,000 makes $2,040.00", "How much is it?")[:2]
    (<AnswerKind.NUMBER: 'number'>, '2040')
    >>> find_final_answer("Code: B42.81.", "Code this.")[:2]
    (<AnswerKind.CODE: 'code'>, 'B4281')
    """
    offset = max(0, len(answer) - MOST_CHARS)
    text = answer[offset:].translate(_MARKUP)
    options = option_letters(query)
    if options:
        found = _option(text, options)
        if found is None:
            return FinalAnswer(AnswerKind.WORDS, " ".join(words_of(text)), offset, len(answer))
        return FinalAnswer(AnswerKind.OPTION, found[0], offset + found[1], offset + found[2])
    proposed = find_proposed_code(text) if _MAY_HOLD_A_CODE.search(text) else None
    if proposed is not None and proposed.code is not None and proposed.is_code_shaped:
        start = text.rfind(proposed.code)
        start, end = (start, start + len(proposed.code)) if start >= 0 else (0, len(text))
        return FinalAnswer(AnswerKind.CODE, proposed.code.replace(".", ""), offset + start, offset + end)
    number = _number(text)
    if number is not None:
        return FinalAnswer(AnswerKind.NUMBER, number[0], offset + number[1], offset + number[2])
    return FinalAnswer(AnswerKind.WORDS, " ".join(words_of(text)), offset, len(answer))


def option_letters(query: str) -> frozenset[str]:
    r"""The letters of the options that a query lists, one a line; none where it lists fewer than two from A on.

    >>> sorted(option_letters("Which?\n(A) one\n(B) two"))
    ['A', 'B']
    >>> option_letters("Hepatitis B. What now?")
    frozenset()
    """
    letters = frozenset(_OPTION.findall(query[-MOST_CHARS:]))
    return letters if {"A", "B"} <= letters else frozenset()


def words_of(text: str) -> list[str]:
    """The words of a text, folded.

    >>> words_of("The ROD-Test costs 4.5.")
    ['the', 'rod', 'test', 'costs', '4.5']
    """
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def _option(text: str, options: frozenset[str]) -> tuple[str, int, int] | None:
    """The last letter that is stated as the answer; else the letter that is all there is, or that the text opens on."""
    stated = [match for match in _STATED.finditer(text) if match[1].upper() in options]
    # "a" and "I" are words: a lower-case letter counts where the text marks it as an option alone.
    stated = [match for match in stated if match[1].isupper() or text[match.end() : match.end() + 1] in (")", "]")]
    if stated:
        return stated[-1][1].upper(), *stated[-1].span(1)
    bare = _BARE.fullmatch(text)
    if bare is not None and bare[1].upper() in options:
        return bare[1].upper(), *bare.span(1)
    return None


def _number(text: str) -> tuple[str, int, int] | None:
    """The last number after words that announce an answer, else the last number."""
    last = announced = None
    for match in _NUMBER.finditer(text):
        last = match
        if _ANSWER_IS.search(text, max(0, match.start() - 24), match.start()):
            announced = match
    found = announced or last
    if found is None:
        return None
    try:
        value = Decimal(found[2].replace(",", ""))
    except InvalidOperation:
        return None
    sign = found[1].strip()
    in_brackets = sign[:1] == "(" and text[found.end() : found.end() + 1] == ")" and _is_amount(found)
    if sign[:1] in ("-", "\u2212") or in_brackets:
        value = -value
    shown = format(value.normalize(), "f") if value else "0"
    return shown + ("%" if found[3] else ""), found.start(2), found.end(2)


def _is_amount(match: re.Match[str]) -> bool:
    """Brackets mean a negative amount in accounts, where the number has a sign of currency or a group of thousands."""
    return any(sign in match[0] for sign in "$€£,")
