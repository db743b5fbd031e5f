"""What the judge's verdicts say together: beside experts, along a bundle's ranking, and as promises for low stakes.

Labels of a judge set budgets and draw curves. What they may promise is decided in `assurance.judge_error`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from assurance.bootstrap import Interval, metrics_with_intervals
from assurance.bounds import binomial_interval
from assurance.curves import CostQualityCurve, cost_quality_curve
from assurance.judge_error import UNDECIDED, JudgeReliability, judge_reliability
from assurance.knee import knee
from assurance.thresholds import share_at, threshold_for_share
from core.errors import DataError, NotEnoughLabels, PreceptorError
from core.outcomes import read_outcomes
from core.records import Outcome, Source
from core.threshold_settings import ThresholdSettings
from models.bundle import Bundle
from pipeline.budget import threshold_for_budget
from pipeline.feedback import read_version
from pipeline.judge_prompt import JudgePrompt
from pipeline.judge_report import JudgedCurve, JudgeReport, Point
from pipeline.judge_rows import ToJudge
from pipeline.judge_verdicts import Why
from pipeline.judging import Judged
from pipeline.split import components

CURVE_POINTS = 200
"""Points of a curve that the report keeps."""

N_RESAMPLES = 500


@dataclass(frozen=True)
class Experts:
    """What experts say of the judged rows: harm or none, by row number; and how many of their rows are about others."""

    is_harm: Mapping[int, bool]
    n_unmatched: int
    is_drawn_alike: bool = True
    """Whether all rows had the same chance of being chosen for the experts."""


def experts_on(rows: Sequence[ToJudge], path: Path, pair: tuple[str, str]) -> Experts:
    """The experts' word on the same queries and answers, from an outcomes file or the folder of a frozen version.

    Raises:
        DataError: the file cannot be read, or the folder was altered.
        PreceptorError: its labels come from a judge.
    """
    found = experts_outcomes(path)
    number_of = {row.query.messages: number for number, row in enumerate(rows)}
    is_harm, chances = {}, set()
    for one in found:
        number = number_of.get(one.query.messages)
        if number is not None and _is_about(one, rows[number], pair):
            weak, strong = (one.results[model].quality for model in pair)
            is_harm[number] = strong > 0.5 and weak <= 0.5
            chances.add(1.0 if one.inclusion_probability is None else one.inclusion_probability)
    return Experts(is_harm, len(found) - len(is_harm), not chances or max(chances) - min(chances) <= 1e-9)


def experts_outcomes(path: Path) -> list[Outcome]:
    """The outcomes of a file, or of the folder of a frozen version.

    Raises:
        DataError: the file cannot be read, or the folder was altered.
        PreceptorError: its labels come from a judge.
    """
    found = _outcomes_in(path)
    judged = sum(one.source is Source.JUDGE for one in found)
    if judged:
        raise PreceptorError(
            f"{judged} of {len(found)} rows of {path} come from a judge, and a judge is measured against experts. "
            "Name outcomes of experts, or the folder of a frozen version."
        )
    return found


def summary(judged: Judged, prompt: JudgePrompt) -> JudgeReport:
    """The counts of a judging."""
    rulings = judged.rulings
    counts = Counter(ruling.why for ruling in rulings)
    n_read_twice = sum(ruling.was_read_twice for ruling in rulings)
    n_agreeing = sum(ruling.was_read_twice and ruling.said is not None for ruling in rulings)
    return JudgeReport(
        judge=prompt.model,
        prompt_sha256=prompt.sha256,
        votes=prompt.votes,
        weak=prompt.pair[0],
        strong=prompt.pair[1],
        n=len(rulings),
        n_by_outcome={why: counts[why] for why in Why},
        n_cut=judged.n_cut,
        n_harms=sum(ruling.is_harm is True for ruling in rulings),
        consistency=binomial_interval(n_agreeing, n_read_twice) if n_read_twice else None,
        n_preferred_first_twice=sum(ruling.preferred_first_twice for ruling in rulings),
        n_preferred_second_twice=sum(ruling.preferred_second_twice for ruling in rulings),
        spent_usd=judged.spent_usd,
    )


def words_of(judged: Judged) -> Int[np.ndarray, " n"]:
    """The judge's word per row: 1 harm, 0 none, `UNDECIDED`."""
    return np.array([UNDECIDED if one.is_harm is None else int(one.is_harm) for one in judged.rulings])


def reliabilities(judged: Judged, experts: Experts) -> tuple[JudgeReliability, ...]:
    """The judge against the experts: on all rows that both judged, and per stratum."""
    numbers = np.array(sorted(experts.is_harm), dtype=np.int64)
    if not len(numbers):
        raise NotEnoughLabels(
            f"None of the experts' {experts.n_unmatched} rows is about these queries and answers. "
            "Name experts' outcomes on queries of this file, with the answers that were judged."
        )
    said, strata = words_of(judged)[numbers], np.array([judged.rows[i].query.stratum_name for i in numbers])
    is_harm = np.array([experts.is_harm[int(i)] for i in numbers])
    named = [("all", np.ones(len(numbers), dtype=bool))]
    named += [(name, strata == name) for name in sorted(set(strata))]
    return tuple(judge_reliability(str(name), said[inside], is_harm[inside]) for name, inside in named)


