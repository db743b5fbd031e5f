"""What a detector reports: where an identifier stands and of which kind, never what it says."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Protocol

LETTERS: Mapping[str, str] = MappingProxyType(
    {
        "A": "names",
        "B": "geographic subdivisions smaller than a state",
        "C": "dates except the year, ages over 89",
        "D": "telephone numbers",
        "E": "fax numbers",
        "F": "e-mail addresses",
        "G": "social security numbers",
        "H": "medical record numbers",
        "I": "health plan beneficiary numbers",
        "J": "account numbers",
        "K": "certificate and licence numbers",
        "L": "vehicle identifiers and plates",
        "M": "device identifiers and serial numbers",
        "N": "web addresses",
        "O": "IP addresses",
        "P": "biometric identifiers",
        "Q": "full-face photographs and the like",
        "R": "any other unique number, characteristic or code",
    }
)
"""The identifiers of 45 CFR 164.514(b)(2)(i), by letter."""

LETTER_OF: Mapping[str, str] = MappingProxyType(
    {
        "name": "A",
        "street": "B",
        "city": "B",
        "postal_code": "B",
        "date": "C",
        "date_of_birth": "C",
        "age_over_89": "C",
        "phone": "D",
        "fax": "E",
        "email": "F",
        "ssn": "G",
        "mrn": "H",
        "health_plan": "I",
        "account": "J",
        "licence": "K",
        "vehicle": "L",
        "device": "M",
        "url": "N",
        "ip_address": "O",
        "biometric": "P",
        "image": "Q",
        "npi": "R",
        "unique_code": "R",
        "long_number": "R",
    }
)
"""The letter under which each kind of finding falls."""

NOT_IN_TEXT: Mapping[str, str] = MappingProxyType(
    {
        "P": "a fingerprint or a voice is no text: only a stored template or recording that is mentioned is found",
        "Q": "a face is no text: only an image that is embedded or linked is found; refuse attachments",
    }
)
"""Letters that text can at most mention."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One identifier at `text[start:end]`; the text itself is never kept.

    >>> Finding.of("mrn", 4, 12, detector="patterns", score=0.95).hipaa_letter
    'H'
    """

    start: int
    end: int
    kind: str
    """A key of LETTER_OF."""
    hipaa_letter: str
    detector: str
    score: float
    """How sure the detector is, in (0, 1]: an order among findings, not a probability."""
    is_labelled: bool = False
    """A label, title or checksum says what it is, so that the allow-list does not overrule it ("MRN I50")."""

    @classmethod
    def of(
        cls, kind: str, start: int, end: int, *, detector: str, score: float, is_labelled: bool = False
    ) -> "Finding":
        """A finding with the letter that its kind has.

        Raises:
            KeyError: the kind is not in LETTER_OF.
        """
        return cls(start, end, kind, LETTER_OF[kind], detector, score, is_labelled)

    def spanning(self, start: int, end: int) -> "Finding":
        """The same finding with other bounds."""
        return replace(self, start=start, end=end)


class Detector(Protocol):
    """Finds identifiers in one text. Stateless, deterministic, off the network."""

    @property
    def name(self) -> str:
        """What findings are signed with."""

    def find(self, text: str) -> list[Finding]:
        """Findings in any order; overlaps are allowed."""
