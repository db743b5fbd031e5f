"""What every screen of the labeling room stands on: the app, its templates, the store, who is signed in, the rules."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from fastapi import FastAPI, Request, Response
from fastapi.templating import Jinja2Templates

from core.access import Act, Actor, refusal
from core.labeling_settings import LabelingSettings
from labeling.judging.ballots import JudgingRules
from labeling.queueing.dealing import OfferRules
from web.sign_in import Guard, signed_in_context

NAVIGATION = (
    ("/judge", "Judge", Act.JUDGE),
    ("/progress", "Progress", Act.VIEW_PROGRESS),
    ("/guideline", "Guideline", Act.VIEW_PROGRESS),
    ("/adjudicate", "Adjudicate", Act.ADJUDICATE),
    ("/quality", "Quality", Act.VIEW_QUALITY),
    ("/queue", "Queue", Act.SELECT_QUEUE),
    ("/import", "Import", Act.IMPORT_ITEMS),
    ("/clearance", "Clearance", Act.CLEAR_PHI),
    ("/versions", "Versions", Act.FREEZE),
    ("/log", "Log", Act.VIEW_LEDGER),
    ("/people", "People", Act.VIEW_PEOPLE),
)
"""Paths of the header's links, their names, and the act that a person must be allowed to see them."""


@dataclass(frozen=True)
class Site:
    """One labeling app."""

    app: FastAPI
    pages: Jinja2Templates
    engine: sa.Engine
    guard: Guard
    clock: Callable[[], datetime]
    settings: LabelingSettings

    @property
    def offer_rules(self) -> OfferRules:
        """How pairs are dealt out."""
        return OfferRules(
            lease=timedelta(minutes=self.settings.lease_minutes),
            gold_rate=self.settings.gold_rate,
            repeat_rate=self.settings.repeat_rate,
            repeat_after=timedelta(days=self.settings.repeat_after_days),
        )

    @property
    def judging_rules(self) -> JudgingRules:
        """What a ballot may and must say."""
        return JudgingRules(
            reason_required=self.settings.reason_required,
            reason_codes=self.settings.reason_codes,
            mark_categories=self.settings.mark_categories,
        )

    def page(
        self, request: Request, actor: Actor, template: str, *, status_code: int = 200, **context: object
    ) -> Response:
        """A page of a signed-in person, with the links that their roles open."""
        shown = {
            **signed_in_context(request, actor.name),
            "navigation": tuple((path, label) for path, label, act in NAVIGATION if refusal(act, actor) is None),
            **context,
        }
        return self.pages.TemplateResponse(request, template, shown, status_code=status_code)
