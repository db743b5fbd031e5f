"""An expert's own pages: today's judgements, which may still be changed, and the keys of the judging screen."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from core.access import Act, Actor
from core.errors import AccessDenied, PreceptorError
from core.store import writing
from labeling.judging.ballots import MAX_REASON_CHARS, Choice
from labeling.judging.keys import ACTIONS, Keys, chosen_keys, keys_of, save_keys
from labeling.judging.own_work import judged_today, reopen
from labeling.judging.revealing import reveal
from labeling.queueing.experts import enter
from labeling.screens.room import Site

CHOICE_LABELS: Mapping[Choice, str] = {
    Choice.LEFT_BETTER: "Left is better",
    Choice.RIGHT_BETTER: "Right is better",
    Choice.BOTH_ACCEPTABLE: "Both acceptable",
    Choice.NEITHER_ACCEPTABLE: "Neither acceptable",
    Choice.CANNOT_JUDGE: "Cannot judge",
}


def add_own_pages(site: Site) -> None:
    """Add `/mine` and `/keys`."""
    app, engine, clock = site.app, site.engine, site.clock
    expert = Depends(site.guard.may(Act.JUDGE))
    sender = Depends(site.guard.may_sending(Act.JUDGE))

    def mine_page(request: Request, actor: Actor, *, fault: str = "") -> Response:
        with engine.connect() as connection:
            judged = judged_today(connection, actor.name, now=clock())
        said = reveal(engine, [one.id for one in judged], expert=actor.name, now=clock())
        return site.page(
            request,
            actor,
            "mine.html",
            status_code=422 if fault else 200,
            judged=judged,
            said=said,
            labels=CHOICE_LABELS,
            fault=fault,
            max_reason_chars=MAX_REASON_CHARS,
        )

    def keys_page(request: Request, actor: Actor, keys: Keys, *, fault: str = "", notice: str = "") -> Response:
        status = 422 if fault else 200
        context = {"keys": keys, "key_names": ACTIONS, "fault": fault, "notice": notice}
        return site.page(request, actor, "keys.html", status_code=status, **context)

    @app.get("/mine")
    def mine(request: Request, actor: Annotated[Actor, expert]) -> Response:
        return mine_page(request, actor)

    @app.post("/mine")
    def change(
        request: Request,
        actor: Annotated[Actor, sender],
        judgement: Annotated[str, Form()] = "",
        reason: Annotated[str, Form()] = "",
    ) -> Response:
        try:
            reopen(engine, judgement, expert=actor.name, reason=reason, now=clock())
        except AccessDenied:
            raise
        except PreceptorError as error:
            return mine_page(request, actor, fault=str(error))
        return RedirectResponse("/judge?after=reopened", status_code=303)

    @app.get("/keys")
    def show_keys(request: Request, actor: Annotated[Actor, expert]) -> Response:
        with engine.connect() as connection:
            keys = keys_of(connection, actor.name)
        notice = "Saved. These keys act from the next pair on." if "saved" in request.query_params else ""
        return keys_page(request, actor, keys, notice=notice)

    @app.post("/keys")
    async def set_keys(request: Request, actor: Annotated[Actor, sender]) -> Response:
        fields = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
        given = {} if "reset" in fields else {name: fields.get(name, "") for name in ACTIONS}
        is_on = "is_on" in fields
        try:
            keys = chosen_keys(given, is_on=is_on)
        except PreceptorError as error:
            shown = Keys(is_on, {name: given.get(name) or key for name, (key, _) in ACTIONS.items()})
            return keys_page(request, actor, shown, fault=str(error))
        with writing(engine) as connection:
            enter(connection, actor.name, now=clock())
            save_keys(connection, actor.name, keys)
        return RedirectResponse("/keys?saved=1", status_code=303)
