"""The compare screen: two answers side by side, one vote, the next pair; drafts, flags and undo beside it."""

from collections.abc import Mapping
from typing import Annotated

import sqlalchemy as sa
from fastapi import Depends, Form, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from core.access import Act, Actor
from core.errors import AccessDenied, PreceptorError
from labeling.judging.ballots import MAX_REASON_CHARS, Choice, JudgingRules, Severity, needs_reason
from labeling.judging.drafts import draft_of, save_draft
from labeling.judging.flags import FLAG_LABELS, MAX_FLAG_CHARS, FlagForm, raise_flag
from labeling.judging.form import JudgingForm
from labeling.judging.keys import ACTIONS, keys_of
from labeling.judging.own_work import last_of_today
from labeling.judging.own_work import undo as take_back
from labeling.judging.rendering import render_answer, render_markdown
from labeling.judging.revealing import reveal
from labeling.judging.submitting import Receipt, submit
from labeling.quality.guideline import has_acknowledged, latest
from labeling.quality.qualification import is_qualified
from labeling.queueing.experts import enter_once
from labeling.queueing.offering import Task, next_task, progress_of
from labeling.screens.room import Site

NOTICES: Mapping[str, str] = {
    Receipt.SAVED: "Saved.",
    "checks_said": "Saved. Above the question stands what the checks had said of the pair before.",
    Receipt.ALREADY_SAVED: "Already saved; it counts once.",
    Receipt.EARLIER_STANDS: "You had judged that pair before; the earlier verdict stands. Undo it to change it.",
    Receipt.OUT_OF_DATE: "That form was out of date and was not saved. Here is the pair again.",
    "undone": "Undone. Here is the pair again.",
    "reopened": "Taken back. Judge the pair anew.",
    "flagged": "The flag is noted. You can go on judging this pair.",
    "held": "The flag is noted, and the pair is held back from everyone.",
}
"""What the page says after a form was sent, by the word in its address."""

STALE = "Newer entries for this pair were saved elsewhere, or it was judged. Reload the page to see them."


def add_judge_screen(site: Site) -> None:
    """Add `/judge`, `/draft`, `/undo` and `/flag`."""
    app, engine, clock = site.app, site.engine, site.clock
    expert = Depends(site.guard.may(Act.JUDGE))
    sender = Depends(site.guard.may_sending(Act.JUDGE))
    sent_form = Depends(JudgingForm.of)

    @app.get("/judge")
    def show(request: Request, actor: Annotated[Actor, expert]) -> Response:
        enter_once(engine, actor.name, now=clock())
        if site.settings.guideline_required and _unread(engine, actor.name):
            return RedirectResponse("/guideline", status_code=303)
        if _must_qualify(site, actor.name):
            return RedirectResponse("/qualification", status_code=303)
        return _judge_page(site, request, actor)

    @app.post("/judge")
    def judge(request: Request, actor: Annotated[Actor, sender], form: Annotated[JudgingForm, sent_form]) -> Response:
        try:
            receipt = submit(engine, form.ballot(), expert=actor.name, rules=site.judging_rules, now=clock())
        except AccessDenied:
            raise
        except PreceptorError as error:
            return _judge_page(site, request, actor, refused=form, fault=str(error))
        return RedirectResponse(f"/judge?after={receipt}", status_code=303)

    @app.post("/draft")
    def draft(actor: Annotated[Actor, sender], form: Annotated[JudgingForm, sent_form]) -> Response:
        try:
            kept = save_draft(engine, form, expert=actor.name, lease=site.offer_rules.lease, now=clock())
        except AccessDenied:
            raise
        except PreceptorError as error:
            return JSONResponse({"sentence": str(error)}, status_code=422)
        if kept is None:
            return JSONResponse({"sentence": STALE}, status_code=409)
        return JSONResponse({"edition": kept.edition, "saved_at": kept.saved_at})

    @app.post("/undo")
    def undo(actor: Annotated[Actor, sender], judgement: Annotated[str, Form()] = "") -> Response:
        take_back(engine, judgement, expert=actor.name, now=clock())
        return RedirectResponse("/judge?after=undone", status_code=303)

    @app.post("/flag")
    def flag(
        request: Request,
        actor: Annotated[Actor, sender],
        assignment: Annotated[str, Form()] = "",
        kind: Annotated[str, Form()] = "",
        text: Annotated[str, Form()] = "",
    ) -> Response:
        try:
            is_held = raise_flag(engine, FlagForm(assignment, kind, text), expert=actor.name, now=clock())
        except AccessDenied:
            raise
        except PreceptorError as error:
            return _judge_page(site, request, actor, fault=str(error))
        return RedirectResponse(f"/judge?after={'held' if is_held else 'flagged'}", status_code=303)


