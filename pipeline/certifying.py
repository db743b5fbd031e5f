"""The stage certify: which thresholds keep their promise, shown on rows that are used for nothing else.

Router, calibrator and grid are fixed before; one row a group counts. What repeated trials on the same rows may spend is
kept in the ledger. Writes certificate.json where settings keep rows for it, and nothing but a summary where not.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from safetensors.numpy import load_file

from assurance.attempts import delta_of_attempt
from assurance.certificates import Loss, Promise, losses_if_accepted
from assurance.certificates import Rows as Tried
from assurance.planning import WORTH_HAVING, auroc_needed, auroc_of, start_of
from core.calibrator import Calibrator
from core.certificate_record import Certificate, PromiseTerms, StratumEvidence
from core.certificate_settings import CertificateSettings
from core.ledger import Ledger
from core.records import Source, Stakes
from core.settings import RunSettings
from core.store import open_store
from pipeline.certify_binding import deciding_hashes, rows_hash, voids_of
from pipeline.certify_doubt import Classified, cheapest, doubt_of
from pipeline.certify_looks import Looks, text_key, tried_hash
from pipeline.certify_rechecks import passed_recheck
from pipeline.certify_stakes import strata_in_force
from pipeline.engine import Work
from pipeline.gates import CERTIFICATE
from pipeline.results import Rows, load_rows, read_json, write_json
from pipeline.suspecting import Suspected

PATH = "every thousandth from 0 to 1, safest first, ended by the first that cannot be shown to keep the promise"

_WITH_CLASSIFIER = {
    "fixed": "the classifier's threshold is fixed on calibration rows",
    "family": "so at each of five thresholds of the classifier, declared on calibration rows, at a fifth of delta",
}


def certify_run(settings: RunSettings, work: Work) -> None:
    """Try each stratum's promise at its share of delta, and write the certificate with what would void it."""
    if not settings.makes_certificate:
        write_json(work.out / "summary.json", {"is_on": False})
        return
    rows = load_rows(work)
    certificate = _certificate(settings, work, rows)
    (work.out / CERTIFICATE).write_text(certificate.model_dump_json(indent=1) + "\n", encoding="utf-8")
    certified = [one.stratum for one in certificate.strata if one.is_certified]
    write_json(work.out / "summary.json", {"is_on": True, "certified": certified, "strata": len(certificate.strata)})


def certificate_in(folder: Path) -> Certificate | None:
    """The certificate in the folder of this stage or of a bundle; None where none was made.

    Raises:
        ValidationError: it does not read.
    """
    path = folder / CERTIFICATE
    return Certificate.model_validate_json(path.read_bytes()) if path.is_file() else None


def promised_of(stratum: str, terms: CertificateSettings) -> float | None:
    """The largest mean loss that settings promise a stratum; None where they promise nothing there.

    >>> promised_of("law/low", CertificateSettings()), promised_of("oncology", CertificateSettings())
    (0.05, 0.02)
    >>> promised_of("law/standard", CertificateSettings()), promised_of("law/critical", CertificateSettings())
    (0.05, None)
    """
    tier = _tier_of(stratum)
    if tier is Stakes.CRITICAL:
        return None
    if stratum in terms.max_harm:
        return terms.max_harm[stratum]
    if tier is Stakes.LOW:
        return terms.max_harm_low
    return terms.max_harm_standard if tier is Stakes.STANDARD else terms.max_harm_high


def keeps_budget(stratum: str, terms: CertificateSettings) -> bool:
    """Whether a stratum keeps the threshold by budget: of low stakes, and settings ask for no promise there."""
    return _tier_of(stratum) is Stakes.LOW and stratum not in terms.max_harm and terms.max_harm_low is None


def one_a_group(component: Int[np.ndarray, " n"], ids: Sequence[str], *, seed: int) -> Int[np.ndarray, " k"]:
    """Indices of one row of each component, the one whose hash is smallest, in the order of the hashes.

    Rows of a group are not independent, so a group counts once; neither choice nor order has seen a label.
    """
    order = sorted(range(len(ids)), key=lambda i: hashlib.sha256(f"{seed}:{ids[i]}".encode()).digest())
    first: dict[int, int] = {}
    for i in order:
        first.setdefault(int(component[i]), i)
    return np.array(list(first.values()), dtype=np.int64)


def _tier_of(stratum: str) -> Stakes:
    """The tier after the last stroke of a stratum's name; high where none stands there."""
    word = stratum.rpartition("/")[2]
    return Stakes(word) if "/" in stratum and word in set(Stakes) else Stakes.HIGH


