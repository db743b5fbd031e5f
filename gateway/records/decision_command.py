"""Commands of decisions: show one with its reasons in words, and what was asked and answered; prune kept texts."""

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Unpack

import click

from gateway.acting import Where, acting, store_of, where_options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.records import Decision
    from gateway.records.texts import Text


@click.group()
def decision() -> None:
    """Look at what the gateway decided, and keep texts no longer than they are needed.

    Example: preceptor decision prune --older-than-days 30 --yes
    """


@decision.command()
@click.argument("identifier", metavar="ID")
@click.option("--text", "with_text", is_flag=True, help="Request and answer as well; that you looked goes on record.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@where_options
def show(identifier: str, *, with_text: bool, as_json: bool, **where: Unpack[Where]) -> None:
    """Show what was decided of one request, and why; ID is that of the header x-preceptor-decision-id.

    Example: preceptor decision show dec_6f1d0c4be2a94d0f8c1b7a5e3d920f44 --text
    """
    from core.errors import PreceptorError
    from core.sealing import secret_key
    from gateway.records.decision_log import DecisionLog
    from gateway.records.texts import view_text

    engine = store_of(where)
    found = DecisionLog(engine).find(identifier)
    if found is None:
        raise PreceptorError(
            f"There is no decision '{identifier}' in this store. Its id is in the answer's header "
            "x-preceptor-decision-id; name the gateway's store with --store or --config."
        )
    text = None
    if with_text:
        with acting(engine, where["by"]) as (connection, by, now):
            text = view_text(connection, identifier, key=secret_key(engine), by=by, now=now)
    if as_json:
        click.echo(json.dumps(_facts(found, text)))
        return
    for line in _lines(found):
        click.echo(line)
    if text is not None:
        click.echo("\nrequest\n" + json.dumps(text.request, indent=2, ensure_ascii=False))
        click.echo("\nanswer\n" + json.dumps(text.answer, indent=2, ensure_ascii=False))


@decision.command()
@click.option("--older-than-days", type=click.IntRange(min=1), required=True, help="Texts kept longer than this go.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@where_options
def prune(*, older_than_days: int, yes: bool, **where: Unpack[Where]) -> None:
    """Delete kept texts of requests and answers, for good. The decisions stay, with their hashes; they hold no text.

    Run it daily where gateway.keep_texts is set.

    Example: preceptor decision prune --older-than-days 30 --yes
    """
    from gateway.records.texts import count_texts, prune_texts

    engine, before = store_of(where), datetime.now(UTC) - timedelta(days=older_than_days)
    if not yes:
        with engine.connect() as connection:
            n = count_texts(connection, before=before)
        click.confirm(
            f"The texts of {n} decisions from before {before:%Y-%m-%d} are deleted for good. Go on?", abort=True
        )
    with acting(engine, where["by"]) as (connection, by, now):
        n = prune_texts(connection, before=before, by=by, now=now)
    click.echo(f"The texts of {n} decisions from before {before:%Y-%m-%d} are deleted.")


def _facts(found: "Decision", text: "Text | None") -> dict[str, object]:
    from gateway.records.explaining import in_words

    facts: dict[str, object] = found.model_dump(mode="json")
    facts["reasons_in_words"] = [in_words(reason) for reason in found.reasons]
    if text is not None:
        facts |= {"request": text.request, "answer": text.answer}
    return facts


def _lines(found: "Decision") -> "Iterator[str]":
    from gateway.records.explaining import in_words

    yield f"decision   {found.id}"
    yield f"at         {found.at:%Y-%m-%d %H:%M:%S %Z}"
    yield f"asked for  {found.requested_model}" + (f", domain {found.domain}" if found.domain else "")
    yield f"answered   {found.answered_by or 'nobody: the client got an error'}"
    yield f"stakes     {found.stakes.value}" + (f" (rules: {', '.join(found.rules)})" if found.rules else "")
    if found.probability is not None and found.threshold is not None:
        side = "strong" if found.probability >= found.threshold else "weak"
        yield f"router     probability {found.probability:.4f}, threshold {found.threshold:.4f}: {side}"
    if found.bundle is not None:
        yield f"bundle     {found.bundle[:12]} ({found.arm})"
    if found.verdict is not None:
        yield f"recheck    {found.verdict}"
    for check in found.checks:
        yield f"  check    {check.check}: {check.outcome} ({check.reason.replace('_', ' ')})"
    for reason in found.reasons:
        yield f"because    {in_words(reason)} [{reason}]"
    for call in found.calls:
        cost = "cost not known" if call.cost_usd is None else f"${call.cost_usd:.6f}"
        tokens = f"{call.n_input} + {call.n_output} tokens, " if call.n_input is not None else ""
        yield f"call       {call.model}: {call.outcome}, attempts {call.n_attempts}, {tokens}{cost}"
    yield "cost       " + ("not known" if found.cost_usd is None else f"${found.cost_usd:.6f}")
    yield f"took       {found.latency_ms:.0f} ms" + (", streamed" if found.is_streamed else "")
    if found.key_id is not None:
        yield f"key        {found.key_id}"
    yield f"query      sha256 {found.query_sha256}"
