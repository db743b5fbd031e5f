"""The questions of rows: what there is to ask, once each however many rows ask it."""

from core.fingerprint import of_text
from core.questions import Question
from labeling.content.identifiers import kinds_of
from labeling.content.rows import fault_sentences, query_in
from labeling.content.sources import Source, Tally


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


def has_identifiers(text: str) -> bool:
    """Whether an identifier of a patient was found in a text."""
    return bool(kinds_of([text]))
