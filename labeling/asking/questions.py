"""The questions of rows: what there is to ask, once each however many rows ask it."""

from collections.abc import Iterable
from dataclasses import dataclass

from core.fingerprint import of_text
from core.records import Message
from labeling.asking.answer_file import AnswerFile
from labeling.asking.endpoint import Endpoint
from labeling.content.identifiers import kinds_of
from labeling.content.rows import fault_sentences, query_in
from labeling.content.sources import Source, Tally


@dataclass(frozen=True)
class Question:
    """A conversation to be answered, and where it stands."""

    place: str
    messages_sha256: str
    messages: tuple[Message, ...]
    has_findings: bool


def questions_in(source: Source, *, data_class: str) -> tuple[list[Question], Tally]:
    """The distinct questions of the rows, in order, and the faults of those that hold none."""
    tally, questions = Tally(), {}
    for row in source.rows(tally):
        try:
            query, messages = query_in(row)
        except ValueError as error:
            tally.faults.extend(f"{row.place}: {sentence}" for sentence in fault_sentences(error))
            continue
        sha256 = of_text(messages)
        if sha256 not in questions:
            has_findings = data_class == "deidentified" and bool(kinds_of([query.text]))
            questions[sha256] = Question(row.place, sha256, query.messages, has_findings)
    return list(questions.values()), tally


def open_questions(endpoint: Endpoint, questions: Iterable[Question], file: AnswerFile) -> list[Question]:
    """Questions to which this model has given no answer yet."""
    return [one for one in questions if (endpoint.model, one.messages_sha256) not in file.answers]
