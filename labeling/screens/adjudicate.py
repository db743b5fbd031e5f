"""The adjudication screen: pairs on which experts differ, and one pair with all votes, blind, for the last word."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import Depends, Form, Request, Response
from fastapi.responses import RedirectResponse
from markupsafe import Markup

from core.access import Act, Actor
from core.errors import AccessDenied, PreceptorError
from labeling.judging.ballots import MAX_REASON_CHARS, Choice
from labeling.judging.flags import FLAG_LABELS
from labeling.judging.rendering import RenderedAnswer, render_answer
from labeling.quality.adjudicating import Finding, adjudicate
from labeling.quality.cases import Case, SideMark, case_of, offered_items
from labeling.quality.disagreements import disagreements
from labeling.quality.rulings import ErrorClass
from labeling.screens.own_pages import CHOICE_LABELS
from labeling.screens.room import Site

SHOWN = 200
"""Pairs on the list."""

REASON_LABELS = {"conflict": "experts differ", "cannot_judge": "someone could not judge", "flag": "flagged"}
CLASS_LABELS = {
    ErrorClass.AMBIGUOUS: "The question is ambiguous",
    ErrorClass.GUIDELINE_GAP: "The guideline does not cover it",
    ErrorClass.SLIP: "Someone slipped",
    ErrorClass.TRUE_DIFFERENCE: "Experts truly differ",
}
STRENGTHS = {1: "slightly", 2: "clearly", 3: "much"}


class RulingForm:
    """The fields of the form; a refused one is shown again with them, but for password and code."""

    def __init__(
        self,
        edition: Annotated[int, Form()] = -1,
        verdict: Annotated[str, Form()] = "",
        left_acceptable: Annotated[str, Form()] = "",
        right_acceptable: Annotated[str, Form()] = "",
        reason: Annotated[str, Form()] = "",
        error_class: Annotated[str, Form()] = "",
    ) -> None:
        self.edition, self.verdict, self.reason, self.error_class = edition, verdict, reason, error_class
        self.left_acceptable, self.right_acceptable = left_acceptable, right_acceptable

    def finding(self, pair_id: str) -> Finding:
        """What the form says.

        Raises:
            PreceptorError: a part is missing.
        """
        if self.verdict not in set(Choice):
            raise PreceptorError("No verdict is chosen yet. Choose one of the five.")
        if self.error_class not in set(ErrorClass):
            raise PreceptorError("Why experts did not agree is not chosen yet. Choose one of the four.")
        marks = {"yes": True, "no": False}
        return Finding(
            pair_id,
            self.edition,
            Choice(self.verdict),
            marks.get(self.left_acceptable),
            marks.get(self.right_acceptable),
            self.reason,
            ErrorClass(self.error_class),
        )


def add_adjudicate_screen(site: Site) -> None:
    """Add `/adjudicate` and `/adjudicate/PAIR`."""
    app, engine, settings = site.app, site.engine, site.settings
    senior = Depends(site.guard.may(Act.ADJUDICATE))
    sender = Depends(site.guard.may_sending(Act.ADJUDICATE))

    @app.get("/adjudicate")
    def waiting(request: Request, actor: Annotated[Actor, senior], after: str = "") -> Response:
        with engine.connect() as connection:
            found = disagreements(connection)
            own = offered_items(connection, actor.name)
        mine = [one for one in found if one.item_id not in own]
        return site.page(
            request,
            actor,
            "adjudicate.html",
            waiting=mine[:SHOWN],
            n_mine=len(mine),
            n_judged_by_me=len(found) - len(mine),
            by_reason=Counter(reason for one in found for reason in one.reasons),
            reasons=REASON_LABELS,
            notice="The ruling is noted." if after == "ruled" else "",
        )

    @app.get("/adjudicate/{pair_id}")
    def pair(request: Request, actor: Annotated[Actor, senior], pair_id: str) -> Response:
        return page(request, actor, pair_id)

    @app.post("/adjudicate/{pair_id}")
    def rule(
        request: Request,
        actor: Annotated[Actor, sender],
        pair_id: str,
        form: Annotated[RulingForm, Depends(RulingForm)],
        sign_password: Annotated[str, Form()] = "",
        sign_code: Annotated[str, Form()] = "",
    ) -> Response:
        try:
            finding = form.finding(pair_id)
            method = None
            if settings.sign_adjudications:
                method = site.guard.prove_again(request, sign_password, sign_code)
            adjudicate(engine, finding, actor=actor, signing_method=method, now=site.clock())
        except AccessDenied as refused:
            return page(request, actor, pair_id, form=form, fault=str(refused), status=403)
        except PreceptorError as error:
            return page(request, actor, pair_id, form=form, fault=str(error), status=422)
        return RedirectResponse("/adjudicate?after=ruled", status_code=303)

    def page(
        request: Request,
        actor: Actor,
        pair_id: str,
        *,
        form: RulingForm | None = None,
        fault: str = "",
        status: int = 200,
    ) -> Response:
        with engine.connect() as connection:
            case = case_of(connection, pair_id, actor=actor)
        return site.page(
            request,
            actor,
            "adjudicate_pair.html",
            status_code=status,
            case=case,
            answers={side: _with_marks(render_answer(text), case, side) for side, text in _sides(case).items()},
            marks={side: [mark for mark in case.marks if mark.side == side] for side in ("left", "right")},
            form=form or RulingForm(),
            labels=CHOICE_LABELS,
            strengths=STRENGTHS,
            flag_labels=FLAG_LABELS,
            class_labels=CLASS_LABELS,
            max_reason_chars=MAX_REASON_CHARS,
            ways=site.guard.signing_ways(request) if settings.sign_adjudications else None,
            fault=fault,
        )


def _sides(case: Case) -> Mapping[str, str]:
    return {"left": case.left, "right": case.right}


def _with_marks(answer: RenderedAnswer, case: Case, side: str) -> Markup:
    """The answer with every marked sentence underlined, and who marked it as what beside it."""
    by_sentence: dict[int, list[SideMark]] = defaultdict(list)
    for mark in case.marks:
        if mark.side == side:
            by_sentence[mark.sentence].append(mark)
    html = str(answer.html)
    for sentence, marks in by_sentence.items():
        html = _overlaid(html, sentence, marks)
    return Markup(html)  # rendered and cleaned before; what was added is escaped


def _overlaid(html: str, sentence: int, marks: Sequence[SideMark]) -> str:
    said = Markup.escape("; ".join(f"{mark.letter}: {mark.category}, {mark.severity}" for mark in marks))
    for kind in ("sentence", "sentence whole"):
        html = html.replace(
            f'class="{kind}" data-sentence="{sentence}"',
            f'class="{kind} marked" data-mark="{said}" data-sentence="{sentence}"',
        )
    return html
