"""The gates of a promotion: what the evidence inside a bundle must show. Reads files; asks nobody and moves nothing.

A gate passes, fails, could not run, or only notes; what could not run counts as failed. The limits are settings that
the evidence holds as they were before training; edited since, they refuse the version.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from assurance.bootstrap import Interval
from assurance.detection import Detection
from core import fingerprint
from core.certificate_record import Certificate
from core.errors import BundleError
from core.gate_settings import GateSettings
from core.records import Record

EVIDENCE = "evidence.json"
"""The file in a bundle that holds its evidence, under the bundle's manifest like every other file."""

FIXED_GATES = "gates.json"
"""The file in which the stage train keeps the limits as they were when it began."""

CERTIFICATE = "certificate.json"
"""The file of the stage certify, and of the bundle."""


class SliceEvidence(Record):
    """One stratum of the test rows; the gain in APGR over the base is None where the rows do not allow one."""

    stratum: str
    n: int
    better_than_base: Interval | None


class CalibrationEvidence(Record):
    """The calibration error, the 95th percentile of a perfect router's, and how probable as large a one is of such."""

    ece: float
    null_high: float
    p_value: float


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
    calibration: CalibrationEvidence | None = None
    slices: tuple[SliceEvidence, ...] | None = None
    agreement: tuple[str, ...] = ()
    """What the datasets behind the labels say of their experts' agreement; empty: not known."""
    suspicion: Detection | None = None
    """What the classifier of weak answers is worth, where the run trained one."""
    gates: GateSettings = GateSettings()
    """The limits, as they were before training."""
    gates_sha256: str | None = None


class Gate(Record):
    """One gate's result, with the sentence that explains it."""

    name: str
    result: Literal["pass", "fail", "could not run", "note"]
    why: str

    @property
    def is_open(self) -> bool:
        """Whether it lets a version through."""
        return self.result in ("pass", "note")


@dataclass(frozen=True)
class InForce:
    """What holds at the time of a promotion: the clock, and the hash of the gates' settings; None: not compared."""

    now: datetime
    gates_sha256: str | None = None


def gates_fingerprint(gates: GateSettings) -> str:
    """The hash by which limits are known."""
    return fingerprint.of_json(gates.model_dump(mode="json"))


NAMES = (
    "manifest",
    "limits",
    "floors",
    "base",
    "strata",
    "leakage",
    "calibration",
    "agreement",
    "slices",
    "certificate",
)


