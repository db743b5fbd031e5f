"""What the recheck does to the weak answers of the test rows, for the report: caught, stopped for nothing, escalated.

Measured where rows hold the weak answer's text; where they do not, nothing is said. Reads texts, keeps none.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from assurance.bootstrap import Interval
from assurance.bounds import binomial_interval
from core.certificate_record import Certificate
from core.records import Stakes
from core.settings import RunSettings
from pipeline.certify_rechecks import passed_recheck
from pipeline.engine import Work
from pipeline.report_records import RecheckFacts, TauFacts
from pipeline.report_slices import HeldOut, goes_to_strong
from pipeline.results import Rows
from pipeline.suspecting import Suspected, detection_on_test
from verifiers.assembling import NO_PACK


def recheck_facts(
    settings: RunSettings,
    work: Work,
    rows: Rows,
    tested: HeldOut,
    *,
    certificate: Certificate | None,
    thresholds: Mapping[str, float | None],
) -> RecheckFacts | None:
    """The recheck on the test rows; None where settings name neither checks nor a classifier.

    Args:
        settings: the YAML.
        work: the stage's folders; the classifier's is among its inputs.
        rows: all rows of the run.
        tested: the test rows.
        certificate: what says which threshold of suspicion holds in which stratum.
        thresholds: by which rows go to the strong model.
    """
    suspected = Suspected(work)
    has_pack = settings.verifiers.pack != NO_PACK
    if not has_pack and not suspected.is_on:
        return None
    index = np.flatnonzero(rows.part("test"))
    ids = [rows.table.ids[i] for i in index]
    passed = passed_recheck(settings, set(ids)) if has_pack else {}
    is_known = np.array([name in passed for name in ids]) if has_pack else suspected.is_known[index]
    is_stopped = np.array([not passed.get(name, True) for name in ids])
    is_wrong = tested.weak <= 0.5
    taus = tau_facts(suspected, certificate) if suspected.is_on else ()
    is_suspect = _is_suspect(suspected, index, tested, taus)
    stays_weak = ~goes_to_strong(tested, thresholds) & is_known
    return RecheckFacts(
        pack=Path(settings.verifiers.pack).stem,
        n=int(is_known.sum()),
        n_test=len(index),
        catch=_share(is_stopped, is_known & is_wrong) if has_pack else None,
        false_alarms=_share(is_stopped, is_known & ~is_wrong) if has_pack else None,
        escalated=_share((is_stopped & _is_rechecked(tested)) | is_suspect, stays_weak),
        family=settings.verifiers.suspicion.family if suspected.is_on else None,
        suspicion=detection_on_test(settings, work, rows) if suspected.is_on else None,
        taus=taus,
    )


def tau_facts(suspected: Suspected, certificate: Certificate | None) -> tuple[TauFacts, ...]:
    """The threshold of suspicion per stratum as the certificate has it, or the fixed one of all."""
    if certificate is None:
        return (TauFacts(stratum="", tau=float(suspected.summary["tau"])),)
    return tuple(TauFacts(stratum=one.stratum, tau=one.tau) for one in certificate.strata if one.is_certified)


def _is_suspect(
    suspected: Suspected, index: Int[np.ndarray, " n"], tested: HeldOut, taus: tuple[TauFacts, ...]
) -> Bool[np.ndarray, " n"]:
    """Whether the classifier would not let the weak answer leave."""
    if not suspected.is_on:
        return np.zeros(len(index), dtype=bool)
    by_stratum = {one.stratum: one.tau for one in taus}
    limits: Float[np.ndarray, " n"] = np.array(
        [np.inf if tau is None else tau for tau in (by_stratum.get(name, by_stratum.get("")) for name in tested.strata)]
    )
    return np.asarray(suspected.suspicion[index] > limits)


def _is_rechecked(tested: HeldOut) -> Bool[np.ndarray, " n"]:
    """Rows whose stakes ask for a pack's checks: all but the low ones."""
    return np.array([not stratum.endswith(f"/{Stakes.LOW}") for stratum in tested.strata])


def _share(is_so: Bool[np.ndarray, " n"], among: Bool[np.ndarray, " n"]) -> Interval | None:
    n = int(among.sum())
    return binomial_interval(int((is_so & among).sum()), n) if n else None
