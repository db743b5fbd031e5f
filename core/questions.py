"""A conversation that a model is to answer, and which of them have no answer yet."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from core.answer_file import AnswerFile
from core.records import Message


@dataclass(frozen=True)
class Question:
    """A conversation to be answered, and where it stands."""

    place: str
    messages_sha256: str
    """What its answer is kept under: the hash of the messages, or of all that makes this asking another one."""
    messages: tuple[Message, ...]
    has_findings: bool
    """Whether an identifier was found in it."""
    options: Mapping[str, object] = field(default_factory=dict)
    """Further fields of the request, such as a temperature."""


def open_questions(model: str, questions: Iterable[Question], file: AnswerFile) -> list[Question]:
    """Questions to which this model has given no answer yet."""
    return [one for one in questions if (model, one.messages_sha256) not in file.answers]
