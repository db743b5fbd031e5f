"""The judging form: what the browser sends, kept as it was entered, and the ballot it means."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any, Self

from fastapi import Request
from pydantic import BaseModel, ConfigDict

from core.errors import PreceptorError
from core.records import Judgement, Verdict
from labeling.judging.ballots import Ballot, Choice, Severity, SideMark, in_pair_order

MAX_TIME_MS = 24 * 3600 * 1000
"""Longer times are not believed; they come from the browser."""

MAX_MARKS = 200
"""Marks that one form may carry."""

_MARKS = {"yes": True, "no": False}
_WORDS = {True: "yes", False: "no", None: ""}


class JudgingForm(BaseModel):
    """The fields of the form as texts; a refused form, and a draft, is shown again with them.

    A mark is `side:sentence:severity:category`, such as `left:3:major:wrong`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    assignment: str = ""
    revision: str = ""
    guideline: str = ""
    edition: str = "0"
    verdict: str = ""
    strength: str = ""
    left_acceptable: str = ""
    right_acceptable: str = ""
    reason: str = ""
    reason_code: tuple[str, ...] = ()
    mark: tuple[str, ...] = ()
    active_ms: str = ""
    wall_ms: str = ""

    @classmethod
    async def of(cls, request: Request) -> Self:
        """The form that this request sends; uploaded files are passed over."""
        sent = await request.form()
        texts: dict[str, list[str]] = {}
        for name, value in sent.multi_items():
            if isinstance(value, str):
                texts.setdefault(name, []).append(value)
        return cls.of_fields(texts)

    @classmethod
    def of_fields(cls, fields: Mapping[str, Sequence[str]]) -> Self:
        """The form of these fields; without scripts, marks come as three lists a side."""
        marks = [*fields.get("mark", ())]
        for side in ("left", "right"):
            lists = (fields.get(f"{side}_{part}", ()) for part in ("sentence", "severity", "category"))
            for number, severity, category in zip_longest(*lists, fillvalue=""):
                if number.isdecimal() and len(number) < 6 and int(number) > 0:
                    marks.append(f"{side}:{int(number) - 1}:{severity}:{category}")
        many: dict[str, Any] = {"reason_code": tuple(fields.get("reason_code", ())), "mark": tuple(marks)}
        single = {name: fields[name][-1] for name in cls.model_fields if name in fields and name not in many}
        return cls(**single, **many)

    def ballot(self) -> Ballot:
        """The ballot that the fields mean.

        Raises:
            PreceptorError: no verdict was chosen, or a field was not filled by our page.
        """
        if not self.verdict:
            raise PreceptorError("No verdict is chosen yet. Choose one of the five.")
        known = self.verdict in set(Choice) and self.strength in ("", "1", "2", "3")
        if not known or not self.revision.isdecimal():
            raise PreceptorError("This form does not come from the judging page. Reload the page.")
        return Ballot(
            assignment_id=self.assignment,
            revision=int(self.revision),
            choice=Choice(self.verdict),
            left_acceptable=_MARKS.get(self.left_acceptable),
            right_acceptable=_MARKS.get(self.right_acceptable),
            strength=int(self.strength) if self.strength and self.is_preference else None,
            # Browsers send line ends as CR LF; the text that was typed has LF.
            reason=self.reason.replace("\r\n", "\n"),
            reason_codes=tuple(dict.fromkeys(self.reason_code)),
            marks=self.side_marks(),
            active_ms=_milliseconds(self.active_ms),
            wall_ms=_milliseconds(self.wall_ms),
            guideline_version=int(self.guideline) if self.guideline.isdecimal() and len(self.guideline) < 7 else None,
        )

    def side_marks(self) -> tuple[SideMark, ...]:
        """The marks, as they were set; a sentence marked twice keeps the last mark.

        Raises:
            PreceptorError: a mark was not made by our page.
        """
        marks: dict[tuple[str, int], SideMark] = {}
        if len(self.mark) > MAX_MARKS:
            raise PreceptorError(f"{len(self.mark)} sentences are marked. Mark at most {MAX_MARKS}, the worst ones.")
        for text in self.mark:
            side, _, rest = text.partition(":")
            number, _, rest = rest.partition(":")
            severity, _, category = rest.partition(":")
            if side not in ("left", "right") or not number.isdecimal() or len(number) > 5:
                raise PreceptorError("A mark does not come from the judging page. Reload the page.")
            if severity not in set(Severity) or not category:
                raise PreceptorError(
                    f"The mark on sentence {int(number) + 1} of the {side} answer lacks its kind or its severity. "
                    "Choose both, or clear the sentence number."
                )
            marks[side, int(number)] = SideMark(side, int(number), category, Severity(severity))
        return tuple(marks.values())

    @property
    def is_preference(self) -> bool:
        """Whether the verdict prefers one answer."""
        return self.verdict in (Choice.LEFT_BETTER, Choice.RIGHT_BETTER)


def form_of(judgement: Judgement) -> JudgingForm:
    """The form that would send this judgement again, by the sides its expert saw."""
    left, right = in_pair_order(judgement.first_acceptable, judgement.second_acceptable, swapped=judgement.swapped)
    return JudgingForm(
        verdict=choice_of(judgement.verdict, swapped=judgement.swapped),
        strength=str(judgement.strength or ""),
        left_acceptable=_WORDS[left],
        right_acceptable=_WORDS[right],
        reason=judgement.reason,
        reason_code=judgement.reason_codes,
        mark=tuple(
            f"{'left' if (mark.answer == 'first') != judgement.swapped else 'right'}"
            f":{mark.sentence}:{mark.severity}:{mark.category}"
            for mark in judgement.marks
        ),
        active_ms=str(judgement.active_ms if judgement.active_ms is not None else ""),
        wall_ms=str(judgement.wall_ms if judgement.wall_ms is not None else ""),
    )


def choice_of(verdict: str, *, swapped: bool) -> Choice:
    """A verdict in the pair's order as the choice of who saw the sides so.

    >>> choice_of("first_better", swapped=True)
    <Choice.RIGHT_BETTER: 'right_better'>
    """
    if verdict == Verdict.FIRST_BETTER:
        return Choice.RIGHT_BETTER if swapped else Choice.LEFT_BETTER
    if verdict == Verdict.SECOND_BETTER:
        return Choice.LEFT_BETTER if swapped else Choice.RIGHT_BETTER
    return Choice(verdict)


def _milliseconds(text: str) -> int | None:
    if not text.isdecimal() or len(text) > 9 or int(text) > MAX_TIME_MS:
        return None
    return int(text)
