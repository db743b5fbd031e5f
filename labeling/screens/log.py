"""The log screen: what the ledger holds, filtered; whether its chain is intact; and the signed-off periodic review."""

from dataclasses import dataclass
from typing import Annotated

import sqlalchemy as sa
from fastapi import Depends, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from core.access import Act, Actor, refusal
from core.errors import LedgerError, PreceptorError
from core.ledger import EVENTS, Event, Ledger
from core.ledger_check import with_details
from labeling.screens.room import Site

PAGE = 100
"""Events on one page."""

LARGEST_SEQ = 2**31 - 1
"""The largest number that the column of an event's number holds."""


@dataclass(frozen=True)
class LogFilter:
    """Which events are shown: the newest first, up to and with event `before`."""

    action: str = ""
    subject: str = ""
    actor: str = ""
    before: int | None = None


def add_log_screen(site: Site) -> None:
    """Add `/log` and `/log/review`."""
    viewer = Depends(site.guard.may(Act.VIEW_LEDGER))
    reviewer = Depends(site.guard.may_sending(Act.REVIEW_LEDGER))

    @site.app.get("/log")
    def log(
        request: Request,
        actor: Annotated[Actor, viewer],
        wanted: Annotated[LogFilter, Depends(_filter_of)],
        check: str = "",
    ) -> Response:
        fault, n_checked = "", None
        if check:
            try:
                n_checked = Ledger(site.engine).verify()
            except LedgerError as error:
                fault = str(error)
        with site.engine.connect() as connection:
            events = shown_events(connection, wanted)
            actions = connection.execute(sa.select(EVENTS.c.action).distinct().order_by(EVENTS.c.action)).scalars()
            review = next(iter(shown_events(connection, LogFilter(action="log.review"), limit=1)), None)
            return site.page(
                request,
                actor,
                "log.html",
                events=events[:PAGE],
                older=events[PAGE].seq if len(events) > PAGE else None,
                wanted=wanted,
                actions=list(actions),
                fault=fault,
                n_checked=n_checked,
                review=review,
                may_review=refusal(Act.REVIEW_LEDGER, actor) is None,
            )

    @site.app.post("/log/review")
    def review(actor: Annotated[Actor, reviewer], remark: Annotated[str, Form()] = "") -> Response:
        if not remark.strip():
            raise PreceptorError("The review has no remark. Say in a sentence what was looked at and what was found.")
        n_events = Ledger(site.engine).verify()
        details: dict[str, str | int | bool | None] = {"events": n_events, "remark": remark.strip()[:400]}
        Ledger(site.engine).append(actor.name, "log.review", "ledger", details, now=site.clock())
        return RedirectResponse("/log", status_code=303)


def shown_events(connection: sa.Connection, wanted: LogFilter, *, limit: int = PAGE + 1) -> list[Event]:
    """The events that pass the filter, newest first, at most `limit`."""
    query = sa.select(EVENTS).order_by(EVENTS.c.seq.desc()).limit(limit)
    for column, value in ((EVENTS.c.action, wanted.action), (EVENTS.c.subject, wanted.subject)):
        if value:
            query = query.where(column == value)
    if wanted.actor:
        query = query.where(EVENTS.c.actor == wanted.actor)
    if wanted.before is not None:
        query = query.where(EVENTS.c.seq <= wanted.before)
    return [Event(**with_details(dict(row._mapping))) for row in connection.execute(query)]


def _filter_of(
    action: str = "",
    subject: str = "",
    actor: str = "",
    before: Annotated[int | None, Query(ge=1, le=LARGEST_SEQ)] = None,
) -> LogFilter:
    return LogFilter(action=action.strip(), subject=subject.strip(), actor=actor.strip(), before=before)
