"""The stage suspect: a classifier of (question, weak answer), which knows what the router cannot: the answer.

Trained on the train rows that hold the weak answer's text, calibrated on the calibrate rows, which also set its
threshold. It never sees a label of the certify or test rows. Writes the bundle's part `verifier/`, the suspicion of the
rows that it is not trained on, and what it is worth; where settings name no family, a summary that says so.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from safetensors.numpy import load_file, save_file

from assurance.calibration import fit_calibrator
from assurance.detection import Detection, detection_of
from core.errors import NotEnoughLabels
from core.settings import RunSettings
from models.encoders import EncoderSpec, load_encoder
from models.families import Reading
from models.file_tree import files_in, put_files
from models.pair_text import pair_text
from models.suspicion import CANNOT_SCORE, Suspicion, SuspicionFacts, suspicion_from, threshold_for
from pipeline.engine import Work
from pipeline.fitting import How
from pipeline.results import Rows, load_rows, read_json, write_json
from pipeline.suspicion_fitting import CachedEncoder, JudgedAnswers, fit_suspicion
from pipeline.tracking import TrackedRun
from pipeline.training import labels_of
from pipeline.weak_answers import weak_answers

CLASSIFIER = "verifier"
"""The folder of the classifier's files, in the stage and in the bundle."""

SHARES = (0.6, 0.7, 0.8, 0.9)
"""Shares of the acceptable answers that four thresholds of the declared family let pass; the fifth is off, or this:"""

STRICT_SHARE = 0.95
"""The fifth share where the classifier may not be off: at high stakes."""


def suspect(settings: RunSettings, tracked: TrackedRun | None, work: Work) -> None:
    """Train, calibrate, set the threshold, score, and measure on the calibrate rows.

    Raises:
        NotEnoughLabels: too few rows hold the weak answer's text and its quality.
    """
    asked = settings.verifiers.suspicion
    if asked.family is None:
        write_json(work.out / "summary.json", {"is_on": False})
        return

    def curve(name: str, step: int, values: Mapping[str, float]) -> None:
        if tracked is not None:
            tracked.log_metrics({f"suspect/{key}": value for key, value in values.items()}, step=step)

    rows = load_rows(work)
    answers = weak_answers(settings)
    texts = [
        pair_text(text, answers.get(name, "")) for name, text in zip(rows.table.ids, rows.table.texts, strict=True)
    ]
    has_text = np.array([name in answers for name in rows.table.ids])
    quality = rows.table.quality[:, rows.table.column(settings.pair.weak.name)]
    train, calibrate = (rows.part(part) & has_text & np.isfinite(quality) for part in ("train", "calibrate"))
    wrong = quality <= 0.5
    _check(train, calibrate, wrong)

    how = How(settings, folder=work.scratch, progress=work.progress, curve=curve)
    encoder = _encoder(how) if asked.family == "combined" else None
    weights = labels_of(rows).weights[train]
    judged = JudgedAnswers(
        [texts[i] for i in np.flatnonzero(train)], quality[train], weights / weights.mean(), rows.component[train]
    )
    router = fit_suspicion(asked.family, judged, how, encoder)
    facts = SuspicionFacts(
        family=router.family,
        tau=0.0,
        pass_share=asked.pass_share,
        encoder=encoder.spec if encoder else None,
        encoder_sha256=encoder.sha256 if encoder else None,
        n_labels=len(judged.texts),
    )
    raw = np.full(len(texts), np.nan)
    scored = has_text & ~np.isin(rows.parts, ("base", "base_test", "train"))
    raw[scored] = Suspicion(facts, router, lambda: _asked(encoder)).scores([texts[i] for i in np.flatnonzero(scored)])
    calibrator = fit_calibrator(np.nan_to_num(raw[calibrate], nan=CANNOT_SCORE), wrong[calibrate])
    suspicion = np.where(np.isfinite(raw), calibrator.apply(raw), CANNOT_SCORE)
    passing = suspicion[calibrate & ~wrong]
    facts = facts.model_copy(update={"calibrator": calibrator, "tau": threshold_for(passing, asked.pass_share)})
    put_files(Suspicion(facts, router, lambda: _asked(encoder)).to_files(), work.out / CLASSIFIER)
    save_file(
        {"suspicion": suspicion, "has_text": (has_text & scored).astype(np.uint8)}, work.out / "suspicion.safetensors"
    )
    found = detection_of(
        suspicion[calibrate],
        wrong[calibrate],
        facts.tau,
        rng=np.random.default_rng(0),
        groups=rows.component[calibrate],
        n_resamples=settings.evaluation.n_resamples,
    )
    summary = {
        "is_on": True,
        "family": asked.family,
        "n_train": len(judged.texts),
        "n_calibrate": int(calibrate.sum()),
        "tau": facts.tau,
        "pass_share": asked.pass_share,
        "taus": {f"{share:g}": threshold_for(passing, share) for share in (*SHARES, STRICT_SHARE)},
        "calibrate": found.model_dump(mode="json"),
    }
    write_json(work.out / "summary.json", summary)


