"""The `verify` command: rechecks a file of answers as the gateway would, without router or server."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from core.settings import RunSettings
    from models.bundle import Bundle
    from verifiers.assembling import Recheck

DEFAULT_PACK = "medical_coding"


@click.command()
@click.option(
    "--pack", help=f"A domain's name, or the path of a pack's YAML.  [default: the config's, or {DEFAULT_PACK}]"
)
@click.option(
    "--input", "input_path", type=click.Path(path_type=Path), required=True, help="Rows of id, answer and query."
)
@click.option(
    "--output", "output_path", type=click.Path(path_type=Path), required=True, help="Verdicts, one JSON object a line."
)
@click.option(
    "--config", type=click.Path(path_type=Path), help="Settings: models to ask, caps, the bundle's classifier."
)
@click.option(
    "--stakes",
    type=click.Choice(["standard", "high"]),
    default="high",
    show_default=True,
    help="Of all answers: once one may not leave at these, checks that cost money are not run.",
)
@click.option(
    "--fail-on", type=click.Choice(["fail", "not_pass"]), help="Exit 1 where an answer failed, or did not pass."
)
@click.option(
    "--queue", is_flag=True, help="Keep what did not pass, and has a `strong_answer`, for experts; needs --config."
)
@click.option("--json", "as_json", is_flag=True, help="The summary as one JSON object on stdout.")
def verify(  # noqa: PLR0913 - one argument an option
    pack: str | None,
    input_path: Path,
    output_path: Path,
    config: Path | None,
    *,
    stakes: str,
    fail_on: str | None,
    queue: bool,
    as_json: bool,
) -> None:
    """Recheck answers: pass, fail, cannot_decide or error, with reasons and without the text.

    INPUT holds one row an answer, JSONL, CSV or Parquet: `id`, `answer`, and where checks need them `query` (a text or
    messages), `facts`, `tokens`, `samples`, `second_answer`. Nothing is written when a row cannot be read; the verdicts
    are complete, or not there. The exit code is 0 whatever the verdicts are, unless --fail-on says otherwise.

    Example: preceptor verify --pack medical_coding --input answers.jsonl --output verdicts.jsonl
    """
    import json
    import sys
    from collections import Counter
    from datetime import UTC, datetime

    from core.reading import read_all
    from core.records import Stakes
    from core.settings import load_settings
    from gateway.verify_queue import queue_unpassed, strong_answers
    from verifiers.answers import read_answers, unread_fields, verdict_row
    from verifiers.chain import CheckOutcome, run_chain

    if queue and config is None:
        raise click.UsageError("--queue needs --config, which names the store and the two models.")
    given = read_all([input_path])
    answers = read_answers(given, stakes=Stakes(stakes))
    if unread := unread_fields(given):
        click.echo(
            f"No check reads the fields {', '.join(unread)}; what answers rest on belongs into `facts`.", err=True
        )
    strong = strong_answers(given) if queue else {}
    name, recheck = _recheck(pack, config)
    outcomes: Counter[str] = Counter()
    by_check: dict[str, Counter[str]] = {check.id: Counter() for check in recheck.checks}
    cost_usd = 0.0
    kept = []
    partial = output_path.with_name(f".{output_path.name}.partial")
    output_path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with (
            partial.open("w", encoding="utf-8") as file,
            click.progressbar(answers, label="Rechecking", file=sys.stderr) as rows,
        ):
            for case in rows:
                verdict = run_chain(recheck.checks, case, limits=recheck.limits)
                outcomes[verdict.outcome] += 1
                if case.query.id in strong:
                    kept.append((case, verdict))
                cost_usd += verdict.cost_usd or 0.0
                for result in verdict.results:
                    by_check.setdefault(result.check, Counter())[result.outcome] += 1
                file.write(json.dumps(verdict_row(case.query.id, verdict)) + "\n")
        partial.replace(output_path)
    finally:
        partial.unlink(missing_ok=True)
    if queue and config is not None:
        n_queued = queue_unpassed(load_settings(config), kept, strong, now=datetime.now(UTC))
        click.echo(
            f"{n_queued} kept for experts. Next: preceptor label import --unresolved --config {config}", err=True
        )
    summary = {outcome.value: outcomes[outcome] for outcome in CheckOutcome if outcome is not CheckOutcome.NOT_RUN}
    if as_json:
        checks = {check: dict(counts) for check, counts in by_check.items()}
        told = {"answers": len(answers), **summary, "pack": name, "checks": checks, "cost_usd": cost_usd}
        click.echo(json.dumps(told))
    else:
        for check, counts in by_check.items():
            shown = ", ".join(f"{outcome} {count}" for outcome, count in counts.most_common())
            click.echo(f"{check:<28} {shown or 'not run'}")
    shown = ", ".join(f"{outcome} {count}" for outcome, count in summary.items())
    rechecked = "1 answer" if len(answers) == 1 else f"{len(answers)} answers"
    click.echo(f"{rechecked} rechecked with {name}: {shown}. Verdicts: {output_path}", err=True)
    refused = {"fail": outcomes["fail"], "not_pass": len(answers) - outcomes["pass"]}.get(fail_on or "", 0)
    if refused:
        raise click.exceptions.Exit(1)


def _recheck(pack: str | None, config: Path | None) -> "tuple[str, Recheck]":
    """The pack's name, and its checks with what the settings add to them."""
    from core.settings import load_settings
    from core.verifier_settings import VerifierSettings
    from gateway.wiring import recheck_for
    from verifiers.assembling import recheck_of

    if config is None:
        name = pack or DEFAULT_PACK
        return name, recheck_of(VerifierSettings(pack=name), resources={"reads_facts": True})
    settings = load_settings(config)
    name = pack or (DEFAULT_PACK if settings.verifiers.pack == "none" else settings.verifiers.pack)
    verifiers = settings.verifiers.model_copy(update={"pack": name})
    settings = settings.model_copy(update={"verifiers": verifiers})
    return name, _with_doubt(settings, recheck_for(settings, bundle := _bundle(settings), reads_facts=True), bundle)


def _bundle(settings: "RunSettings") -> "Bundle | None":
    """The bundle, where the settings say that it has a classifier of weak answers."""
    from gateway.wiring import load_deciding

    if settings.verifiers.suspicion.family is None:
        return None
    return load_deciding(settings, settings.bundle_reference)


def _with_doubt(settings: "RunSettings", recheck: "Recheck", bundle: "Bundle | None") -> "Recheck":
    from dataclasses import replace

    from core.records import Stakes
    from gateway.doubt_of_bundle import doubt_of

    domain = settings.data.target_domains[0]
    doubt = None if bundle is None else doubt_of(bundle, domain=domain, stakes=Stakes.HIGH)
    return recheck if doubt is None else replace(recheck, checks=(*recheck.checks, doubt))
