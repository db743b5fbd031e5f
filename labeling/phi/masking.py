"""Texts with their findings replaced or marked. Numbers values within one item and forgets them with it."""

from collections import Counter
from collections.abc import Sequence

from labeling.phi.findings import Finding


def segments(text: str, findings: Sequence[Finding]) -> list[tuple[str, Finding | None]]:
    """The text in pieces, found or not, which joined give the text again; for the screen where a person clears it.

    Args:
        text: what was searched.
        findings: in order, without overlaps, as the chain returns them.

    Raises:
        ValueError: findings overlap, are out of order, or reach past the text.
    """
    pieces: list[tuple[str, Finding | None]] = []
    at = 0
    for finding in findings:
        if not at <= finding.start < finding.end <= len(text):
            raise ValueError(
                f"The finding at {finding.start}-{finding.end} does not follow {at} in {len(text)} characters."
            )
        if finding.start > at:
            pieces.append((text[at : finding.start], None))
        pieces.append((text[finding.start : finding.end], finding))
        at = finding.end
    if at < len(text):
        pieces.append((text[at:], None))
    return pieces


def masked(text: str, findings: Sequence[Finding]) -> str:
    """The text with each finding replaced by its kind and a number, the same for the same value.

    >>> from labeling.phi.chain import default_chain
    >>> text = "Mr. Okafor (MRN 48291) and Dr. Silva; Okafor agrees."
    >>> masked(text, default_chain().find(text))
    'Mr. [NAME-1] (MRN [MRN-1]) and Dr. [NAME-2]; [NAME-1] agrees.'
    """
    return masked_item([text], [findings])[0]


def masked_item(texts: Sequence[str], findings: Sequence[Sequence[Finding]]) -> list[str]:
    """The texts of one item masked with one numbering, so that question and answers agree.

    Case and blanks make no other value. The number tells the order of appearance, nothing about the value.
    """
    numbers: dict[tuple[str, str], int] = {}
    counts: Counter[str] = Counter()
    masks = []
    for text, found in zip(texts, findings, strict=True):
        parts = []
        for piece, finding in segments(text, found):
            if finding is None:
                parts.append(piece)
                continue
            value = (finding.kind, " ".join(piece.casefold().split()))
            if value not in numbers:
                counts[finding.kind] += 1
                numbers[value] = counts[finding.kind]
            parts.append(f"[{finding.kind.replace('_', '-').upper()}-{numbers[value]}]")
        masks.append("".join(parts))
    return masks
