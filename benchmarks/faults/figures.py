"""Answers of finance, law and medicine with one figure made wrong.

Each kind has several texts with other words and numbers, some with the working in the answer, some with a source alone.
A fault changes one figure of the right answer and nothing else.
"""

from collections.abc import Callable

import numpy as np

from benchmarks.faults import figure_texts as texts
from benchmarks.faults.seeded import Seeded
from verifiers.case import Case

KINDS: dict[str, tuple[str, Callable[[np.random.Generator], texts.Text]]] = {
    "wrong_unit": ("medical_coding", texts.with_unit),
    "shifted_date": ("legal", texts.with_date),
    "wrong_total": ("finance", texts.with_total),
    "swapped_digit_in_number": ("finance", texts.with_number),
    "wrong_percentage": ("finance", texts.with_percentage),
    "wrong_identifier": ("finance", texts.with_identifier),
    "wrong_dose": ("medical_coding", texts.with_dose),
}
"""Each kind of fault, the pack whose checks must catch it, and what writes a right answer with the figure to spoil."""


def seeded(rng: np.random.Generator, n: int) -> list[Seeded]:
    """`n` right answers of each kind with their spoiled twins.

    >>> [fault.fault for fault in seeded(np.random.default_rng(0), 1)][:3]
    ['wrong_unit', 'shifted_date', 'wrong_total']
    """
    found = []
    for kind, (pack, write) in KINDS.items():
        for index in range(n):
            text = write(rng)
            if (text.pack or pack) == "medical_coding":
                text = texts.with_diagnosis(text, rng)
            clean = _case(f"{kind}-{index}", text, text.answer.replace("{}", text.figure, 1))
            faulty = _case(f"{kind}-{index}-faulty", text, text.answer.replace("{}", text.spoiled, 1))
            found.append(Seeded(kind, text.pack or pack, clean, faulty))
    return found


def _case(name: str, text: texts.Text, answer: str) -> Case:
    query = {"id": name, "messages": [{"role": "user", "content": text.asked}]}
    return Case.model_validate({"query": query, "answer": answer, "facts": {"source": text.source}})
