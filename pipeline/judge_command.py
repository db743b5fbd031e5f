"""The command that has a judge model compare the pair's answers: calibrate."""

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from datetime import datetime

    from core.judge_settings import JudgeSettings
    from core.settings import RunSettings
    from core.spending import Estimate
    from pipeline.judge_prompt import JudgePrompt
    from pipeline.judge_report import JudgeReport
    from pipeline.judge_rows import ToJudge
    from pipeline.judging import Judged

_file = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("config", type=_file)
@click.option("--queries", type=_file, required=True, help="Rows with a query each, and answers where there are some.")
@click.option("--output", type=_file, help="Outcomes, source: judge.  [default: QUERIES.judged.jsonl]")
@click.option("--answers", type=_file, help="Where the pair's answers are kept.  [default: QUERIES.answers.jsonl]")
@click.option("--verdicts", type=_file, help="Where the judge's replies are kept.  [default: QUERIES.verdicts.jsonl]")
@click.option("--experts", type=click.Path(path_type=Path), help="Experts' outcomes, or a frozen version's folder.")
@click.option("--bundle", "reference", help="Draw the curve of this bundle: a folder, models:/NAME@ALIAS or /3.")
@click.option("--rate", type=float, metavar="N", help="Requests a minute to each model, at most.")
@click.option("--parallel", type=click.IntRange(1, 64), default=4, show_default=True, help="At once, each model.")
@click.option("--max-usd", type=click.FloatRange(min=0), help="Stop before all answers and replies cost more.")
@click.option("--skip-failed", is_flag=True, help="Go on with the rows that were answered; the others are undecided.")
@click.option("--yes", is_flag=True, help="Do not ask before sending.")
@click.option("--dry-run", is_flag=True, help="Say what would be asked and what it costs; ask nobody.")
@click.option("--by", default=getpass.getuser, metavar="NAME", help="Who does this, for the ledger.  [default: you]")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="A setting said otherwise.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def calibrate(config: Path, **asked: Any) -> None:  # noqa: ANN401 - one option each, as click gives them
    """Have a judge model compare both models' answers, in both orders and blind; write outcomes, curve and knee.

    A reply that cannot be read is asked for again, then counted as undecided, never as a pass. A judge's labels set
    budgets and draw curves; beside experts they may promise something of low stakes, of high stakes never.

    Example: preceptor calibrate configs/medical_coding.yaml --queries demo-work/queries.jsonl --dry-run
    """
    from core.settings import load_settings
    from pipeline.judge_prompt import prompt_of
    from pipeline.judge_report import report_text
    from pipeline.judge_rows import rows_to_judge

    settings = load_settings(config, asked["overrides"])
    prompt = prompt_of(_judge_of(settings), (settings.pair.weak.name, settings.pair.strong.name))
    rows = rows_to_judge(asked["queries"], prompt.pair)
    judged = _judge_rows(settings, prompt, rows, asked)
    if judged is None:
        return
    output = asked["output"] or asked["queries"].with_suffix(".judged.jsonl")
    report = _study(settings, prompt, judged, asked)
    n_written = _write(output, judged, report)
    _note(settings, report, by=asked["by"])
    click.echo(report.model_dump_json() if asked["as_json"] else report_text(report))
    click.echo(f"{n_written} outcomes written to {output}; the report stands in {_report_path(output)}.", err=True)
    click.echo(f"Next: name {output} under data.files, then preceptor run {config}", err=True)


def _judge_of(settings: "RunSettings") -> "JudgeSettings":
    from core.errors import SettingsError

    if settings.judge is None:
        raise SettingsError("The settings name no judge. Add `judge:` with name and base_url (docs/judge.md).")
    return settings.judge


def _judge_rows(
    settings: "RunSettings", prompt: "JudgePrompt", rows: "list[ToJudge]", asked: dict[str, Any]
) -> "Judged | None":
    """Every row with its ruling; None on a dry run."""
    import random

    from core.answer_file import AnswerFile
    from core.asking import AskRules
    from core.endpoint import endpoint_of
    from pipeline.judge_rows import questions_for, with_answers
    from pipeline.judging import Judging

    data_class = settings.labeling.data_class
    judge = endpoint_of("judge", _judge_of(settings), data_class)
    rules = AskRules(
        data_class=data_class,
        requests_per_minute=asked["rate"],
        n_parallel=asked["parallel"],
        max_usd=asked["max_usd"],
    )
    answers = asked["answers"] or asked["queries"].with_suffix(".answers.jsonl")
    verdicts = asked["verdicts"] or asked["queries"].with_suffix(".verdicts.jsonl")
    with AnswerFile(answers) as answer_file, AnswerFile(verdicts) as verdict_file:
        pair = tuple(
            endpoint_of(f"pair.{role}", model, data_class)
            for role, model in (("weak", settings.pair.weak), ("strong", settings.pair.strong))
            if questions_for(model.name, with_answers(rows, prompt.pair, answer_file), None)
        )
        judging = Judging(
            pair, judge, prompt, answer_file, verdict_file, rules, _now, random.Random(), progress=_say_progress
        )
        estimates = judging.estimates(rows)
        _say_estimates(estimates)
        if asked["dry_run"]:
            return None
        if any(one.n_calls for one in estimates) and not asked["yes"]:
            click.confirm("Send them?", abort=True, err=True)
        judged = judging.judge_all(rows)
    _refuse_gaps(judged, asked)
    return judged


