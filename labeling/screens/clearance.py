"""The clearance screen: a steward sees what is held back, with what was found, and decides item by item.

Opening an item is an event in the ledger. Model names are not added to the texts; what a text says of its author stands
as written, so that the findings fit.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Self
from urllib.parse import urlencode

import sqlalchemy as sa
from fastapi import Depends, Request, Response
from fastapi.responses import RedirectResponse

from core.access import Act, Actor
from core.errors import AccessDenied, PreceptorError
from labeling.content.clearance import (
    MAX_REASON_CHARS,
    clear_item,
    exclude_item,
    findings_of,
    held_items,
    mask_item,
    view_held,
)
from labeling.phi.findings import LETTERS
from labeling.phi.masking import segments
from labeling.screens.room import Site

LISTED = 100
"""Items on the list; the rest follows as these are decided."""

DONE = {
    "mask": "Masked; the item is in the queue.",
    "clear": "Cleared as it is; the item is in the queue.",
    "exclude": "Left out for good.",
}
"""What the page says after a decision, by the word in its address."""


@dataclass(frozen=True)
class _Decision:
    """What the form of an item sends."""

    item: str = ""
    decision: str = ""
    listed: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()
    also: str = ""
    reason: str = ""

    @classmethod
    async def of(cls, request: Request) -> Self:
        """The form of a request."""
        sent = await request.form()
        many = {name: tuple(str(one) for one in sent.getlist(name)) for name in ("listed", "masked")}
        return cls(**{name: str(sent.get(name, "")) for name in ("item", "decision", "also", "reason")}, **many)  # type: ignore[arg-type]


_EMPTY = _Decision()


def add_clearance_screen(site: Site) -> None:
    """Add `/clearance` and `/clearance/item`."""
    app, engine, clock = site.app, site.engine, site.clock
    steward = Depends(site.guard.may(Act.CLEAR_PHI))
    sender = Depends(site.guard.may_sending(Act.CLEAR_PHI))

    def item_page(request: Request, actor: Actor, item: str, *, fault: str = "", form: _Decision = _EMPTY) -> Response:
        seen = view_held(engine, item, by=actor, now=clock())
        return site.page(
            request,
            actor,
            "clearance_item.html",
            status_code=422 if fault else 200,
            item=seen,
            texts=[(text, segments(text.text, text.findings)) for text in seen.texts],
            letters=LETTERS,
            fault=fault,
            form=form,
            max_reason_chars=MAX_REASON_CHARS,
            notice="" if fault else DONE.get(request.query_params.get("after", ""), ""),
        )

    @app.get("/clearance")
    def show(request: Request, actor: Annotated[Actor, steward]) -> Response:
        with engine.connect() as connection:
            held = held_items(connection)
            listed = [(item, findings_of(connection, item)) for item in held[:LISTED]]
        notice = DONE.get(request.query_params.get("after", ""), "")
        return site.page(request, actor, "clearance.html", listed=listed, n_held=len(held), notice=notice)

    @app.get("/clearance/item")
    def open_item(request: Request, actor: Annotated[Actor, steward], item: str = "") -> Response:
        return item_page(request, actor, item)

    @app.post("/clearance/item")
    def decide(
        request: Request, actor: Annotated[Actor, sender], form: Annotated[_Decision, Depends(_Decision.of)]
    ) -> Response:
        try:
            _carry_out(engine, form, by=actor, now=clock())
        except AccessDenied:
            raise
        except PreceptorError as error:
            return item_page(request, actor, form.item, fault=str(error), form=form)
        with engine.connect() as connection:
            left = held_items(connection)
        if not left:
            return RedirectResponse(f"/clearance?after={form.decision}", status_code=303)
        following = next((one for one in left if one > form.item), left[0])
        query = urlencode({"item": following, "after": form.decision})
        return RedirectResponse(f"/clearance/item?{query}", status_code=303)


def _carry_out(engine: sa.Engine, form: _Decision, *, by: Actor, now: datetime) -> None:
    if form.decision == "mask":
        kept = [_place(one) for one in form.listed if one not in form.masked]
        mask_item(engine, form.item, kept=kept, also=form.also.splitlines(), by=by, now=now)
    elif form.decision == "clear":
        clear_item(engine, form.item, reason=form.reason, by=by, now=now)
    elif form.decision == "exclude":
        exclude_item(engine, form.item, by=by, now=now)
    else:
        raise PreceptorError("No decision was chosen. Press one of the three buttons.")


def _place(listed: str) -> tuple[str, int]:
    """Part and start of a finding, as its checkbox names them."""
    part, _, start = listed.rpartition("@")
    if not start.isdecimal():
        raise PreceptorError("The marks do not come from this page. Open the item again.")
    return part, int(start)