def _certificate(settings: RunSettings, work: Work, rows: Rows) -> Certificate:
    terms = settings.certificate
    calibration = read_json(work.inputs["calibrate"] / "calibration.json")["adapted"]
    scores = load_file(work.inputs["train"] / "scores.safetensors")["adapted"]
    for_certifying = rows.part("certify")
    in_force = strata_in_force(settings, rows.table, for_certifying)
    probabilities = Calibrator.model_validate(calibration["calibrator"]).apply(scores, in_force)
    strata = np.array(in_force)
    names = sorted(set(strata[for_certifying]))
    promised = [name for name in names if promised_of(name, terms) is not None]
    passed = passed_recheck(settings, {rows.table.ids[i] for i in np.flatnonzero(for_certifying)})
    classified = Suspected(work)
    trial = Trial(settings, rows, probabilities, n_promised=len(promised), passed=passed, classified=classified)
    evidence = tuple(
        trial.of(name, np.flatnonzero(for_certifying & (strata == name)))
        for name in names
        if not keeps_budget(name, terms)
    )
    made_at = trial.made_at
    return Certificate(
        promise=PromiseTerms(loss=terms.loss, is_selective=terms.is_selective, delta=terms.delta),
        strata=evidence,
        budgets={name: calibration["threshold"] for name in names if keeps_budget(name, terms)},
        path=PATH if not classified.is_on else f"{PATH}; {_WITH_CLASSIFIER[settings.verifiers.suspicion.path]}",
        hashes=deciding_hashes(settings, work, calibration) | {"rows": rows_hash(rows, for_certifying)},
        created_at=made_at,
        expires_at=made_at + timedelta(days=terms.expires_days),
        voids=voids_of(settings),
    )


class Trial:
    """The trial of one run: settings, rows and probabilities, how many strata share delta, and what passed the recheck.

    The recheck counts in strata of high stakes where it is known of every row: there it is made of every weak answer.
    """

    def __init__(
        self,
        settings: RunSettings,
        rows: Rows,
        probabilities: Float[np.ndarray, " n"],
        *,
        n_promised: int,
        passed: Mapping[str, bool] | None = None,
        classified: Classified | None = None,
    ) -> None:
        self._passed, self._classified = passed or {}, classified
        self._settings, self._rows, self._probabilities, self._n_promised = settings, rows, probabilities, n_promised
        self._looked_at: list[datetime] = []
        self._looks = Looks(Ledger(open_store(settings.store_url)), run=settings.name)

    @property
    def made_at(self) -> datetime:
        """When the first look was made that the evidence rests on: made again from it, a certificate is as old."""
        return min(self._looked_at, default=datetime.now(UTC))

    def of(self, stratum: str, index: Int[np.ndarray, " n"]) -> StratumEvidence:
        """The evidence of one stratum, from one row a group of its rows."""
        terms, table = self._settings.certificate, self._rows.table
        index = index[
            one_a_group(self._rows.component[index], [table.ids[i] for i in index], seed=self._settings.split.seed)
        ]
        max_loss = promised_of(stratum, terms)
        if max_loss is None:
            return _strong(stratum, None, len(index), "Settings send this stratum to the strong model always.")
        is_rechecked = stratum.endswith("/high") and all(table.ids[i] in self._passed for i in index)
        if fault := _unfit(self._settings, self._rows, stratum, index, is_rechecked=is_rechecked):
            return _strong(stratum, max_loss, len(index), fault)
        weak, strong = table.pair_quality(self._settings.pair.weak.name, self._settings.pair.strong.name)
        passes = np.array([not is_rechecked or self._passed[table.ids[i]] for i in index])
        tried = Tried(self._probabilities[index], weak[index], strong[index])
        doubt = doubt_of(self._classified, self._settings.verifiers.suspicion.path, stratum, index)
        taus = doubt.taus
        if doubt.suspicion is not None:
            tried = replace(tried, suspicion=doubt.suspicion, passes=passes)
        elif is_rechecked:  # a threshold that no answer fails, so that the checks alone decide
            tried, taus = replace(tried, suspicion=np.zeros(len(index)), passes=passes), (0.0,)
        start = start_of(self._calibration(stratum), terms.start_accept_rate) if terms.is_selective else 0.0
        asked: dict[str, object] = {
            "max_loss": max_loss,
            "start": start,
            "loss": terms.loss,
            "is_selective": terms.is_selective,
        }
        asked |= doubt.asked
        keys = [text_key(table.texts[i]) for i in index]
        attempt, seq, at = self._looks.look(stratum, tried_hash(asked, tried), keys)
        self._looked_at.append(at)
        delta = delta_of_attempt(terms.delta / self._n_promised, attempt, terms.attempts)
        if delta <= 0:
            why = f"This would be attempt {attempt} on these rows, and {terms.attempts} were declared. Label new rows."
            return _strong(stratum, max_loss, len(index), why).model_copy(
                update={"attempt": attempt, "ledger_seq": seq}
            )
        promise = Promise(loss=Loss(terms.loss), max_loss=max_loss, delta=delta, is_selective=terms.is_selective)
        found = cheapest(stratum, tried, promise, taus, start=start)
        leaves = tried.probability < found.threshold
        harmful = (losses_if_accepted(tried, Loss.HARM) > 0) & passes
        if doubt.suspicion is not None and found.tau is not None:
            harmful &= doubt.suspicion <= found.tau
        return StratumEvidence(
            stratum=stratum,
            max_loss=max_loss,
            is_certified=found.is_certified,
            threshold=found.threshold,
            n=found.n,
            n_accepted=found.n_accepted,
            share_weak=found.n_accepted / found.n,
            harms=int(np.sum(harmful & leaves)) if terms.loss == "harm" else None,
            mean_loss=found.mean_loss,
            upper=found.upper,
            p_value=min(1.0, found.p_value),
            delta=found.delta,
            attempt=attempt,
            ledger_seq=seq,
            why=found.why + _what_would_help(found.n, found.n_accepted, tried, harmful, promise),
            is_rechecked=is_rechecked,
            tau=None if doubt.suspicion is None else found.tau,
        )

    def _calibration(self, stratum: str) -> Float[np.ndarray, " k"]:
        """Probabilities of the calibration rows of this stratum, or of all where it has none."""
        part = self._rows.part("calibrate")
        inside = part & (np.array(self._rows.table.strata) == stratum)
        return np.asarray(self._probabilities[inside if inside.any() else part])


