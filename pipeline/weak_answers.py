"""The weak model's answers of a run's rows, where the outcome files hold their text. Copies none of them anywhere."""

from collections.abc import Mapping

from core.outcomes import read_outcomes
from core.settings import RunSettings


def weak_answers(settings: RunSettings) -> Mapping[str, str]:
    """The weak model's text by the id of its row; rows without it are left out."""
    weak = settings.pair.weak.name
    found: dict[str, str] = {}
    for outcome in read_outcomes(settings.data.all_files):
        answer = outcome.results.get(weak)
        if answer is not None and answer.text is not None:
            found[outcome.query.id] = answer.text
    return found
