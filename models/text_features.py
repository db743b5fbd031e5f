"""What a text looks like, in numbers: length, digits, kind of question, answer options. Never what it means.

Every feature is a count or a share that can be checked by eye; no model, no vocabulary of a domain, no labels. Counts
come as log(1 + count), so that a long text does not drown the others.

| feature | value |
|---|---|
| characters, words, sentences, lines | log counts |
| word_length, longest_word | mean and longest, in letters |
| long_words, distinct_words, stop_words | shares of the words |
| digits, capitals, punctuation, non_ascii | shares of the characters |
| numbers, decimals, years, percents, money, units | log counts |
| operators, symbols, brackets, quotes, commas | log counts |
| upper_case_words | log count of words of two capitals or more: abbreviations, NOT, EXCEPT |
| negations | log count of not, except, never, least, false, incorrect ... |
| superlatives | log count of most, best, first, main, primary ... |
| blanks | 1 where a gap is to be filled: three underscores or more |
| question_mark, colon_end, ends_open | 1 where the stem ends so; open: no mark at all |
| starts_with_wh, how_many, which_following, true_false, statements | 1 where the phrase is there |
| what, which, who, when, where, why, how | 1 where the stem asks so |
| computes | log count of calculate, find, estimate, change, average, total ... |
| first_person, second_person, third_person | log counts of pronouns |
| past_tense, conditional | log counts of was, were, had; if, would, could, suppose |
| option_lines | log count of the lines that begin as `A. ` |
| option_length, option_spread | mean and standard deviation of their log lengths |
| numeric_options | share of them that begins with a number |
| none_or_all | 1 where an option is none or all of the above, or both |

The stem is the text before the first option line.
"""

import math
import re
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float32

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_OPTION = re.compile(r"^[ \t]*\(?[A-J][.)][ \t]+(.*)$", re.MULTILINE)
_STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be been but by for from had has have he her his i in into is it its no of on or she so "
        "that the their them then there these they this to was we were what when which who will with would you your",
    )
)


def _count(pattern: str, flags: int = re.IGNORECASE) -> Callable[[str], float]:
    compiled = re.compile(pattern, flags)
    return lambda text: math.log1p(len(compiled.findall(text)))


def _has(pattern: str, flags: int = re.IGNORECASE) -> Callable[[str], float]:
    compiled = re.compile(pattern, flags)
    return lambda text: float(compiled.search(text) is not None)


_OF_TEXT: dict[str, Callable[[str], float]] = {
    "characters": lambda text: math.log1p(len(text)),
    "words": lambda text: math.log1p(len(_WORD.findall(text))),
    "sentences": _count(r"[.!?](?=\s|$)"),
    "lines": _count(r"\n"),
    "numbers": _count(r"\d+(?:[.,]\d+)*"),
    "decimals": _count(r"\d[.]\d"),
    "years": _count(r"\b(?:1[5-9]|20)\d\d\b"),
    "percents": _count(r"%|\bper ?cent"),
    "money": _count(r"[$£€¥₹]|\b(?:dollars?|million|billion)\b"),
    "units": _count(
        r"\d\s?(?:mg|kg|g|ml|l|m|cm|mm|km|s|ms|h|hz|v|w|j|n|k|mol|mmhg|°\w?|years?|days?|weeks?|months?)\b"
    ),
    "operators": _count(r"[=+*/^<>×÷±≤≥∑∫√]|\d\s?[-–]\s?\d"),
    "symbols": _count(r"[\\{}_|~@#&`]"),
    "brackets": _count(r"[()\[\]]"),
    "quotes": _count(r"[\"“”«»]|(?<!\w)'"),
    "commas": _count(r"[,;]"),
    "upper_case_words": _count(r"\b[A-Z]{2,}\b", 0),
    "negations": _count(r"\b(?:not|except|never|least|false|incorrect|untrue|no|cannot|without|neither|nor)\b|n't\b"),
    "superlatives": _count(r"\b(?:most|best|first|main|mainly|primary|primarily|highest|lowest|largest|greatest)\b"),
    "blanks": _has(r"_{3,}|\.{4,}"),
    "how_many": _has(r"\bhow (?:many|much|long|far|often)\b"),
    "which_following": _has(r"\b(?:of )?the following\b"),
    "true_false": _has(r"\b(?:true|false|correct|incorrect)\b"),
    "statements": _has(r"\b(?:statement|scenario|premise|argument|assertion)s?\b"),
    "computes": _count(
        r"\b(?:calculate|compute|find|determine|evaluate|estimate|solve|change|difference|average|total|sum|ratio"
        r"|increase|decrease|percentage|number of)\b"
    ),
    "first_person": _count(r"\b(?:i|me|my|we|our|us)\b"),
    "second_person": _count(r"\b(?:you|your)\b"),
    "third_person": _count(r"\b(?:he|she|his|her|him|they|their|them)\b"),
    "past_tense": _count(r"\b(?:was|were|had|did)\b"),
    "conditional": _count(r"\b(?:if|would|could|should|suppose|assume|given|let)\b"),
    "none_or_all": _has(r"\b(?:none|all|both|any) of (?:the|these|them)\b"),
}
_OF_STEM: dict[str, Callable[[str], float]] = {
    "question_mark": _has(r"\?\s*$"),
    "colon_end": _has(r"[:\-–]\s*$"),
    "ends_open": _has(r"\w\s*$"),
    "starts_with_wh": _has(r"^\s*(?:what|which|who|whom|whose|when|where|why|how)\b"),
    "what": _has(r"\bwhat\b"),
    "which": _has(r"\bwhich\b"),
    "who": _has(r"\bwho(?:m|se)?\b"),
    "when": _has(r"\bwhen\b"),
    "where": _has(r"\bwhere\b"),
    "why": _has(r"\b(?:why|reason|because)\b"),
    "how": _has(r"\bhow\b"),
}
_OF_WORDS = ("word_length", "longest_word", "long_words", "distinct_words", "stop_words")
_OF_CHARACTERS = ("digits", "capitals", "punctuation", "non_ascii")
_OF_OPTIONS = ("option_lines", "option_length", "option_spread", "numeric_options")

