"""Reports on small simulated specialties, for the tests of the report and of its page."""

from datetime import UTC, datetime, timedelta

import numpy as np

from assurance.bounds import binomial_interval
from assurance.curves import cost_quality_curve, oracle_curve, random_curve
from assurance.detection import detection_of
from assurance.money import CostAssumptions, RoutedCosts, savings
from assurance.reliability import check_calibration
from assurance.thresholds import share_on_new_traffic
from core.certificate_record import Certificate, PromiseTerms, StratumEvidence
from core.errors import NotEnoughLabels
from pipeline.evaluation import evaluate_routers
from pipeline.report import thinned
from pipeline.report_records import DataFacts, ModelFacts, Operating, RecheckFacts, RunReport, TauFacts
from pipeline.report_slices import HeldOut, goes_to_strong, slices_of

N = 400
STRATA = ("mental-health/high", "mental-health/low", "mental-health/rare")
SHEET = (
    "# claims-2026-1\n\n## Why\n\nTo adapt a router.\n\n| verdict | judgements |\n|---|---|\n| first better | 120 |\n"
)


def held_out(*, signal=1.0, floor_signal=0.0, n=N, seed=3):
    """Test rows of three strata, one of them small; the signal is how well the adapted router sees the need."""
    rng = np.random.default_rng(seed)
    probability = rng.beta(2, 3, n)
    needed = (rng.random(n) < probability).astype(float)
    scores = {
        "adapted": signal * probability + 0.1 * rng.normal(size=n),
        "base": 0.3 * signal * probability + 0.2 * rng.normal(size=n),
        "random": rng.random(n),
        "prompt_length": np.round(rng.random(n), 1),
        "topic_prior": rng.random(n),
        "tfidf_ridge": floor_signal * needed + rng.random(n),
    }
    strata = [STRATA[2] if i % 40 == 0 else STRATA[i % 3 == 0] for i in range(n)]
    weak_usd, strong_usd = rng.gamma(4, 0.0002, n), rng.gamma(4, 0.003, n)
    limits = np.clip(probability - 0.03, 0, 1), np.clip(probability + 0.05, 0, 1)
    quality = 0.9 - 0.8 * needed, np.full(n, 0.9)
    return HeldOut(scores, probability, *quality, weak_usd, strong_usd, strata, np.arange(n), limits)


def report_of(tested=None, *, certificate=None, name="mental-health", queries_per_day=None, assumptions=None):
    """A report on these rows, under the certificate's thresholds or the budget's."""
    tested = held_out() if tested is None else tested
    n, quality = len(tested.weak), (tested.weak, tested.strong)
    threshold = float(np.quantile(tested.probabilities, 0.71))
    thresholds = certificate.thresholds if certificate else {"default": threshold}
    overall, strata = slices_of(tested, thresholds, n_resamples=200, min_rows=30)
    pair = ("small-coder", "large-coder")
    try:
        evaluation = evaluate_routers(tested.scores, quality, pair=pair, groups=tested.groups, n_resamples=300)
    except NotEnoughLabels:
        evaluation = None
    try:
        money, why = (
            savings(
                RoutedCosts(tested.weak_usd, tested.strong_usd, goes_to_strong(tested, thresholds), tested.groups),
                assumptions or CostAssumptions(),
                queries=queries_per_day or 1000,
                rng=np.random.default_rng(0),
                n_resamples=300,
            ),
            "",
        )
    except NotEnoughLabels as error:
        money, why = None, str(error)
    curves = {
        key: cost_quality_curve(tested.scores[key], *quality) for key in tested.scores if key in ("adapted", "base")
    }
    curves |= {"random": random_curve(*quality), "oracle": oracle_curve(*quality)}
    needed = tested.strong > tested.weak
    return RunReport(
        name=name,
        created="2026-01-02T03:04:00+00:00",
        target="ICD-10-CM, chapter F",
        weak=pair[0],
        strong=pair[1],
        rows={"base": 2000, "train": 600, "calibrate": 300, "test": n},
        sources={"reference": 3300},
        evaluation=evaluation,
        calibration=check_calibration(
            tested.probabilities, needed, rng=np.random.default_rng(0), n_simulations=100, limits=tested.limits
        ),
        operating=Operating(
            threshold=threshold,
            budget=0.3,
            share_strong=share_on_new_traffic(tested.probabilities, threshold),
            quality=overall.quality.estimate,
            random_quality=overall.random_quality,
        ),
        curves={key: thinned(curve) for key, curve in curves.items()},
        lineage={"data_fingerprint": "9f" * 32, "encoder_sha256": "53" * 32, "preceptor": "0.1.0", "seed": "0"},
        overall=overall,
        strata=strata,
        small_strata={one.stratum: one.n for one in strata if one.n < 30},
        savings=money,
        no_savings=why,
        is_per_day=queries_per_day is not None,
        certificate=certificate,
        plan="" if certificate else "To promise harm <= 2.0% takes 149 clean labels in each stratum.",
        data=DataFacts(
            rows=3300,
            rows_with_both_models=3300,
            by_domain={"mental-health": 1300, "oncology": 2000},
            by_source={"reference": 3300},
            mean_quality={"small-coder": 0.58, "large-coder": 0.9},
            datasheets={"claims-2026-1": SHEET},
        ),
        model=ModelFacts(
            family="mf",
            method="",
            encoder="minilm (onnx)",
            calibrator="platt, from 300 labels",
            verifier="none",
            labels=600,
        ),
    )