def _must_qualify(site: Site, expert: str) -> bool:
    with site.engine.connect() as connection:
        return not is_qualified(connection, expert, site.settings)


def _unread(engine: sa.Engine, expert: str) -> bool:
    """Whether there is a guideline whose latest version the expert has not acknowledged."""
    with engine.connect() as connection:
        return latest(connection) is not None and not has_acknowledged(connection, expert)


def _judge_page(
    site: Site, request: Request, actor: Actor, *, refused: JudgingForm | None = None, fault: str = ""
) -> Response:
    """The expert's pair, with the refused form, else with the draft; the page of thanks when there is none."""
    now = site.clock()
    task = next_task(site.engine, actor.name, rules=site.offer_rules, now=now)
    if refused is not None and (task is None or task.assignment_id != refused.assignment):
        return RedirectResponse(f"/judge?after={Receipt.OUT_OF_DATE}", status_code=303)
    with site.engine.connect() as connection:
        progress = progress_of(connection, actor.name, rules=site.offer_rules, now=now)
        undoable = last_of_today(connection, actor.name, now=now)
        keys = keys_of(connection, actor.name)
        kept = draft_of(connection, task.assignment_id, revision=task.revision) if task else None
        guideline = latest(connection)
    form = refused or (kept.form if kept else JudgingForm())
    has_judged = undoable is not None and request.query_params.get("after") in (Receipt.SAVED, Receipt.ALREADY_SAVED)
    said = reveal(site.engine, [undoable] if has_judged and undoable else [], expert=actor.name, now=now)
    return site.page(
        request,
        actor,
        "judge.html" if task else "done.html",
        status_code=422 if fault else 200,
        progress=progress,
        goal=site.settings.daily_goal,
        undoable=undoable,
        said=said.get(undoable or ""),
        keys=keys,
        key_names=ACTIONS,
        fault=fault,
        notice="" if fault else NOTICES.get("checks_said" if said else request.query_params.get("after", ""), ""),
        **(_shown(task, form, site.judging_rules) if task else {}),
        edition=kept.edition if kept else 0,
        guideline_version=guideline.version if guideline else None,
        guideline=render_markdown(guideline.text, top_heading=3) if guideline else "",
        idle_ms=int(site.settings.idle_seconds * 1000),
    )


def _shown(task: Task, form: JudgingForm, rules: JudgingRules) -> dict[str, object]:
    """What the template needs to know about the pair and about what may be entered."""
    needing = [choice for choice in Choice if needs_reason(choice, rules, stakes=task.query.stakes)]
    return {
        "task": task,
        "form": form,
        "marks": [mark.split(":", 3) for mark in form.mark if mark.count(":") >= 3],
        "answers": {"left": render_answer(task.left), "right": render_answer(task.right)},
        "is_high_stakes": task.query.stakes.is_high,
        "needing": " ".join(needing),
        "is_reason_due": Choice.LEFT_BETTER in needing,
        "rules": rules,
        "severities": tuple(Severity),
        "flag_labels": FLAG_LABELS,
        "max_reason_chars": MAX_REASON_CHARS,
        "max_flag_chars": MAX_FLAG_CHARS,
    }
