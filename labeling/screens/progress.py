"""The progress screen: one's own counts and pace, and how far the labeling is and experts agree.

Who judges and may not see the quality page sees the figures of all experts as they were at midnight: figures that moved
with each vote would tell a check from work, and a vote like the others' from one unlike them.
"""

from typing import Annotated

from fastapi import Depends, Request, Response

from core.access import Act, Actor, refusal
from labeling.judging.own_work import own_pace
from labeling.quality.overview import overview
from labeling.quality.own_checks import own_known, own_repeats
from labeling.queueing.offering import progress_of
from labeling.screens.own_pages import CHOICE_LABELS
from labeling.screens.room import Site


def add_progress_screen(site: Site) -> None:
    """Add `/progress`."""
    viewer = Depends(site.guard.may(Act.VIEW_PROGRESS))

    @site.app.get("/progress")
    def progress(request: Request, actor: Annotated[Actor, viewer]) -> Response:
        now = site.clock()
        judges = refusal(Act.JUDGE, actor) is None
        sees_quality = refusal(Act.VIEW_QUALITY, actor) is None
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) if judges and not sees_quality else None
        with site.engine.connect() as connection:
            return site.page(
                request,
                actor,
                "progress.html",
                overview=overview(connection, before=midnight),
                until=midnight,
                pace=own_pace(connection, actor.name, now=now) if judges else None,
                known=own_known(connection, actor.name, now=now) if judges else None,
                repeats=own_repeats(connection, actor.name, now=now) if judges else None,
                mine=progress_of(connection, actor.name, rules=site.offer_rules, now=now) if judges else None,
                goal=site.settings.daily_goal,
                labels=CHOICE_LABELS,
                sees_names=sees_quality,
            )
