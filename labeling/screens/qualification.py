"""The qualification screen: practice with feedback, then the set, one pair at a time; and handing in."""

from typing import Annotated

from fastapi import Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from core.access import Act, Actor
from core.errors import AccessDenied, PreceptorError
from core.store import writing
from labeling.judging.ballots import MAX_REASON_CHARS, in_pair_order
from labeling.judging.form import JudgingForm, choice_of
from labeling.judging.rendering import render_answer
from labeling.quality.qualification import STATEMENT, Feedback, answer, feedback_on, hand_in, next_of_set, standing_of
from labeling.queueing.experts import enter
from labeling.screens.own_pages import CHOICE_LABELS
from labeling.screens.room import Site


def add_qualification_screen(site: Site) -> None:
    """Add `/qualification`, its answers, and `/qualification/hand-in`."""
    app, engine, clock, settings = site.app, site.engine, site.clock, site.settings
    expert = Depends(site.guard.may(Act.JUDGE))
    sender = Depends(site.guard.may_sending(Act.JUDGE))

    @app.get("/qualification")
    def show(request: Request, actor: Annotated[Actor, expert], after: str = "") -> Response:
        with engine.connect() as connection:
            feedback = feedback_on(connection, after, expert=actor.name) if after else None
        if feedback is not None:
            return feedback_page(request, actor, feedback)
        return page(request, actor)

    @app.post("/qualification")
    def judge(
        request: Request, actor: Annotated[Actor, sender], form: Annotated[JudgingForm, Depends(JudgingForm.of)]
    ) -> Response:
        try:
            feedback = answer(engine, form.ballot(), expert=actor.name, now=clock())
        except AccessDenied:
            raise
        except PreceptorError as error:
            return page(request, actor, form=form, fault=str(error))
        after = f"?after={form.assignment}" if feedback else ""
        return RedirectResponse(f"/qualification{after}", status_code=303)

    @app.post("/qualification/hand-in")
    def finish(
        request: Request,
        actor: Annotated[Actor, sender],
        acknowledged: Annotated[str, Form()] = "",
        sign_password: Annotated[str, Form()] = "",
        sign_code: Annotated[str, Form()] = "",
    ) -> Response:
        try:
            if not acknowledged:
                raise PreceptorError("The statement is not ticked. Tick it to hand in.")
            method = None
            if settings.sign_qualifications:
                method = site.guard.prove_again(request, sign_password, sign_code)
            hand_in(engine, settings, expert=actor.name, signing_method=method, now=clock())
        except PreceptorError as error:
            return page(request, actor, fault=str(error))
        return RedirectResponse("/qualification", status_code=303)

    def page(request: Request, actor: Actor, *, form: JudgingForm | None = None, fault: str = "") -> Response:
        with writing(engine) as connection:
            enter(connection, actor.name, now=clock())
        task = next_of_set(engine, actor.name, settings, now=clock())
        with engine.connect() as connection:
            standing = standing_of(connection, actor.name, settings)
        answers = {} if task is None else {"left": render_answer(task.left), "right": render_answer(task.right)}
        return site.page(
            request,
            actor,
            "qualification.html",
            status_code=422 if fault else 200,
            standing=standing,
            task=task,
            answers=answers,
            form=form or JudgingForm(),
            labels=CHOICE_LABELS,
            pass_share=settings.pass_share,
            statement=STATEMENT,
            ways=site.guard.signing_ways(request) if settings.sign_qualifications else None,
            max_reason_chars=MAX_REASON_CHARS,
            fault=fault,
        )

    def feedback_page(request: Request, actor: Actor, feedback: Feedback) -> Response:
        known = feedback.known
        left, right = in_pair_order(known.first_acceptable, known.second_acceptable, swapped=feedback.swapped)
        with engine.connect() as connection:
            standing = standing_of(connection, actor.name, settings)
        return site.page(
            request,
            actor,
            "qualification_feedback.html",
            feedback=feedback,
            standing=standing,
            right_choice=CHOICE_LABELS[choice_of(known.verdict, swapped=feedback.swapped)],
            left=left,
            right=right,
        )
