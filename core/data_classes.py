"""What kind of texts are handled, and which kinds may not leave unseen. Looks into no text."""

from typing import Literal

DataClass = Literal["synthetic", "public", "deidentified", "limited", "identified"]
"""What kind of texts: made up; public; de-identified; a limited data set under an agreement; identified."""

HOLDING_CLASSES = frozenset({"deidentified", "limited", "identified"})
"""Kinds of texts of which an item with a finding is held back; of made-up and public texts it is only reported."""


def holds(data_class: str) -> bool:
    """Whether items with findings are held back; a class that is not known counts as identified.

    >>> holds("synthetic"), holds("deidentified")
    (False, True)
    """
    return data_class in HOLDING_CLASSES or data_class not in {"synthetic", "public"}