def run_gates(folder: Path, *, check_bundle: Callable[[Path], object], in_force: InForce) -> tuple[Gate, ...]:
    """Every gate on the bundle in `folder`, in order; none stops the others.

    Args:
        folder: the bundle.
        check_bundle: loads the bundle, or raises BundleError where a file is altered, missing or too many.
        in_force: the clock, and the limits that the settings of today name.
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
        return (
            intact,
            _limits(evidence, in_force),
            _floors(evidence),
            _base(evidence),
            _strata(evidence),
            _leakage(evidence),
            _calibration(evidence),
            _agreement(evidence),
            _slices(evidence),
            _certificate(folder, in_force.now),
        )
    return (intact, *(Gate(name=name, result="could not run", why=why) for name in NAMES[1:]))


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


def _limits(evidence: Evidence, in_force: InForce) -> Gate:
    """The limits are those of before training, by hash."""
    if evidence.gates_sha256 is None:
        return Gate(name="limits", result="could not run", why="the evidence names no limits fixed before training")
    if gates_fingerprint(evidence.gates) != evidence.gates_sha256:
        return Gate(name="limits", result="fail", why="the limits in the evidence are not those whose hash it names")
    if in_force.gates_sha256 not in (None, evidence.gates_sha256):
        why = "settings `gates` were edited after training; restore them, or run with `--from train` under the new ones"
        return Gate(name="limits", result="fail", why=why)
    return Gate(name="limits", result="pass", why=f"fixed before training, hash {evidence.gates_sha256[:12]}")


def _strata(evidence: Evidence) -> Gate:
    """No stratum is measurably worse than the base by more than the margin; what cannot be ruled out is named."""
    if evidence.slices is None:
        return Gate(name="strata", result="could not run", why="the evidence names no strata")
    margin = evidence.gates.stratum_margin
    gains = {one.stratum: one.better_than_base for one in evidence.slices if one.better_than_base is not None}
    worse = [f"{name} ({gain})" for name, gain in gains.items() if not gain.high >= -margin]
    if worse:
        why = f"worse than the base by more than {margin:g} APGR: {', '.join(worse)}"
        return Gate(name="strata", result="fail", why=why)
    open_to = [f"{name} ({gain})" for name, gain in gains.items() if not gain.low >= -margin]
    untold = f"; it cannot be ruled out of {', '.join(open_to)}" if open_to else ""
    why = f"{len(gains)} of {len(evidence.slices)} strata measured, none worse than the base by {margin:g} APGR{untold}"
    return Gate(name="strata", result="pass", why=why)


def _calibration(evidence: Evidence) -> Gate:
    found = evidence.calibration
    if found is None:
        return Gate(name="calibration", result="could not run", why="the evidence holds no calibration error")
    why = f"calibration error {found.ece:.3f}, a perfect router's 95th percentile {found.null_high:.3f}, "
    why += f"p = {found.p_value:.3f}"
    return Gate(name="calibration", result="pass" if found.p_value >= evidence.gates.calibration_p else "fail", why=why)


def _agreement(evidence: Evidence) -> Gate:
    """The experts' agreement, from the frozen datasets; it decides only where settings ask for a least one."""
    least = evidence.gates.min_agreement
    if not evidence.agreement:
        why = "the labels come from no frozen dataset that tells how far its experts agreed"
        return Gate(name="agreement", result="note" if least is None else "could not run", why=why)
    why = "; ".join(evidence.agreement)
    if least is None:
        return Gate(name="agreement", result="note", why=why)
    alphas = [re.match(r"-?[0-9.]+", line.replace("\N{MINUS SIGN}", "-")) for line in evidence.agreement]
    known = [float(alpha.group()) for alpha in alphas if alpha]
    if len(known) < len(alphas):
        return Gate(name="agreement", result="could not run", why=f"no figure: {why}")
    result: Literal["pass", "fail"] = "pass" if min(known) >= least else "fail"
    return Gate(name="agreement", result=result, why=f"{why}; the least asked for is {least:g}")


def _slices(evidence: Evidence) -> Gate:
    """Names the strata with too few rows to say anything about; decides nothing."""
    if evidence.slices is None:
        return Gate(name="slices", result="could not run", why="the evidence names no strata")
    least = evidence.gates.min_slice_rows
    few = [f"{one.stratum} ({one.n})" for one in evidence.slices if one.n < least]
    why = f"fewer than {least} test rows: {', '.join(few)}" if few else f"every stratum has {least} test rows or more"
    return Gate(name="slices", result="note", why=why)


def _certificate(folder: Path, now: datetime) -> Gate:
    try:
        certificate = Certificate.model_validate_json((folder / CERTIFICATE).read_bytes())
    except OSError:
        return Gate(name="certificate", result="note", why="none was asked for: nothing is promised about harm")
    except ValidationError as error:
        return Gate(name="certificate", result="fail", why=f"it does not read: {error.errors()[0]['msg']}")
    if certificate.has_expired(now):
        return Gate(name="certificate", result="fail", why=f"it ended on {certificate.expires_at:%Y-%m-%d}")
    names = [one.stratum for one in certificate.strata if one.is_certified]
    if not names:
        reasons = " ".join(f"{one.stratum}: {one.why}" for one in certificate.strata)
        return Gate(name="certificate", result="fail", why=f"no stratum is certified. {reasons}")
    why = f"{', '.join(names)} certified until {certificate.expires_at:%Y-%m-%d}"
    if others := [one.stratum for one in certificate.strata if not one.is_certified]:
        why += f"; always strong: {', '.join(others)}"
    return Gate(name="certificate", result="pass", why=why)
