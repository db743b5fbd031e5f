"""Requests that need a person, as the gateway keeps them, for the tests of the human queue."""

from core.records import Query, messages_of
from core.unresolved import CheckSaid, MachineVerdict, Unresolved
from tests.labeling.conftest import STRONG, WEAK


def unresolved(number, **changes):
    """One request with both answers whose recheck failed, unless the changes say otherwise."""
    stakes = changes.pop("stakes", "high")
    said = MachineVerdict(
        verdict=changes.pop("verdict", "fail"),
        checks=(
            CheckSaid(check="wording.quote", outcome="fail", reason="changed_number"),
            CheckSaid(check="wording.section", outcome="pass", reason="in_source"),
        ),
    )
    query = Query(
        id=f"dec_{number}", messages=messages_of(f"May the tenant end lease {number}?"), domain="law", stakes=stakes
    )
    row = Unresolved(
        id=f"dec_{number}",
        query=query,
        weak=WEAK,
        strong=STRONG,
        weak_answer=f"Yes, after sixty days, says lease {number}.",
        strong_answer=f"Yes, after thirty days, says lease {number}.",
        said=said,
    )
    return row.model_copy(update=changes)
