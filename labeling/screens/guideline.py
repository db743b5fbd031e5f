"""The guideline screen: what is in force, what changed, who proposes what; reading it is acknowledged here."""

from typing import Annotated

from fastapi import Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from core.access import Act, Actor, Facts, refusal
from core.errors import AccessDenied, PreceptorError
from core.store import writing
from labeling.judging.rendering import render_markdown
from labeling.quality.changes import changed_lines
from labeling.quality.guideline import (
    MAX_CHANGE_CHARS,
    Draft,
    Guideline,
    Proposal,
    acknowledge,
    approve,
    decline,
    has_acknowledged,
    open_proposals,
    propose,
    versions,
)
from labeling.queueing.experts import enter
from labeling.screens.room import Site

NOTICES = {
    "proposed": "Proposed. Someone else has to approve it before it is in force.",
    "approved": "In force from now on. Experts are asked to read it before their next pair.",
    "declined": "Declined.",
}


def add_guideline_screen(site: Site) -> None:
    """Add `/guideline` and what its forms send."""
    app, engine, clock = site.app, site.engine, site.clock
    reader = Depends(site.guard.may(Act.VIEW_PROGRESS))
    expert = Depends(site.guard.may_sending(Act.JUDGE))
    author = Depends(site.guard.may_sending(Act.PUBLISH_GUIDELINE))
    sender = Depends(site.guard.actor_sending)

    @app.get("/guideline")
    def guideline(
        request: Request, actor: Annotated[Actor, reader], version: int | None = None, after: str = ""
    ) -> Response:
        return page(request, actor, version=version, notice=NOTICES.get(after, ""))

    @app.post("/guideline/acknowledge")
    def read(actor: Annotated[Actor, expert], version: Annotated[int, Form()]) -> Response:
        with writing(engine) as connection:
            enter(connection, actor.name, now=clock())
        acknowledge(engine, version, expert=actor.name, now=clock())
        return RedirectResponse("/judge", status_code=303)

    @app.post("/guideline/propose")
    def suggest(
        request: Request,
        actor: Annotated[Actor, author],
        text: Annotated[str, Form()] = "",
        change: Annotated[str, Form()] = "",
    ) -> Response:
        try:
            propose(engine, Draft(text, change), by=actor, now=clock())
        except AccessDenied:
            raise
        except PreceptorError as error:
            return page(request, actor, fault=str(error), draft=Draft(text, change))
        return RedirectResponse("/guideline?after=proposed", status_code=303)

    @app.post("/guideline/decide")
    def decide(
        actor: Annotated[Actor, sender], proposal: Annotated[str, Form()] = "", decision: Annotated[str, Form()] = ""
    ) -> Response:
        if decision == "approve":
            approve(engine, proposal, by=actor, now=clock())
            return RedirectResponse("/guideline?after=approved", status_code=303)
        decline(engine, proposal, by=actor, now=clock())
        return RedirectResponse("/guideline?after=declined", status_code=303)

    def page(
        request: Request,
        actor: Actor,
        *,
        version: int | None = None,
        notice: str = "",
        fault: str = "",
        draft: Draft | None = None,
    ) -> Response:
        with engine.connect() as connection:
            known = versions(connection)
            proposals = open_proposals(connection)
            must_read = (
                bool(known) and refusal(Act.JUDGE, actor) is None and not has_acknowledged(connection, actor.name)
            )
        shown = next((one for one in known if one.version == version), known[0] if known else None)
        before = next((one for one in known if shown is not None and one.version == shown.version - 1), None)
        return site.page(
            request,
            actor,
            "guideline.html",
            status_code=422 if fault else 200,
            shown=shown,
            text=render_markdown(shown.text) if shown else "",
            is_current=shown is not None and shown.version == known[0].version,
            changes=changed_lines(before.text, shown.text) if before and shown else (),
            versions=known,
            must_read=must_read,
            proposals=[_shown(one, known[0] if known else None, actor) for one in proposals],
            may_propose=refusal(Act.PUBLISH_GUIDELINE, actor) is None,
            draft=draft or Draft(known[0].text if known else "", ""),
            max_change=MAX_CHANGE_CHARS,
            fault=fault,
            notice=notice,
        )


def _shown(proposal: Proposal, current: Guideline | None, actor: Actor) -> dict[str, object]:
    """A proposal beside what is in force, and what this person may do with it."""
    may_approve = refusal(Act.APPROVE_GUIDELINE, actor, Facts(authors=(proposal.written_by,))) is None
    return {
        "proposal": proposal,
        "changes": changed_lines(current.text if current else "", proposal.text),
        "is_current": proposal.builds_on == (current.version if current else 0),
        "may_approve": may_approve,
        "may_decline": may_approve or actor.name == proposal.written_by,
    }
