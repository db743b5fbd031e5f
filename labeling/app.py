"""The judging screens: compare, progress. Server-rendered; model names, costs and answers' ids never leave the server.

The same pages work without JavaScript; the module `judge.js` adds the keyboard.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
from fastapi import Depends, FastAPI, Form, Request, Response
from fastapi.responses import RedirectResponse

from core.errors import AccessDenied, PreceptorError
from core.store import create_tables
from labeling.assigning import Task, last_judged, next_task, progress_of
from labeling.form import JudgingForm
from labeling.judging import MAX_REASON_CHARS, Receipt, retract, submit
from labeling.people import redeem
from labeling.progress import overview
from web.shell import LOOPBACK_HOSTS, create_shell
from web.sign_in import Guard, add_sign_in, signed_in_context

HERE = Path(__file__).parent

NOTICES = {
    Receipt.SAVED: "Saved.",
    Receipt.ALREADY_SAVED: "Already saved; it counts once.",
    Receipt.EARLIER_STANDS: "You had judged that pair before; the earlier verdict stands. Undo it to change it.",
    Receipt.OUT_OF_DATE: "That form was out of date and was not saved. Here is the pair again.",
    "undone": "Undone. Here is the pair again.",
}
"""What the page says after a form was sent, by the word in its address."""


def create_app(
    engine: sa.Engine,
    *,
    overlap: int = 1,
    hosts: Sequence[str] = LOOPBACK_HOSTS,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> FastAPI:
    """The labeling app on a store.

    Args:
        engine: the store.
        overlap: how many experts judge each pair.
        hosts: host names under which it is reached.
        clock: tells the time.
    """
    create_tables(engine)
    navigation = (("/judge", "Judge"), ("/progress", "Progress"))
    app, pages = create_shell("Labeling", rooms={"labeling": HERE}, navigation=navigation, hosts=hosts)
    guard = Guard(engine, clock)
    add_sign_in(app, pages, guard, redeem=lambda token: redeem(engine, token, now=clock()), home="/judge")
    person, sender = Depends(guard.person), Depends(guard.person_sending)

    def judge_page(
        request: Request, expert: str, *, task: Task | None, form: JudgingForm | None = None, fault: str = ""
    ) -> Response:
        with engine.connect() as connection:
            progress = progress_of(connection, expert, overlap=overlap, now=clock())
            context = {
                **signed_in_context(request, expert),
                "task": task,
                "progress": progress,
                "undoable": last_judged(connection, expert),
                "form": form or JudgingForm(),
                "fault": fault,
                "notice": "" if fault else NOTICES.get(request.query_params.get("after", ""), ""),
                "max_reason_chars": MAX_REASON_CHARS,
            }
        template = "judge.html" if task else "done.html"
        return pages.TemplateResponse(request, template, context, status_code=422 if fault else 200)

    @app.get("/")
    def start() -> Response:
        return RedirectResponse("/judge", status_code=303)

    @app.get("/judge")
    def show(request: Request, expert: Annotated[str, person]) -> Response:
        task = next_task(engine, expert, overlap=overlap, now=clock())
        return judge_page(request, expert, task=task)

    @app.post("/judge")
    def judge(
        request: Request, expert: Annotated[str, sender], form: Annotated[JudgingForm, Depends(JudgingForm.of)]
    ) -> Response:
        try:
            receipt = submit(engine, form.ballot(), expert=expert, now=clock())
        except AccessDenied:
            raise
        except PreceptorError as error:
            task = next_task(engine, expert, overlap=overlap, now=clock())
            if task is None or task.assignment_id != form.assignment:
                return RedirectResponse(f"/judge?after={Receipt.OUT_OF_DATE}", status_code=303)
            return judge_page(request, expert, task=task, form=form, fault=str(error))
        return RedirectResponse(f"/judge?after={receipt}", status_code=303)

    @app.post("/undo")
    def undo(expert: Annotated[str, sender], judgement: Annotated[str, Form()] = "") -> Response:
        retract(engine, judgement, expert=expert, now=clock())
        return RedirectResponse("/judge?after=undone", status_code=303)

    @app.get("/progress")
    def progress(request: Request, expert: Annotated[str, person]) -> Response:
        with engine.connect() as connection:
            context = {**signed_in_context(request, expert), "overview": overview(connection), "overlap": overlap}
        return pages.TemplateResponse(request, "progress.html", context)

    return app
