"""The progress screen: how far the labeling is, and how far experts agree."""

from typing import Annotated

from fastapi import Depends, Request, Response

from core.access import Act, Actor
from labeling.quality.overview import overview
from labeling.screens.site import Site


def add_progress_screen(site: Site) -> None:
    """Add `/progress`."""
    viewer = Depends(site.guard.may(Act.VIEW_PROGRESS))

    @site.app.get("/progress")
    def progress(request: Request, actor: Annotated[Actor, viewer]) -> Response:
        with site.engine.connect() as connection:
            return site.page(request, actor, "progress.html", overview=overview(connection))
