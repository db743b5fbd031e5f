"""A text cut into sentences and lines, with offsets. A figure's neighbours are those of its sentence."""

import re

_END = re.compile(r"(?<=[a-z0-9%)\]\"'])[.;!?](?=\s+[A-Z(\"'$]|\s*$)|\n")


def sentences_of(text: str) -> list[tuple[int, int]]:
    """Start and end of each sentence or line.

    >>> text = "Sales rose 4.2%. Costs fell."
    >>> [text[start:end] for start, end in sentences_of(text)]
    ['Sales rose 4.2%', ' Costs fell']
    """
    found, start = [], 0
    for match in _END.finditer(text):
        if match.start() > start:
            found.append((start, match.start()))
        start = match.end()
    if start < len(text):
        found.append((start, len(text)))
    return found
