"""The queue screen: how far each stream is, what the next labels are worth, and the two drawings, for leads."""

from typing import Annotated

from fastapi import Depends, Form, Request, Response

from core.access import Act, Actor
from core.errors import AccessDenied, PreceptorError
from labeling.queueing.meter import read_meter
from labeling.queueing.selecting import Drawing, select_active, select_audit
from labeling.queueing.selecting import Request as Wanted
from labeling.screens.room import Site

LARGEST_SEED = 2**31
LARGEST_DRAW = 100_000


def add_queue_screen(site: Site) -> None:
    """Add `/queue`."""
    viewer = Depends(site.guard.may(Act.SELECT_QUEUE))
    sender = Depends(site.guard.may_sending(Act.SELECT_QUEUE))

    def page(request: Request, actor: Actor, *, drawing: Drawing | None = None, fault: str = "") -> Response:
        with site.engine.connect() as connection:
            meter = read_meter(connection)
        status = 422 if fault else 200
        return site.page(request, actor, "queue.html", status_code=status, meter=meter, drawing=drawing, fault=fault)

    @site.app.get("/queue")
    def show(request: Request, actor: Annotated[Actor, viewer]) -> Response:
        return page(request, actor)

    @site.app.post("/queue")
    def draw(
        request: Request,
        actor: Annotated[Actor, sender],
        stream: Annotated[str, Form()] = "",
        n: Annotated[str, Form()] = "",
        seed: Annotated[str, Form()] = "",
    ) -> Response:
        try:
            wanted = Wanted(
                _number(n, "The number of items", largest=LARGEST_DRAW, least=1),
                _number(seed, "The seed", largest=LARGEST_SEED, least=0),
                wanted=site.settings.overlap_audit if stream == "audit" else None,
            )
            draw_stream = {"audit": select_audit, "active": select_active}.get(stream)
            if draw_stream is None:
                raise PreceptorError("No stream is chosen. Use one of the two forms of this page.")
            drawing = draw_stream(site.engine, wanted, actor=actor, now=site.clock())
        except AccessDenied:
            raise
        except PreceptorError as error:
            return page(request, actor, fault=str(error))
        return page(request, actor, drawing=drawing)


def _number(text: str, name: str, *, least: int, largest: int) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 12 or not least <= int(text) <= largest:
        raise PreceptorError(f"{name} is '{text[:20]}'. Give a whole number from {least} to {largest}.")
    return int(text)
