"""What a judging came to: outcomes for the pipeline, figures about the judge, and what its labels may be used for."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from assurance.bootstrap import Interval
from assurance.judge_error import JudgedPromise, JudgeReliability
from core.records import Record, Source
from pipeline.judge_rows import ToJudge
from pipeline.judge_verdicts import Ruling, Why

WORDS: Mapping[Why, str] = {
    Why.UNREADABLE: "replies that could not be read, asked again in vain",
    Why.SPLIT_VOTES: "votes split",
    Why.ORDERS_DISAGREE: "the two orders disagree",
    Why.UNANSWERED: "no answer or no reply",
}


class Point(Record):
    """A threshold on the judged rows, and what it comes to there."""

    threshold: float
    share_strong: float
    quality: float
    usd_per_1000: float | None


class JudgedCurve(Record):
    """The cost-quality curve of a bundle on the decided rows, its knee, and the threshold for the settings' budget."""

    n: int
    n_trained_rows: int | None
    """Rows whose question the bundle was made from; None where it does not say."""
    weak_quality: float
    strong_quality: float
    share_strong: tuple[float, ...]
    quality: tuple[float, ...]
    apgr: Interval | None
    knee: Point | None
    knee_lift: float | None
    budget: Point | None
    budget_fault: str = ""


class JudgeReport(Record):
    """Everything that is said about one judging; no text of any row."""

    judge: str
    prompt_sha256: str
    votes: int
    weak: str
    strong: str
    n: int
    n_by_outcome: Mapping[Why, int]
    n_cut: int
    n_harms: int
    consistency: Interval | None
    """Share of rows on which both orders say the same, of those where both could be read."""
    n_preferred_first_twice: int
    n_preferred_second_twice: int
    spent_usd: float
    n_experts_unmatched: int = 0
    reliability: tuple[JudgeReliability, ...] = ()
    curve: JudgedCurve | None = None
    promises: tuple[JudgedPromise, ...] = ()
    not_promised: Mapping[str, str] = {}


def write_outcomes(path: Path, rows: Sequence[ToJudge], rulings: Sequence[Ruling], report: JudgeReport) -> int:
    """Write the decided rows as outcomes (source: judge); how many. The file appears when it is complete."""
    lines = [
        json.dumps(_outcome(row, ruling, report), ensure_ascii=False) + "\n"
        for row, ruling in zip(rows, rulings, strict=True)
        if ruling.said is not None
    ]
    partial = path.with_name(path.name + ".partial")
    partial.write_text("".join(lines), encoding="utf-8")
    partial.replace(path)
    return len(lines)


def report_text(report: JudgeReport) -> str:
    """The report as lines."""
    n_decided = report.n_by_outcome.get(Why.DECIDED, 0)
    lines = [
        f"{report.n} rows judged by {report.judge} (task {report.prompt_sha256[:12]}): {n_decided} decided, "
        f"{report.n - n_decided} undecided and left out; {report.spent_usd:.4f} USD spent in all.",
    ]
    lines += [f"  {n} undecided: {WORDS[why]}" for why, n in report.n_by_outcome.items() if n and why in WORDS]
    if report.n_cut:
        lines.append(f"  {report.n_cut} answers were cut at judge.max_answer_chars.")
    if report.consistency is not None:
        lines.append(
            f"Both orders agree on {report.consistency}; where not, the first answer was preferred twice on "
            f"{report.n_preferred_first_twice} rows, the second on {report.n_preferred_second_twice}."
        )
    lines.append(f"{report.n_harms} of {n_decided} weak answers would have harmed, says the judge.")
    lines += _reliability_lines(report)
    if report.curve is not None:
        lines += _curve_lines(report.curve)
    for one in report.promises:
        lines.append(f"{one.stratum}: {_promise_words(one)}")
    lines += [f"{stratum}: no promise. {why}" for stratum, why in report.not_promised.items()]
    return "\n".join(lines)


def _reliability_lines(report: JudgeReport) -> list[str]:
    if not report.reliability:
        return ["No expert judged these rows (--experts), so the judge's own errors are not known."]
    lines = ["", f"{'against experts':<24}  {'rows':>5}  {'sensitivity':<22}  {'specificity':<22}  kappa  may gate"]
    for one in report.reliability:
        sensitivity, specificity = (str(limits or "unknown") for limits in (one.sensitivity, one.specificity))
        kappa = "-" if one.kappa is None else f"{one.kappa:.2f}"
        gate = "yes" if one.may_gate_high_stakes else "no"
        lines.append(f"{one.stratum:<24}  {one.n:>5}  {sensitivity:<22}  {specificity:<22}  {kappa:>5}  {gate}")
        if one.why:
            lines.append(f"  {one.why}")
    if report.n_experts_unmatched:
        lines.append(f"{report.n_experts_unmatched} rows of the experts are about other queries or answers.")
    return [*lines, ""]


def _curve_lines(curve: JudgedCurve) -> list[str]:
    lines = [
        f"On {curve.n} decided rows: weak {curve.weak_quality:.3f}, strong {curve.strong_quality:.3f} mean quality"
        + (f", APGR {curve.apgr}" if curve.apgr is not None else "")
        + "."
    ]
    if curve.n_trained_rows:
        lines.append(f"  {curve.n_trained_rows} of them the bundle was made from; the curve flatters it.")
    if curve.knee is not None:
        lines.append(f"  knee        {_point_words(curve.knee)}, {curve.knee_lift:.3f} above routing at random")
    if curve.budget is not None:
        lines.append(f"  for budget  {_point_words(curve.budget)}")
    if curve.budget_fault:
        lines.append(f"  for budget  none: {curve.budget_fault}")
    return lines


def _point_words(point: Point) -> str:
    cost = "" if point.usd_per_1000 is None else f", {point.usd_per_1000:.2f} USD per 1,000"
    return f"threshold {point.threshold:.4f}: {point.share_strong:.1%} strong, quality {point.quality:.3f}{cost}"


def _promise_words(one: JudgedPromise) -> str:
    if not one.is_shown:
        return f"nothing is shown. {one.why}"
    return (
        f"harm <= {one.max_harm:.1%} is shown at threshold {one.threshold:.3f} (delta {one.delta:g}): of {one.n} rows "
        f"{one.n_accepted} leave, {one.n_flagged} flagged; the judge catches {one.sensitivity_lower:.0%} at least."
    )


def _outcome(row: ToJudge, ruling: Ruling, report: JudgeReport) -> dict[str, object]:
    assert ruling.said is not None
    query = row.query
    optional = {"stratum": query.stratum, "group": query.group, "topic": query.topic, "reference": query.reference}
    acceptable = {report.weak: ruling.said.weak_acceptable, report.strong: ruling.said.strong_acceptable}
    results = {}
    for model, is_acceptable in acceptable.items():
        cost = row.answers[model].cost_usd
        results[model] = {"quality": float(is_acceptable)} | ({} if cost is None else {"cost_usd": cost})
    return {
        "id": query.id,
        "query": [{"role": one.role, "content": one.content} for one in query.messages],
        "domain": query.domain,
        "stakes": str(query.stakes),
        **{name: value for name, value in optional.items() if value is not None},
        **row.sampling,
        "results": results,
        "source": str(Source.JUDGE),
        "judge": report.judge,
        "judge_task": report.prompt_sha256,
    }
