"""What one reference holds at a moment: a bundle that decides or the reason why none does, and what is said of it."""

from datetime import datetime, timedelta
from typing import NamedTuple

from gateway.certified import RoutingBundle, standing_of

SOON = timedelta(days=14)
"""How long before its end a certificate is warned of."""


class Slot(NamedTuple):
    """One reference's bundle; without one the strong model answers, and `fault` says why."""

    reference: str
    bundle: RoutingBundle | None = None
    fault: str | None = None
    version: int | None = None
    sentence: str = ""


class Report(NamedTuple):
    """What stands at a reference: for health, metrics and the log. Names, numbers, hashes and slugs; no text."""

    reference: str
    parts: tuple[str, ...]
    """`champion`, `domain NAME`, `canary`, `shadow`."""
    bundle: str | None
    """The bundle's hash; None where none decides."""
    version: int | None
    fault: str | None
    """Why the strong model answers; None where the bundle decides."""
    certificate_ends: datetime | None
    """None where there is no certificate, or it cannot be read."""
    ends_soon: bool
    """Whether that is within 14 days."""


def report_of(slot: Slot, parts: tuple[str, ...], *, now: datetime) -> Report:
    """What stands there now; a certificate that has ended is a fault like any other."""
    if slot.bundle is None:
        return Report(slot.reference, parts, None, slot.version, slot.fault, None, ends_soon=False)
    standing = standing_of(slot.bundle, now=now)
    ends = standing.expires_at
    ends_soon = ends is not None and now < ends <= now + SOON
    return Report(slot.reference, parts, slot.bundle.sha256, slot.version, standing.fault, ends, ends_soon=ends_soon)