def _unfit(
    settings: RunSettings, rows: Rows, stratum: str, index: Int[np.ndarray, " n"], *, is_rechecked: bool
) -> str | None:
    """Why these rows can show no promise, whatever is on them; None where they can."""
    terms, table = settings.certificate, rows.table
    judged = sum(table.sources[i] == Source.JUDGE for i in index)
    if judged:
        return (
            f"{judged} of {len(index)} labels come from a judge, who misses harms; a promise takes labels of experts "
            "or references. Label these rows."
        )
    chance = np.nan_to_num(table.inclusion_probability[index], nan=1.0)
    if np.ptp(chance) > 1e-9:
        return (
            f"The rows of '{stratum}' had chances of being chosen from {chance.min():.3g} to {chance.max():.3g}, so "
            "they are not like the traffic. Certify on rows drawn alike, such as an audit draw."
        )
    will_be_rechecked = settings.verifiers.pack != "none" and not stratum.endswith("/low")
    if will_be_rechecked and not is_rechecked and (terms.loss == "net" or terms.is_selective):
        return (
            "The recheck of high-stakes answers takes some away, which may raise a net or selective loss, and the rows "
            "do not show which, since not all hold the weak answer's text. Add the texts, or promise harm over all "
            "queries, which a recheck can only lower."
        )
    return None


def _what_would_help(n: int, n_accepted: int, tried: Tried, harmful: Float[np.ndarray, " n"], promise: Promise) -> str:
    """Where hardly any answer leaves: how good a score would have to be. Empty elsewhere."""
    if n_accepted >= WORTH_HAVING * n or promise.loss is not Loss.HARM or promise.is_selective or not harmful.any():
        return ""
    rate = float(harmful.mean())
    needed = auroc_needed(n, rate, promise.max_loss, delta=promise.delta)
    has = auroc_of(tried.probability, harmful)
    found = "" if has is None else f"; this router has {has:.2f}"
    if needed >= 1:
        return f" With {n} labels and {rate:.1%} of weak answers harmful, no score would let {WORTH_HAVING:.0%} leave."
    return (
        f" With {n} labels and {rate:.1%} of weak answers harmful, an AUROC of about {needed:.2f} would let "
        f"{WORTH_HAVING:.0%} leave{found}."
    )


def _strong(stratum: str, max_loss: float | None, n: int, why: str) -> StratumEvidence:
    return StratumEvidence(
        stratum=stratum,
        max_loss=max_loss,
        is_certified=False,
        threshold=0.0,
        n=n,
        n_accepted=0,
        share_weak=0.0,
        harms=None,
        mean_loss=0.0,
        upper=None,
        p_value=1.0,
        delta=0.0,
        attempt=None,
        ledger_seq=None,
        why=why,
    )
