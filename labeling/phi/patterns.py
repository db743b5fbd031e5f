"""The detector that knows forms, labels and surroundings: every letter that text can show. Needs no list of names."""

from collections.abc import Callable, Iterator

from labeling.phi.dates import find_ages, find_dates
from labeling.phi.findings import Finding
from labeling.phi.formed import find_formed
from labeling.phi.labelled import find_labelled
from labeling.phi.names_in_context import find_names_in_context
from labeling.phi.places import find_places

_RULES: tuple[Callable[[str, str], Iterator[Finding]], ...] = (
    find_names_in_context,
    find_places,
    find_dates,
    find_ages,
    find_labelled,
    find_formed,
)


class PatternDetector:
    """Identifiers by their form, their label and their surroundings.

    >>> PatternDetector().find("SSN 123-45-6789")[0].hipaa_letter
    'G'
    """

    name = "patterns"

    def find(self, text: str) -> list[Finding]:
        """Findings of every rule; overlaps are left to the chain."""
        return [finding for rule in _RULES for finding in rule(text, self.name)]