class Suspected:
    """What the stage wrote: the suspicion of the rows, the thresholds, and the classifier itself."""

    def __init__(self, work: Work) -> None:
        """Read the stage's folder among the inputs; `is_on` says whether there is a classifier."""
        self._folder = work.inputs["suspect"]
        self.summary = read_json(self._folder / "summary.json")
        self.is_on = bool(self.summary["is_on"])
        values = load_file(self._folder / "suspicion.safetensors") if self.is_on else {}
        self._suspicion, self._has_text = values.get("suspicion"), values.get("has_text")

    @property
    def suspicion(self) -> Float[np.ndarray, " n"]:
        """Of every row of the run; 1 where it was trained on or holds no text."""
        assert self._suspicion is not None, "there is a classifier"
        return self._suspicion

    @property
    def is_known(self) -> Bool[np.ndarray, " n"]:
        """Which rows hold a text and were not trained on."""
        assert self._has_text is not None, "there is a classifier"
        return self._has_text.astype(bool)

    @property
    def files(self) -> dict[str, bytes]:
        """The classifier's files; none where there is no classifier."""
        return files_in(self._folder / CLASSIFIER) if self.is_on else {}

    def taus(self, path: str, stratum: str) -> tuple[float | None, ...]:
        """The thresholds that a certificate tries in a stratum, declared before its rows were seen; None: off."""
        if path == "fixed":
            return (float(self.summary["tau"]),)
        declared = tuple(float(self.summary["taus"][f"{share:g}"]) for share in SHARES)
        last = None if stratum.endswith(("/low", "/standard")) else float(self.summary["taus"][f"{STRICT_SHARE:g}"])
        return (*declared, last)


def trained_suspicion(settings: RunSettings, work: Work) -> Suspicion | None:
    """The classifier that the stage wrote; None where there is none."""
    found = Suspected(work)
    if not found.is_on:
        return None
    pair = settings.pair.weak.name, settings.pair.strong.name
    how = How(settings, folder=work.scratch, progress=work.progress)
    return suspicion_from(found.files, Reading(*pair, settings.threads), lambda: _encoder(how))


def detection_on_test(settings: RunSettings, work: Work, rows: Rows) -> Detection | None:
    """What the classifier is worth on the test rows that hold the weak answer's text; None where there is neither."""
    found = Suspected(work)
    if not found.is_on:
        return None
    quality = rows.table.quality[:, rows.table.column(settings.pair.weak.name)]
    chosen = rows.part("test") & found.is_known & np.isfinite(quality)
    if not chosen.any():
        return None
    return detection_of(
        found.suspicion[chosen],
        quality[chosen] <= 0.5,
        float(found.summary["tau"]),
        rng=np.random.default_rng(0),
        groups=rows.component[chosen],
        n_resamples=settings.evaluation.n_resamples,
    )


def suspicion_metrics(found: Mapping[str, Any] | None) -> dict[str, float]:
    """A detection's figures as flat metrics with their limits: what MLflow shows; empty where there is none."""
    return {
        f"suspicion/{name}{end}": float(found[name][value])
        for name in ("auroc", "catch", "false_alarms")
        for end, value in (("", "estimate"), ("_low", "low"), ("_high", "high"))
        if found is not None and found[name] is not None
    }


def _encoder(how: How) -> CachedEncoder:
    e = how.settings.encoder
    spec = EncoderSpec(name=e.name, runtime=e.runtime, max_tokens=e.max_tokens)
    return CachedEncoder(load_encoder(spec, n_threads=how.settings.threads), how)


def _asked(encoder: CachedEncoder | None) -> CachedEncoder:
    assert encoder is not None, "a family that reads vectors has an encoder"
    return encoder


def _check(train: Bool[np.ndarray, " n"], calibrate: Bool[np.ndarray, " n"], wrong: Bool[np.ndarray, " n"]) -> None:
    kinds = (calibrate & wrong).sum(), (calibrate & ~wrong).sum()
    if not train.any() or min(kinds) == 0:
        raise NotEnoughLabels(
            f"The classifier of weak answers finds {train.sum()} train rows and {calibrate.sum()} calibrate rows with "
            f"the weak answer's text, {kinds[0]} of the latter wrong and {kinds[1]} acceptable; it needs both kinds. "
            "Give the texts in the outcome files (docs/formats.md), or unset verifiers.suspicion.family."
        )
