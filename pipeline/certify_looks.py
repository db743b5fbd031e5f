"""Looks at the rows of a certificate, counted in the ledger: each is written down before it is made.

The same scores tried again on the same labels are the same look, whatever run asks; anything else is one more.
"""

import getpass
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from assurance.attempts import Attempt, attempt_number, bucket_hashes
from assurance.certificates import Rows
from core import fingerprint
from core.ledger import Detail, Event, Ledger

ATTEMPT = "certify.attempt"
"""The ledger's word for a look."""


class Look(NamedTuple):
    """A look: its number among those at these rows, its event in the ledger, and when it was made first."""

    attempt: int
    seq: int
    at: datetime


@dataclass(frozen=True)
class Looks:
    """The ledger that counts, and the name of the run that looks."""

    ledger: Ledger
    run: str

    def look(self, stratum: str, tried: str, keys: Sequence[str]) -> Look:
        """Write a look down, where it is new.

        Counted are the looks that the ledger holds before this one's event, so two runs at once never share a number.

        Args:
            stratum: whose rows.
            tried: hash of what is tried (`tried_hash`).
            keys: one a row (`text_key`); no text.
        """
        this = Attempt(tried=tried, buckets=bucket_hashes(keys))
        subject = f"stratum:{stratum}"
        events = self.ledger.events(action=ATTEMPT, subject=subject)
        found = next((event for event in events if _attempt_in(event) == this), None)
        if found is None:
            details: dict[str, Detail] = {
                "run": self.run,
                "rows": len(keys),
                "tried": this.tried,
                "buckets": ",".join(this.buckets),
            }
            found = self.ledger.append(getpass.getuser(), ATTEMPT, subject, details)
            events = self.ledger.events(action=ATTEMPT, subject=subject)
        earlier = [_attempt_in(event) for event in events if event.seq < found.seq]
        return Look(attempt_number(earlier, this), found.seq, datetime.fromisoformat(found.at))


def tried_hash(asked: Mapping[str, object], rows: Rows) -> str:
    """Hash of a trial: what was asked for, of which probabilities, on which labels."""
    columns = (rows.probability, rows.weak, rows.strong, *(() if rows.passes is None else (rows.passes,)))
    return fingerprint.of_json([dict(asked), *(fingerprint.of_array(column) for column in columns)])


def text_key(text: str) -> str:
    """What stands for a question, the same for its copies."""
    return fingerprint.of_text(fingerprint.normalised_text(text))


def _attempt_in(event: Event) -> Attempt:
    return Attempt(tried=str(event.details["tried"]), buckets=tuple(str(event.details["buckets"]).split(",")))
