r"""What a weak answer concludes, and which of the question's options that is. Reads text alone; judges nothing.

| form of the answer | its conclusion |
|---|---|
| a JSON object, also a broken one, with a key such as `answer`, `answer_choice`, `final_answer` | that key's value |
| ... the answer is X, Answer: X, #### X | X, the last one |
| anything else | its last sentence |

Options are the lines of the question that begin as `A. `, `B) ` or `(C) `.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_OPTION = re.compile(r"^[ \t]*\(?([A-Z])[.):][ \t]+(\S.*)$", re.MULTILINE)
_KEYED = re.compile(
    r'["\'](?:final[_ ]|predicted[_ ])?(?:answer|choice|option|label)(?:[_ ](?:choice|option|letter|idx))?["\']\s*:'
    r'\s*["\']?([^"\'}\n]*)',
    re.IGNORECASE,
)
_STATED = re.compile(
    r"(?:\b(?:final |correct |best |right )?(?:answer|choice|option)\s*(?:is|:|=)+\s*|####\s*)"
    r"(?:option |choice |\()?\s*([^\n]{1,200})",
    re.IGNORECASE,
)
_LETTER = re.compile(r"^\W{0,3}(?:(?:option|choice|answer)\s+)?\(?([A-Z])(?=[.):,\s\"'*]|$)", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_SCAFFOLD = re.compile(r'^\s*\{\s*"\w+"\s*:\s*"')


@dataclass(frozen=True)
class Conclusion:
    """An answer taken apart; n options."""

    stem: str
    """The question before its first option."""
    reasoning: str
    """What stands before the conclusion, without the JSON around it."""
    stated: str
    """The conclusion as it is written; empty where the answer is."""
    options: Mapping[str, str]
    """The question's options by letter."""
    chosen: str | None
    """Letter of the option that the conclusion names; None: it names none, or there are none."""
    is_marked: bool
    """Whether a key or a phrase says that this is the conclusion."""


def conclusion_of(question: str, answer: str) -> Conclusion:
    r"""The answer taken apart.

    >>> found = conclusion_of("Which?\nA. one\nB. two", '{"thinking": "It is two.", "answer_choice": "B"}')
    >>> found.reasoning, found.stated, found.chosen
    ('It is two.', 'B', 'B')
    >>> conclusion_of("Which?\nA. one\nB. two", "So it is even. The answer is two.").chosen
    'B'
    """
    options = options_of(question)
    keyed = list(_KEYED.finditer(answer))
    stated = list(_STATED.finditer(answer)) if not keyed else []
    if keyed or stated:
        last = (keyed or stated)[-1]
        said, before = last.group(1).strip(), answer[: last.start()]
        reasoning = before if keyed or len(before.strip()) > len(said) else answer
    else:
        sentences = [part for part in _SENTENCE_END.split(answer) if part.strip()]
        said, reasoning = (sentences[-1].strip() if sentences else ""), answer
    reasoning = _SCAFFOLD.sub("", reasoning).rstrip(' \n\t",{').strip()
    first = _OPTION.search(question) if options else None
    stem = question[: first.start()] if first else question
    return Conclusion(stem, reasoning, said, options, _chosen(said, options), bool(keyed or stated))


def options_of(question: str) -> dict[str, str]:
    r"""Options by letter, where the question lists at least two.

    >>> options_of("Which?\nA. one\n(B) two"), options_of("A. Smith, which?")
    ({'A': 'one', 'B': 'two'}, {})
    """
    found = {letter: text.strip() for letter, text in _OPTION.findall(question)}
    return found if len(found) >= 2 else {}


def bare(text: str) -> str:
    """A text as it is compared with an option: small letters, no stop at its end."""
    return text.strip().rstrip(".,;:").casefold()


def _chosen(said: str, options: Mapping[str, str]) -> str | None:
    letter = _LETTER.match(said)
    if letter and letter.group(1).upper() in options and not _is_a_word(said, letter):
        return letter.group(1).upper()
    same = [name for name, text in options.items() if bare(text) == bare(said)]
    if not same:
        inside = [name for name, text in options.items() if len(bare(text)) > 2 and bare(text) in said.casefold()]
        same = inside if len(inside) == 1 else []
    return same[0] if len(same) == 1 else None


def _is_a_word(said: str, letter: "re.Match[str]") -> bool:
    """Whether the letter begins a sentence (`A patient ...`, `I think ...`) and names no option."""
    return letter.group(1).upper() in "AI" and re.match(r"\s[a-z]", said[letter.end() :]) is not None