FEATURES = (*_OF_TEXT, *_OF_STEM, *_OF_WORDS, *_OF_CHARACTERS, *_OF_OPTIONS)
"""Names of the columns, in order."""

SIZE = FEATURES[:4]
"""The first columns: how long a text is, which is by itself a floor that many routers do not beat."""


def text_features(texts: Sequence[str]) -> Float32[np.ndarray, "n f"]:
    """One row a text, one column a name of `FEATURES`; always finite, an empty text included.

    >>> row = dict(zip(FEATURES, text_features(["Which is NOT 5?"])[0].tolist(), strict=True))
    >>> row["which"], row["question_mark"], row["ends_open"], round(row["digits"], 4)
    (1.0, 1.0, 0.0, 0.0667)
    """
    return np.array([_row(text) for text in texts], dtype=np.float32).reshape(len(texts), len(FEATURES))


def _row(text: str) -> list[float]:
    first_option = _OPTION.search(text)
    stem = text[: first_option.start()] if first_option else text
    return [
        *(feature(text) for feature in _OF_TEXT.values()),
        *(feature(stem) for feature in _OF_STEM.values()),
        *_word_features(_WORD.findall(text)),
        *_character_features(text),
        *_option_features(_OPTION.findall(text)),
    ]


def _word_features(words: Sequence[str]) -> tuple[float, ...]:
    if not words:
        return (0.0,) * len(_OF_WORDS)
    lengths, n = [len(word) for word in words], len(words)
    lower = [word.lower() for word in words]
    return (
        sum(lengths) / n,
        float(max(lengths)),
        sum(length >= 8 for length in lengths) / n,
        len(set(lower)) / n,
        sum(word in _STOP_WORDS for word in lower) / n,
    )


def _character_features(text: str) -> tuple[float, ...]:
    n = max(len(text), 1)
    return (
        sum(char.isdigit() for char in text) / n,
        sum(char.isupper() for char in text) / n,
        sum(not (char.isalnum() or char.isspace()) for char in text) / n,
        sum(ord(char) > 127 for char in text) / n,
    )


def _option_features(options: Sequence[str]) -> tuple[float, ...]:
    if not options:
        return (0.0,) * len(_OF_OPTIONS)
    lengths = np.log1p([len(option) for option in options])
    numeric = sum(re.match(r"[-$(]*\d", option) is not None for option in options) / len(options)
    return math.log1p(len(options)), float(lengths.mean()), float(lengths.std()), numeric
