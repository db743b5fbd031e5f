"""The compare screen: two answers side by side, one vote, the next pair."""

from typing import Annotated

from fastapi import Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from core.access import Act, Actor
from core.errors import AccessDenied, PreceptorError
from core.store import writing
from labeling.judging.ballots import MAX_REASON_CHARS
from labeling.judging.form import JudgingForm
from labeling.judging.submitting import Receipt, retract, submit
from labeling.queueing.experts import enter
from labeling.queueing.offering import Task, last_judged, next_task, progress_of
from labeling.screens.site import Site

NOTICES = {
    Receipt.SAVED: "Saved.",
    Receipt.ALREADY_SAVED: "Already saved; it counts once.",
    Receipt.EARLIER_STANDS: "You had judged that pair before; the earlier verdict stands. Undo it to change it.",
    Receipt.OUT_OF_DATE: "That form was out of date and was not saved. Here is the pair again.",
    "undone": "Undone. Here is the pair again.",
}
"""What the page says after a form was sent, by the word in its address."""


def add_judge_screen(site: Site) -> None:
    """Add `/judge` and `/undo`."""
    app, engine, clock = site.app, site.engine, site.clock
    expert = Depends(site.guard.may(Act.JUDGE))
    sender = Depends(site.guard.may_sending(Act.JUDGE))

    def next_of(actor: Actor) -> Task | None:
        with writing(engine) as connection:
            enter(connection, actor.name, now=clock())
        return next_task(engine, actor.name, rules=site.offer_rules, now=clock())

    def judge_page(
        request: Request, actor: Actor, *, task: Task | None, form: JudgingForm | None = None, fault: str = ""
    ) -> Response:
        with engine.connect() as connection:
            progress = progress_of(connection, actor.name, now=clock())
            undoable = last_judged(connection, actor.name)
        return site.page(
            request,
            actor,
            "judge.html" if task else "done.html",
            status_code=422 if fault else 200,
            task=task,
            progress=progress,
            undoable=undoable,
            form=form or JudgingForm(),
            fault=fault,
            notice="" if fault else NOTICES.get(request.query_params.get("after", ""), ""),
            max_reason_chars=MAX_REASON_CHARS,
        )

    @app.get("/judge")
    def show(request: Request, actor: Annotated[Actor, expert]) -> Response:
        return judge_page(request, actor, task=next_of(actor))

    @app.post("/judge")
    def judge(
        request: Request, actor: Annotated[Actor, sender], form: Annotated[JudgingForm, Depends(JudgingForm.of)]
    ) -> Response:
        try:
            receipt = submit(engine, form.ballot(), expert=actor.name, rules=site.judging_rules, now=clock())
        except AccessDenied:
            raise
        except PreceptorError as error:
            task = next_of(actor)
            if task is None or task.assignment_id != form.assignment:
                return RedirectResponse(f"/judge?after={Receipt.OUT_OF_DATE}", status_code=303)
            return judge_page(request, actor, task=task, form=form, fault=str(error))
        return RedirectResponse(f"/judge?after={receipt}", status_code=303)

    @app.post("/undo")
    def undo(actor: Annotated[Actor, sender], judgement: Annotated[str, Form()] = "") -> Response:
        retract(engine, judgement, expert=actor.name, now=clock())
        return RedirectResponse("/judge?after=undone", status_code=303)