def recheck_of():
    """The recheck of 120 test rows: checks of a pack, and a classifier with a threshold in one stratum."""
    rng = np.random.default_rng(2)
    wrong = rng.random(120) < 0.3
    return RecheckFacts(
        pack="medical_coding",
        n=120,
        n_test=N,
        catch=binomial_interval(14, 36),
        false_alarms=binomial_interval(1, 84),
        escalated=binomial_interval(17, 90),
        family="words",
        suspicion=detection_of(0.4 * wrong + 0.6 * rng.random(120), wrong, 0.55, rng=rng, n_resamples=200),
        taus=(TauFacts(stratum=STRATA[0], tau=0.55),),
    )


def certificate_of(*, is_certified=True, made=datetime(2026, 1, 2, 3, 4, tzinfo=UTC)):
    """A certificate of the three strata: the first certified where asked for, the second by budget, the third not."""
    common = {"attempt": 1, "ledger_seq": 7, "delta": 0.0125}
    return Certificate(
        promise=PromiseTerms(loss="harm", is_selective=False, delta=0.05),
        strata=(
            StratumEvidence(
                stratum=STRATA[0], max_loss=0.02, is_certified=is_certified, threshold=0.31 if is_certified else 0.0,
                n=900, n_accepted=410 if is_certified else 0, share_weak=410 / 900 if is_certified else 0.0,
                harms=7 if is_certified else 0, mean_loss=7 / 900 if is_certified else 0.0,
                upper=0.0166 if is_certified else None, p_value=0.0031 if is_certified else 0.4,
                why="410 of 900 weak answers leave; p = 0.0031 <= delta = 0.0125." if is_certified
                else "The weak answers that the router holds safest lose too much already.", **common,
            ),
            StratumEvidence(
                stratum=STRATA[2], max_loss=0.02, is_certified=False, threshold=0.0, n=40, n_accepted=0, share_weak=0.0,
                harms=0, mean_loss=0.0, upper=None, p_value=0.45,
                why="To promise harm <= 2.0% at delta 0.0125 takes 217 clean labels; there are 40. Collect 177 more.",
                **common,
            ),
        ),
        budgets={STRATA[1]: 0.4},
        path="every thousandth from 0 to 1, safest first",
        hashes={"router": "ab" * 32, "data": "9f" * 32},
        created_at=made,
        expires_at=made + timedelta(days=90),
        voids=("Another model behind the name small-coder or large-coder.", "90 days after it was made."),
    )  # fmt: skip
