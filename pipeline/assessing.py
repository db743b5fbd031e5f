"""The stage evaluate: what base, adapted router and floors are worth on unseen rows, and the report that says so."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
from jaxtyping import Float
from safetensors.numpy import load_file

from assurance.curves import CostQualityCurve, cost_quality_curve, oracle_curve, random_curve
from assurance.reliability import check_calibration
from assurance.thresholds import share_on_new_traffic
from core.calibrator import Calibrator
from core.errors import NotEnoughLabels
from core.settings import RunSettings
from pipeline.engine import Work
from pipeline.evaluation import Evaluation, evaluation_of
from pipeline.evidence import Measured, evidence_of
from pipeline.gates import EVIDENCE
from pipeline.report import Operating, RunReport, Slice, thinned, write_report
from pipeline.report_parts import (
    certificate_in,
    data_facts,
    lineage_of,
    model_facts,
    money_of,
    plan_of,
    thresholds_of,
)
from pipeline.report_recheck import recheck_facts
from pipeline.report_slices import HeldOut, slices_of
from pipeline.results import Rows, load_rows, read_json
from pipeline.table import OutcomeTable
from pipeline.training import ROUTERS


def evaluate(settings: RunSettings, work: Work) -> None:
    """Measure on the test rows, write report.html, report.json, the figures and the evidence for the gates."""
    rows = load_rows(work)
    pair = settings.pair.weak.name, settings.pair.strong.name
    test = np.flatnonzero(rows.part("test"))
    table = rows.table.rows(test)
    quality = table.pair_quality(*pair)
    scores = {name: column[test] for name, column in load_file(work.inputs["train"] / "scores.safetensors").items()}
    scores = {name: scores[name] for name in (*ROUTERS, *sorted(scores.keys() - set(ROUTERS)))}
    calibration = read_json(work.inputs["calibrate"] / "calibration.json")["adapted"]
    calibrator = Calibrator.model_validate(calibration["calibrator"])
    raw = scores["adapted"]
    probabilities = calibrator.apply(raw, table.strata)
    if calibrator.strata:  # across strata, queries are then ordered by probability and no more by score
        scores |= {"adapted": probabilities, "base": _base_probabilities(work, scores["base"], table)}
    limits = None if calibrator.intervals is None else calibrator.intervals.at(raw)
    weak_usd, strong_usd = (table.cost_usd[:, table.column(name)] for name in pair)
    held_out = HeldOut(
        scores,
        probabilities,
        *quality,
        weak_usd,
        strong_usd,
        strata=table.strata,
        groups=rows.component[test],
        limits=limits,
    )
    report = _report(settings, work, rows, held_out)
    path = write_report(report, work.out)
    if report.evaluation is None:
        why = next(iter(report.overall.routers.values())).why
        raise NotEnoughLabels(
            f"The routers cannot be compared: {why}. Measure on more rows; {path} says what is known."
        )
    evidence = evidence_of(settings, work, report, Measured(rows, test, scores))
    (work.out / EVIDENCE).write_text(evidence.model_dump_json(indent=1) + "\n", encoding="utf-8")


def headline_metrics(evaluation: Evaluation) -> dict[str, float]:
    """The figures of an evaluation as flat metrics, each with its limits: what MLflow shows."""
    metrics: dict[str, float] = {}
    for router, figures in evaluation.routers.items():
        for name in ("apgr", "cpt50", "cpt80"):
            interval = getattr(figures, name)
            metrics |= {
                f"{router}/{name}": interval.estimate,
                f"{router}/{name}_low": interval.low,
                f"{router}/{name}_high": interval.high,
            }
    for other, difference in evaluation.better_than.items():
        metrics |= {f"gain_over/{other}": difference.estimate, f"gain_over/{other}_low": difference.low}
    return metrics


def _base_probabilities(work: Work, scores: Float[np.ndarray, " n"], table: OutcomeTable) -> Float[np.ndarray, " n"]:
    base = read_json(work.inputs["calibrate"] / "calibration.json")["base"]
    return Calibrator.model_validate(base["calibrator"]).apply(scores, table.strata)


def _report(settings: RunSettings, work: Work, rows: Rows, held_out: HeldOut) -> RunReport:
    """All that the report says of the test rows, under the thresholds that the bundle will carry."""
    calibration = read_json(work.inputs["calibrate"] / "calibration.json")["adapted"]
    certificate = certificate_in(work)
    thresholds = thresholds_of(certificate, calibration["threshold"])
    least = settings.gates.min_slice_rows
    overall, strata = slices_of(held_out, thresholds, n_resamples=settings.evaluation.n_resamples, min_rows=least)
    recheck = recheck_facts(settings, work, rows, held_out, certificate=certificate, thresholds=thresholds)
    escalated = recheck.escalated.estimate if recheck and recheck.escalated else None
    money = money_of(settings, held_out, thresholds, escalated_share=escalated)
    return RunReport(
        name=settings.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        target=", ".join(settings.data.target_domains),
        weak=settings.pair.weak.name,
        strong=settings.pair.strong.name,
        rows=_counts(rows.parts),
        sources=read_json(work.inputs["prepare"] / "summary.json")["rows_by_source"],
        evaluation=_evaluation(settings, held_out, overall),
        calibration=check_calibration(
            held_out.probabilities,
            held_out.strong > held_out.weak,
            rng=np.random.default_rng(0),
            limits=held_out.limits,
        ),
        operating=_operating(settings, held_out, calibration),
        curves={name: thinned(curve) for name, curve in _curves(held_out).items()},
        lineage=lineage_of(settings, work),
        overall=overall,
        strata=strata,
        small_strata={one.stratum: one.n for one in strata if one.n < least},
        min_slice_rows=least,
        savings=money.found,
        no_savings=money.why_not,
        is_per_day=money.is_per_day,
        escalation_is_measured=money.escalation_is_measured,
        recheck=recheck,
        certificate=certificate,
        plan="" if certificate else plan_of(settings, held_out.strata),
        data=data_facts(settings, work),
        model=model_facts(settings, work),
    )


def _evaluation(settings: RunSettings, held_out: HeldOut, overall: Slice) -> Evaluation | None:
    pair = settings.pair.weak.name, settings.pair.strong.name
    try:
        return evaluation_of(overall.routers, overall.better_than, (held_out.weak, held_out.strong), pair=pair)
    except NotEnoughLabels:
        return None


def _operating(settings: RunSettings, held_out: HeldOut, calibration: Mapping[str, Any]) -> Operating:
    """What the budget's threshold does on the test rows: share, quality and cost of the routed answers."""
    threshold, asked = calibration["threshold"], settings.threshold
    is_share = (asked.preset, asked.usd_per_day, asked.quality_floor) == (None, None, None)
    to_strong = held_out.probabilities >= threshold
    share = float(to_strong.mean())
    costs: dict[str, float] = {}
    if not np.isnan(held_out.weak_usd).any() and not np.isnan(held_out.strong_usd).any():
        costs = {
            "cost_usd_per_1000": 1000 * float(np.where(to_strong, held_out.strong_usd, held_out.weak_usd).mean()),
            "weak_cost_usd_per_1000": 1000 * float(held_out.weak_usd.mean()),
            "strong_cost_usd_per_1000": 1000 * float(held_out.strong_usd.mean()),
        }
    return Operating(
        threshold=threshold,
        budget=asked.share_strong if is_share else calibration["share_strong"],
        share_strong=share_on_new_traffic(held_out.probabilities, threshold),
        quality=float(np.where(to_strong, held_out.strong, held_out.weak).mean()),
        random_quality=float((1 - share) * held_out.weak.mean() + share * held_out.strong.mean()),
        **costs,
    )


def _curves(held_out: HeldOut) -> dict[str, CostQualityCurve]:
    quality = held_out.weak, held_out.strong
    drawn = {name: cost_quality_curve(held_out.scores[name], *quality) for name in (*ROUTERS, "tfidf_ridge")}
    return drawn | {"random": random_curve(*quality), "oracle": oracle_curve(*quality)}


def _counts(parts: tuple[str, ...]) -> dict[str, int]:
    return {part: parts.count(part) for part in dict.fromkeys(parts)}