def _refuse_gaps(judged: "Judged", asked: dict[str, Any]) -> None:
    """Refuse to go on with rows that lack an answer or a reply, unless that was asked for."""
    from core.errors import UpstreamError
    from pipeline.judge_verdicts import Why

    n_missing = sum(ruling.why is Why.UNANSWERED for ruling in judged.rulings)
    failures = [failure for report in judged.reports for failure in report.failures]
    for failure in failures[:10]:
        click.echo(f"  {failure.place}: no answer of '{failure.model}' ({failure.kind})", err=True)
    if len(failures) > 10:
        click.echo(f"  ... and {len(failures) - 10} more", err=True)
    if not n_missing or (asked["skip_failed"] and judged.stopped != "cap"):
        return
    if judged.stopped == "cap":
        raise UpstreamError(
            f"Asking stopped at the cap of {asked['max_usd']:.4f} USD with {n_missing} rows open; nothing was written. "
            "Run the same command with a higher --max-usd: it goes on from here and asks nothing twice."
        )
    why = f"Asking stopped ({judged.stopped})" if judged.stopped else "Not everything was answered"
    raise UpstreamError(
        f"{why}: {n_missing} rows are open, and no outcomes were written. Run the same command again to ask for these "
        "alone, or add --skip-failed to count them as undecided."
    )


def _study(settings: "RunSettings", prompt: "JudgePrompt", judged: "Judged", asked: dict[str, Any]) -> "JudgeReport":
    """The report: counts, the judge against experts, the bundle's curve, and what is promised where."""
    from pipeline.judge_study import experts_on, reliabilities, summary

    report = summary(judged, prompt)
    experts = None
    if asked["experts"] is not None:
        experts = experts_on(judged.rows, asked["experts"], prompt.pair)
        found = {"reliability": reliabilities(judged, experts), "n_experts_unmatched": experts.n_unmatched}
        report = report.model_copy(update=found)
    if asked["reference"] is None:
        return report
    from core.ledger import Ledger
    from core.store import open_store
    from pipeline.applying import bundle_of
    from pipeline.certify_looks import Looks
    from pipeline.judge_promises import Ranking, promises_on
    from pipeline.judge_study import curve_on, probabilities_of, seen_by

    bundle = bundle_of(asked["reference"], tracking_uri=settings.mlflow.tracking_uri)
    probabilities, is_seen = probabilities_of(bundle, judged), seen_by(bundle, judged)
    curve = curve_on(judged, probabilities, prompt.pair, budget=settings.threshold, is_seen=is_seen)
    report = report.model_copy(update={"curve": curve})
    if experts is None:
        return report
    looks = Looks(Ledger(open_store(settings.store_url)), run=settings.name)
    ranking = Ranking(probabilities, is_seen, bundle.thresholds)
    promises = promises_on(judged, experts, ranking, terms=settings.certificate, looks=looks)
    return report.model_copy(update={"promises": promises.tried, "not_promised": promises.refused})


def _write(output: Path, judged: "Judged", report: "JudgeReport") -> int:
    from pipeline.judge_report import write_outcomes

    n_written = write_outcomes(output, judged.rows, judged.rulings, report)
    _report_path(output).write_text(report.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return n_written


def _report_path(output: Path) -> Path:
    return output.with_suffix(".report.json")


def _note(settings: "RunSettings", report: "JudgeReport", *, by: str) -> None:
    """Who had what judged, in counts and hashes."""
    from core.ledger import Detail, Ledger
    from core.store import open_store
    from pipeline.judge_verdicts import Why

    details: dict[str, Detail] = {
        "rows": report.n,
        "decided": report.n_by_outcome[Why.DECIDED],
        "task_sha256": report.prompt_sha256,
        "spent_usd": f"{report.spent_usd:.6f}",
    }
    Ledger(open_store(settings.store_url)).append(by, "judge.run", report.judge, details)


def _say_estimates(estimates: "list[Estimate]") -> None:
    for one in estimates:
        click.echo(
            f"{one.model}: {one.n_calls} to ask, about {one.n_input} tokens in and {one.n_output} out, "
            f"{one.cost_usd:.4f} USD.",
            err=True,
        )
    total = sum(one.cost_usd for one in estimates)
    click.echo(f"About {total:.4f} USD in all; replies that must be asked for again cost more.", err=True)


def _say_progress(n_given: int, spent_usd: float) -> None:
    if n_given and n_given % 50 == 0:
        click.echo(f"{n_given} answers, {spent_usd:.4f} USD", err=True)


def _now() -> "datetime":
    from datetime import UTC, datetime

    return datetime.now(UTC)
