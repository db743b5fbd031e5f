"""The labeling app: server-rendered screens on one store. Model names and costs never leave the server before a vote.

The pages work without JavaScript; small modules add the keyboard, drafts and marks.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from core.access import refusal
from core.access_settings import AccessSettings
from core.labeling_settings import LabelingSettings
from core.store import create_tables
from labeling.screens.adjudicate import add_adjudicate_screen
from labeling.screens.clearance import add_clearance_screen
from labeling.screens.guideline import add_guideline_screen
from labeling.screens.importing import add_import_screen
from labeling.screens.judge import add_judge_screen
from labeling.screens.log import add_log_screen
from labeling.screens.own_pages import add_own_pages
from labeling.screens.progress import add_progress_screen
from labeling.screens.qualification import add_qualification_screen
from labeling.screens.quality import add_quality_screen
from labeling.screens.queueing import add_queue_screen
from labeling.screens.room import NAVIGATION, Site
from labeling.screens.versions import add_versions_screen
from web.account import add_account_pages
from web.people_pages import add_people_pages
from web.sessions import SessionLimits
from web.shell import LOOPBACK_HOSTS, create_shell
from web.sign_in import Guard, add_sign_in

HERE = Path(__file__).parent

SCREENS: Sequence[Callable[[Site], None]] = (
    add_judge_screen,
    add_own_pages,
    add_progress_screen,
    add_versions_screen,
    add_log_screen,
    add_queue_screen,
    add_import_screen,
    add_clearance_screen,
    add_guideline_screen,
    add_qualification_screen,
    add_adjudicate_screen,
    add_quality_screen,
)
"""Each adds the pages of one screen."""


def create_app(
    engine: sa.Engine,
    *,
    settings: LabelingSettings = LabelingSettings(),  # noqa: B008 - frozen
    access: AccessSettings = AccessSettings(),  # noqa: B008 - frozen
    hosts: Sequence[str] = LOOPBACK_HOSTS,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> FastAPI:
    """The labeling app on a store.

    Args:
        engine: the store.
        settings: the rules of judging.
        access: how people sign in.
        hosts: host names under which it is reached.
        clock: tells the time.
    """
    create_tables(engine)
    app, pages = create_shell("Labeling", rooms={"labeling": HERE}, navigation=NAVIGATION, hosts=hosts)
    limits = SessionLimits(idle=timedelta(minutes=access.idle_minutes), lifetime=timedelta(hours=access.session_hours))
    guard = Guard(engine, clock, limits, require_totp=access.require_totp)
    site = Site(app, pages, engine, guard, clock, settings)
    add_sign_in(app, pages, guard, home="/", oidc=access.oidc)
    add_account_pages(app, pages, guard)
    add_people_pages(app, pages, guard)
    for add_screen in SCREENS:
        add_screen(site)

    @app.get("/")
    def start(request: Request) -> Response:
        actor = guard.actor(request)
        first = next((path for path, _, act in NAVIGATION if refusal(act, actor) is None), "/account")
        return RedirectResponse(first, status_code=303)

    return app
