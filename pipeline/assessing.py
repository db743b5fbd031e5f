"""The stage evaluate: what base, adapted router and floors are worth on unseen rows, and the report that says so."""

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np
from jaxtyping import Float
from safetensors.numpy import load_file

from assurance.calibration import check_calibration
from assurance.curves import CostQualityCurve, cost_quality_curve, oracle_curve, random_curve
from assurance.thresholds import share_on_new_traffic
from core.calibrator import Calibrator
from core.settings import RunSettings
from pipeline.engine import Work
from pipeline.evaluation import Evaluation, evaluate_routers
from pipeline.evidence import Measured, evidence_of
from pipeline.gates import EVIDENCE
from pipeline.report import Operating, RunReport, thinned, write_report
from pipeline.results import Rows, load_rows, read_json
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
    evaluation = evaluate_routers(
        scores,
        quality,
        pair=pair,
        groups=rows.component[test],
        n_resamples=settings.evaluation.n_resamples,
    )
    calibration = read_json(work.inputs["calibrate"] / "calibration.json")["adapted"]
    probabilities = Calibrator.model_validate(calibration["calibrator"]).apply(scores["adapted"])
    needed = quality[1] > quality[0]
    report = RunReport(
        name=settings.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        target=", ".join(settings.data.target_domains),
        rows=_counts(rows.parts),
        sources=read_json(work.inputs["prepare"] / "summary.json")["rows_by_source"],
        evaluation=evaluation,
        calibration=check_calibration(probabilities, needed, rng=np.random.default_rng(0)),
        operating=_operating(settings, rows, test, probabilities, calibration),
        curves={name: thinned(curve) for name, curve in _curves(scores, quality).items()},
        lineage=_lineage(settings, work),
    )
    write_report(report, work.out)
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


def _operating(
    settings: RunSettings,
    rows: Rows,
    test: np.ndarray,
    probabilities: Float[np.ndarray, " n"],
    calibration: Mapping[str, Any],
) -> Operating:
    """What the threshold does on the test rows: share, quality and cost of the routed answers."""
    weak, strong = settings.pair.weak.name, settings.pair.strong.name
    weak_quality, strong_quality = (column[test] for column in rows.table.pair_quality(weak, strong))
    threshold, asked = calibration["threshold"], settings.threshold
    is_share = (asked.preset, asked.usd_per_day, asked.quality_floor) == (None, None, None)
    to_strong = probabilities >= threshold
    share = float(to_strong.mean())
    weak_cost, strong_cost = (rows.table.cost_usd[test, rows.table.column(name)] for name in (weak, strong))
    costs: dict[str, float] = {}
    if not np.isnan(weak_cost).any() and not np.isnan(strong_cost).any():
        costs = {
            "cost_usd_per_1000": 1000 * float(np.where(to_strong, strong_cost, weak_cost).mean()),
            "weak_cost_usd_per_1000": 1000 * float(weak_cost.mean()),
            "strong_cost_usd_per_1000": 1000 * float(strong_cost.mean()),
        }
    return Operating(
        threshold=threshold,
        budget=asked.share_strong if is_share else calibration["share_strong"],
        share_strong=share_on_new_traffic(probabilities, threshold),
        quality=float(np.where(to_strong, strong_quality, weak_quality).mean()),
        random_quality=float((1 - share) * weak_quality.mean() + share * strong_quality.mean()),
        **costs,
    )


def _curves(
    scores: Mapping[str, Float[np.ndarray, " n"]], quality: tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]
) -> dict[str, CostQualityCurve]:
    drawn = {name: cost_quality_curve(scores[name], *quality) for name in (*ROUTERS, "tfidf_ridge")}
    return drawn | {"random": random_curve(*quality), "oracle": oracle_curve(*quality)}


def _lineage(settings: RunSettings, work: Work) -> dict[str, str]:
    encoder = read_json(work.inputs["embed"] / "encoder.json")
    summary = read_json(work.inputs["prepare"] / "summary.json")
    return {
        "data": summary["data_sha256"],
        "router": settings.router.family,
        "encoder": f"{settings.encoder.name} ({settings.encoder.runtime}) {encoder['sha256']}" if encoder else "none",
        "settings": read_json(work.inputs["train"] / "stage.json")["key"],
        "preceptor": version("preceptor"),
    }


def _counts(parts: tuple[str, ...]) -> dict[str, int]:
    return {part: parts.count(part) for part in dict.fromkeys(parts)}
