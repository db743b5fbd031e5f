r"""The pair text: a question and a weak answer as one text, the form in which every family of routers reads a pair.

    QUESTION
    <separator>Answer:
    ANSWER

The separator is one control character that is taken out of question and answer first, so that nobody can write a text
which reads as another pair. Pipeline, gateway and `verify` build it here and nowhere else. Never cuts what it is given
but in the middle, and counts nothing.
"""

SEPARATOR = "\x1e"
"""ASCII's own record separator."""

MOST_CHARACTERS = 20_000
"""Of question and of answer; a longer one loses its middle, where neither the task nor the conclusion stands."""


def pair_text(question: str, answer: str) -> str:
    r"""One text of both.

    >>> pair_text("Is 7 prime?", "Yes.")
    'Is 7 prime?\n\x1eAnswer:\nYes.'
    """
    return f"{_plain(question)}\n{SEPARATOR}Answer:\n{_plain(answer)}"


def parted(text: str) -> tuple[str, str]:
    r"""Question and answer of a pair text; a text that is none is a question without an answer.

    >>> parted(pair_text("Is 7 prime?", "Yes.")), parted("Is 7 prime?")
    (('Is 7 prime?', 'Yes.'), ('Is 7 prime?', ''))
    """
    question, _, answer = text.partition(SEPARATOR)
    return question.removesuffix("\n"), answer.removeprefix("Answer:\n")


def _plain(text: str) -> str:
    text = text.replace(SEPARATOR, " ")
    if len(text) <= MOST_CHARACTERS:
        return text
    half = MOST_CHARACTERS // 2
    return f"{text[:half]} {text[-half:]}"
