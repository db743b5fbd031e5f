"""What a weak answer looks like beside its question, in numbers: how sure it sounds, what it rests on. Never its truth.

Every feature is a count, a length, a place or a share that can be checked by eye. Counts and lengths come as
log(1 + count), so that a long answer does not drown the others; places are shares of the answer, 0 at its start.

| features | values |
|---|---|
| characters, words, sentences, lines, sentence_words, last_sentence | lengths of the answer's reasoning |
| distinct_words, digits | shares |
| hedges ... certain | log counts of the phrases in `PHRASES`, and the same in a hundred words |
| is_marked, stated_length, names_option, is_letter, lists_letters | how the conclusion is written |
| letter_a ... letter_e | which option it names |
| n_options, chosen_length, chosen_rank, chosen_is_number, chosen_is_none_or_all | the option beside the others |
| chosen_count, chosen_first, chosen_last | how often and where the reasoning speaks of it |
| other_count, other_first, other_last, others_named | the same of the others, the most |
| first_lead, last_lead | how much sooner and later it speaks of the chosen one |
| ends_with_chosen, ends_with_other | whether the last 250 characters do |
| says_letter, says_same, says_other, letters_weighed | letters that the reasoning says, beside the conclusion's |
| chosen_supported, other_supported, support_lead | share of an option's words that the reasoning holds |
| chosen_in_question, other_in_question, support_added | the same of the question |
| from_question, question_used, numbers_from_question | what answer and question share |
| question_characters, question_numbers, question_negates, length_ratio, option_length, option_spread | the question |
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from models.answer_conclusion import Conclusion, bare, conclusion_of

PHRASES: Mapping[str, "re.Pattern[str]"] = {
    name: re.compile(pattern, re.IGNORECASE)
    for name, pattern in {
        "hedges": r"\b(?:may|might|could|possibl[ey]|perhaps|(?:un)?likely|probabl[ey]|suggest\w*|seems?|appears?|about"
        r"|approximately|potential\w*)\b",
        "usual": r"\b(?:typically|usually|commonly|generally|often|mainly|primarily|most)\b",
        "contrast": r"\b(?:however|although|though|but|while|whereas|nevertheless|despite)\b",
        "negations": r"\b(?:not|no|never|neither|nor|incorrect|false|except|without)\b|n't\b",
        "based_on": r"\bbased on (?:the|this|these)\b",
        "none_of": r"\bnone of\b",
        "all_of": r"\b(?:all|both) of\b",
        "lacks": r"\b(?:cannot|can not|unable|insufficient|unclear|difficult|not (?:possible|provided|enough|specified"
        r"|clear|mentioned|sure))\b",
        "plans": r"\b(?:need to|let's|let us|we can|first|to determine|to answer|to find|consider|step)\b",
        "rules_out": r"\b(?:rule[sd]? out|eliminat\w+|exclud\w+|less likely|not (?:typically|commonly|usually"
        r"|associated|specific|directly))\b",
        "concludes": r"\b(?:therefore|thus|hence|in conclusion|in summary|as a result)\b",
        "certain": r"\b(?:characteristic|classic|hallmark|definitive|gold standard|consistent with|indicates?|confirms?"
        r"|known|well[- ]established|exactly)\b",
        "correct_answer": r"\b(?:correct|right|best|appropriate) (?:answer|option|choice)\b",
    }.items()
}
"""Ways to sound sure or unsure, in English."""

_LETTERS = "ABCDE"
FEATURES = (
    *("characters", "words", "sentences", "lines", "sentence_words", "last_sentence", "distinct_words", "digits"),
    *PHRASES,
    *(f"{name}_in_100" for name in PHRASES),
    *("is_marked", "stated_length", "names_option", "is_letter", "lists_letters"),
    *(f"letter_{letter.lower()}" for letter in _LETTERS),
    *("n_options", "chosen_length", "chosen_rank", "chosen_is_number", "chosen_is_none_or_all"),
    *("chosen_count", "chosen_first", "chosen_last", "other_count", "other_first", "other_last", "others_named"),
    *("first_lead", "last_lead", "ends_with_chosen", "ends_with_other"),
    *("says_letter", "says_same", "says_other", "letters_weighed"),
    *("chosen_supported", "other_supported", "support_lead"),
    *("chosen_in_question", "other_in_question", "support_added"),
    *("from_question", "question_used", "numbers_from_question"),
    *("question_characters", "question_numbers", "question_negates", "length_ratio", "option_length", "option_spread"),
)
"""Names of the columns, in order."""

LENGTHS = FEATURES[:6]
"""The first columns: how long the answer is."""

_WORD = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SAYS = re.compile(r"\b(?:answer|option|choice)s?\b[^.\n]{0,30}?\b([A-Z])\b")
_WEIGHS = re.compile(r"(?:^|[\s(])\(?([A-Z])[.):]")
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_NEGATES = re.compile(r"\b(?:not|except|false|incorrect|least|untrue)\b", re.IGNORECASE)
_NONE_OR_ALL = re.compile(r"\b(?:none|all|both|any|neither)\b", re.IGNORECASE)
_STOP_WORDS = frozenset(
    re.findall(r"\w+", "a an and are as at be by for from in is it of on or the to with that this which not")
)
_END, _NOWHERE = 250, 1.5


def answer_looks(pairs: Sequence[tuple[str, str]]) -> Float32[np.ndarray, "n f"]:
    r"""One row a (question, answer), one column a name of `FEATURES`; always finite, empty texts included.

    >>> question, answer = "Which is even?\nA. one\nB. two", "It may be two. The answer is B."
    >>> row = dict(zip(FEATURES, answer_looks([(question, answer)])[0].tolist(), strict=True))
    >>> row["names_option"], row["letter_b"], row["chosen_supported"], round(row["hedges"], 4)
    (1.0, 1.0, 1.0, 0.6931)
    """
    rows = [_row(question, conclusion_of(question, answer)) for question, answer in pairs]
    return np.array(rows, dtype=np.float32).reshape(len(pairs), len(FEATURES))


class _Places(NamedTuple):
    times: int
    first: float
    last: float


def _row(question: str, found: Conclusion) -> list[float]:
    said = found.reasoning
    words = _WORD.findall(said.casefold())
    counts = [len(pattern.findall(said)) for pattern in PHRASES.values()]
    return [
        *_lengths(said, words),
        *map(math.log1p, counts),
        *(100 * count / max(len(words), 1) for count in counts),
        *_form(found),
        *_choice(found, frozenset(words)),
        *_shared(question, said, words),
        *_question(question, said, found),
    ]


def _lengths(said: str, words: Sequence[str]) -> tuple[float, ...]:
    sentences = _SENTENCE.split(said)
    n = max(len(words), 1)
    return (
        math.log1p(len(said)),
        math.log1p(len(words)),
        math.log1p(len(sentences)),
        math.log1p(said.count("\n") + said.count("\\n")),
        math.log1p(len(words) / len(sentences)),
        math.log1p(len(sentences[-1])),
        len(set(words)) / n,
        sum(map(str.isdigit, said)) / max(len(said), 1),
    )


def _form(found: Conclusion) -> tuple[float, ...]:
    stated = found.stated
    return (
        float(found.is_marked),
        math.log1p(len(stated)),
        float(found.chosen is not None),
        float(len(stated) <= 2),
        float(re.fullmatch(r"[A-Z](?:\s*(?:[/,&+]|and|or)\s*[A-Z])+", stated) is not None),
        *(float(found.chosen == letter) for letter in _LETTERS),
    )


def _choice(found: Conclusion, words: frozenset[str]) -> tuple[float, ...]:
    """The chosen option beside the others: how it looks, where the reasoning speaks of it, what supports it."""
    said = found.reasoning.casefold()
    text = found.options.get(found.chosen or "", "")
    others = [option for letter, option in found.options.items() if letter != found.chosen]
    chosen, places = _places(text, said), [_places(option, said) for option in others]
    first = min((place.first for place in places), default=_NOWHERE)
    last = max((place.last for place in places), default=-1.0)
    end = said[-_END:]
    letters = [letter for letter in _SAYS.findall(found.reasoning) if letter in found.options]
    asked = frozenset(_WORD.findall(found.stem.casefold())) if found.options else frozenset[str]()
    support = max((_held(option, words) for option in others), default=0.0)
    return (
        float(len(found.options)),
        math.log1p(len(text)),
        float(sum(len(option) > len(text) for option in others)),
        float(re.match(r"[-$(<>]*\d", text) is not None),
        float(_NONE_OR_ALL.search(text) is not None),
        math.log1p(chosen.times),
        chosen.first,
        chosen.last,
        math.log1p(max((place.times for place in places), default=0)),
        first,
        last,
        float(sum(place.times > 0 for place in places)),
        first - chosen.first,
        chosen.last - last,
        float(bool(bare(text)) and bare(text) in end),
        float(sum(len(bare(option)) > 1 and bare(option) in end for option in others)),
        float(bool(letters)),
        float(bool(letters) and letters[-1] == found.chosen),
        float(bool(letters) and letters[-1] != found.chosen),
        float(len({letter for letter in _WEIGHS.findall(found.reasoning) if letter in found.options})),
        _held(text, words),
        support,
        _held(text, words) - support,
        _held(text, asked),
        max((_held(option, asked) for option in others), default=0.0),
        _held(text, words) - _held(text, asked),
    )


def _shared(question: str, said: str, words: Sequence[str]) -> tuple[float, ...]:
    asked = frozenset(_WORD.findall(question.casefold())) - _STOP_WORDS
    own = [word for word in words if word not in _STOP_WORDS]
    used = frozenset(own)
    numbers, given = _NUMBER.findall(said), frozenset(_NUMBER.findall(question))
    return (
        sum(word in asked for word in own) / max(len(own), 1),
        sum(word in used for word in asked) / max(len(asked), 1),
        sum(number in given for number in numbers) / max(len(numbers), 1),
    )


def _question(question: str, said: str, found: Conclusion) -> tuple[float, ...]:
    lengths = [math.log1p(len(option)) for option in found.options.values()] or [0.0]
    return (
        math.log1p(len(question)),
        math.log1p(len(_NUMBER.findall(question))),
        float(_NEGATES.search(question) is not None),
        math.log1p(len(said)) - math.log1p(len(question)),
        float(np.mean(lengths)),
        float(np.std(lengths)),
    )


def _places(option: str, said: str) -> _Places:
    """How often the reasoning holds an option, and where, in shares of it; what it never holds is nowhere."""
    wanted = bare(option)
    count = said.count(wanted) if len(wanted) > 1 else 0
    if not count:
        return _Places(0, _NOWHERE, -1.0)
    n = max(len(said), 1)
    return _Places(count, said.find(wanted) / n, said.rfind(wanted) / n)


def _held(option: str, words: frozenset[str]) -> float:
    """The share of an option's words that are among `words`."""
    own = [word for word in _WORD.findall(option.casefold()) if word not in _STOP_WORDS]
    return sum(word in words for word in own) / max(len(own), 1)
