"""The gates of a promotion: what the evidence inside a bundle must show. Reads files; asks nobody and moves nothing.

A gate passes, fails, or could not run; what could not run counts as failed. Limits are fixed here, not in settings.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from assurance.bootstrap import Interval
from core.errors import BundleError
from core.records import Record

EVIDENCE = "evidence.json"
"""The file in a bundle that holds its evidence, under the bundle's manifest like every other file."""


class Evidence(Record):
    """What the run measured on rows that the router has not seen; APGR differences are paired on the same rows."""

    n_test_rows: int = Field(ge=0)
    apgr: Interval
    """The router's own."""
    better_than_base: Interval | None
    """Router minus the router it was adapted from; None for a router that was not adapted."""
    better_than_floors: Mapping[str, Interval]
    """Router minus each floor, by the floor's name."""
    groups_in_more_than_one_part: int = Field(ge=0)
    """Groups of rows (same text, same group key) found on both sides of the split."""


class Gate(Record):
    """One gate's result, with the sentence that explains it."""

    name: str
    result: Literal["pass", "fail", "could not run"]
    why: str


def run_gates(folder: Path, *, check_bundle: Callable[[Path], object]) -> tuple[Gate, ...]:
    """Every gate on the bundle in `folder`, in order; none stops the others.

    Args:
        folder: the bundle.
        check_bundle: loads the bundle, or raises BundleError where a file is altered, missing or too many.
    """
    intact = _intact(folder, check_bundle)
    try:
        evidence = Evidence.model_validate_json((folder / EVIDENCE).read_bytes())
    except OSError:
        why = f"the bundle holds no {EVIDENCE}"
    except ValidationError as error:
        fault = error.errors()[0]
        why = f"{EVIDENCE} is malformed: {'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
    else:
        return (intact, _floors(evidence), _base(evidence), _leakage(evidence))
    return (intact, *(Gate(name=name, result="could not run", why=why) for name in ("floors", "base", "leakage")))


def gates_text(gates: tuple[Gate, ...]) -> str:
    """The gates as lines, one each.

    >>> gates_text((Gate(name="leakage", result="pass", why="0 groups cross parts"),))
    '  leakage: pass (0 groups cross parts)'
    """
    return "\n".join(f"  {gate.name}: {gate.result} ({gate.why})" for gate in gates)


def _intact(folder: Path, check_bundle: Callable[[Path], object]) -> Gate:
    try:
        check_bundle(folder)
    except BundleError as error:
        return Gate(name="manifest", result="fail", why=str(error))
    return Gate(name="manifest", result="pass", why="every file is the one that the manifest names")


def _floors(evidence: Evidence) -> Gate:
    """No floor is measurably better, and a coin is measurably worse.

    Asking for a higher estimate alone would decide between equals by luck; asking for proof against every floor would
    refuse a router that is as good as the best of them. What it could not be told from is named.
    """
    gains = evidence.better_than_floors
    if "random" not in gains:
        return Gate(name="floors", result="could not run", why="the router was not compared with a coin")
    better = [f"{name} ({gain})" for name, gain in gains.items() if gain.high < 0]
    if better:
        return Gate(name="floors", result="fail", why=f"measurably better is {', '.join(better)}")
    if not gains["random"].low > 0:
        return Gate(name="floors", result="fail", why=f"the gain in APGR over a coin, {gains['random']}, may be zero")
    open_to = [f"{name} ({gain})" for name, gain in gains.items() if gain.low <= 0]
    untold = f"; not told apart from {', '.join(open_to)}" if open_to else ""
    return Gate(name="floors", result="pass", why=f"the gain in APGR over a coin is {gains['random']}{untold}")


def _base(evidence: Evidence) -> Gate:
    gain = evidence.better_than_base
    if gain is None:
        return Gate(name="base", result="could not run", why="the router was not compared with one it was adapted from")
    if not gain.low > 0:
        return Gate(name="base", result="fail", why=f"the gain in APGR over the base, {gain}, is not above zero")
    return Gate(name="base", result="pass", why=f"the gain in APGR over the base is {gain}")


def _leakage(evidence: Evidence) -> Gate:
    n = evidence.groups_in_more_than_one_part
    if not evidence.n_test_rows:
        return Gate(name="leakage", result="could not run", why="there were no test rows")
    if n:
        return Gate(name="leakage", result="fail", why=f"{n} groups of rows stand in more than one part of the split")
    return Gate(name="leakage", result="pass", why="no group of rows stands in more than one part of the split")
