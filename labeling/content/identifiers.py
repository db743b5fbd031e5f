"""The gate for identifiers of patients: what is searched, by which chain, and which kinds of texts are held back.

The one place where the labeling room reaches `labeling.phi`. Counts kinds; keeps no text of what was found.
"""

from collections import Counter
from collections.abc import Sequence

from labeling.phi.chain import default_chain
from labeling.phi.findings import Finding

CITED_KINDS = frozenset({"date", "city", "url"})
"""Kinds that an expert's reason may hold: it cites guidelines by date and place."""


def find_identifiers(texts: Sequence[str]) -> list[list[Finding]]:
    """Findings in each text of one item; a name found in one is found wherever it stands in the others."""
    return default_chain().find_in_item(texts)


def kinds_of(texts: Sequence[str]) -> dict[str, int]:
    """How often each kind of identifier stands in the texts of one item.

    >>> kinds_of(["Pt reachable at 555-010-2233", "S72.001A, CPT 99214"])
    {'phone': 1}
    """
    return count_kinds(find_identifiers(texts))


def count_kinds(findings: Sequence[Sequence[Finding]]) -> dict[str, int]:
    """How often each kind stands among findings."""
    return dict(Counter(finding.kind for found in findings for finding in found))


def kinds_in_reason(reason: str) -> tuple[str, ...]:
    """Kinds of identifiers that an expert's reason must not hold.

    >>> kinds_in_reason("As of October 1, 2024 code I10."), kinds_in_reason("MRN 00482913 says otherwise.")
    ((), ('mrn',))
    """
    return tuple(kind for kind in kinds_of([reason]) if kind not in CITED_KINDS)