def probabilities_of(bundle: Bundle, judged: Judged) -> Float[np.ndarray, " n"]:
    """The bundle's probability per row."""
    return np.asarray(bundle.probabilities(*_read_by(judged)))


def _read_by(judged: Judged) -> tuple[list[str], list[str]]:
    """Text and stratum of each row."""
    queries = [row.query for row in judged.rows]
    return [query.routing_text for query in queries], [query.stratum_name for query in queries]


def seen_by(bundle: Bundle, judged: Judged) -> Bool[np.ndarray, " n"] | None:
    """Which rows' questions the bundle was made from; None where it does not say."""
    seen = bundle.papers.seen
    return None if seen is None else seen.contains([row.query.routing_text for row in judged.rows])


def curve_on(
    judged: Judged,
    probabilities: Float[np.ndarray, " n"],
    pair: tuple[str, str],
    *,
    budget: ThresholdSettings,
    is_seen: Bool[np.ndarray, " n"] | None,
) -> JudgedCurve:
    """The cost-quality curve on the decided rows, with its knee and the threshold for the budget.

    Raises:
        NotEnoughLabels: no row is decided.
    """
    decided = np.flatnonzero([ruling.said is not None for ruling in judged.rulings])
    if not len(decided):
        raise NotEnoughLabels("The judge decided on no row, so there is no curve. Read its replies, mend the rubric.")
    said = [judged.rulings[i].said for i in decided]
    quality = (
        np.array([float(one is not None and one.weak_acceptable) for one in said]),
        np.array([float(one is not None and one.strong_acceptable) for one in said]),
    )
    costs = tuple(np.array([_cost(judged.rows[i], model) for i in decided]) for model in pair)
    cost_usd = (costs[0], costs[1])
    scores = probabilities[decided]
    curve = cost_quality_curve(scores, *quality)
    bend = knee(curve)
    fault, at_budget = "", None
    try:
        at_budget = _point(
            threshold_for_budget(budget, scores, cost_usd=cost_usd, quality=quality), scores, curve, cost_usd
        )
    except NotEnoughLabels as error:
        fault = str(error)
    kept = np.unique(np.linspace(0, len(curve.quality) - 1, CURVE_POINTS).round().astype(int))
    return JudgedCurve(
        n=len(decided),
        n_trained_rows=None if is_seen is None else int(is_seen[decided].sum()),
        weak_quality=curve.weak_quality,
        strong_quality=curve.strong_quality,
        share_strong=tuple(curve.share_strong[kept].tolist()),
        quality=tuple(curve.quality[kept].tolist()),
        apgr=_apgr(judged, decided, scores, quality),
        knee=None if bend is None else _point(threshold_for_share(scores, bend.share_strong), scores, curve, cost_usd),
        knee_lift=None if bend is None else bend.lift,
        budget=at_budget,
        budget_fault=fault,
    )


def groups_of(judged: Judged) -> Int[np.ndarray, " n"]:
    """Rows that share a question or a group belong together."""
    return components([row.query.text for row in judged.rows], [row.query.group for row in judged.rows])


def _outcomes_in(path: Path) -> list[Outcome]:
    if not path.is_dir():
        return read_outcomes([path])
    read_version(path)
    files = [path / name for name in ("outcomes.jsonl", "audit.jsonl") if (path / name).is_file()]
    files = [one for one in files if one.stat().st_size]
    if not files:
        raise DataError([f"{path}: no outcomes"], "Freeze a version that holds judgements, or name an outcomes file.")
    return read_outcomes(files)


def _is_about(one: Outcome, row: ToJudge, pair: tuple[str, str]) -> bool:
    """Whether an expert's row knows both models, and the answers are those that were judged, where it holds them."""
    if not all(model in one.results for model in pair):
        return False
    texts = [(one.results[model].text, row.answers.get(model)) for model in pair]
    return all(text is None or (answer is not None and answer.text == text) for text, answer in texts)


def _point(
    threshold: float,
    scores: Float[np.ndarray, " n"],
    curve: CostQualityCurve,
    cost_usd: tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]],
) -> Point:
    share = share_at(scores, threshold)
    usd = float(np.mean(np.where(scores >= threshold, cost_usd[1], cost_usd[0]))) * 1000
    return Point(
        threshold=threshold,
        share_strong=share,
        quality=curve.quality_at(share),
        usd_per_1000=usd if np.isfinite(usd) else None,
    )


def _apgr(
    judged: Judged,
    decided: Int[np.ndarray, " k"],
    scores: Float[np.ndarray, " k"],
    quality: tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]],
) -> Interval | None:
    """None where the strong model is not better on these rows, or too few show that it is."""
    rng = np.random.default_rng(0)
    try:
        found = metrics_with_intervals(
            scores, *quality, rng=rng, n_resamples=N_RESAMPLES, groups=groups_of(judged)[decided]
        )
    except NotEnoughLabels:
        return None
    return found["apgr"]


def _cost(row: ToJudge, model: str) -> float:
    cost = row.answers[model].cost_usd
    return np.nan if cost is None else cost
