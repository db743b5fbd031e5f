"""The judging form: what the browser sends, kept as it was entered, and the ballot it means."""

from typing import Self

from fastapi import Request
from pydantic import BaseModel, ConfigDict

from core.errors import PreceptorError
from labeling.judging.ballots import Ballot, Choice

MAX_ACTIVE_MS = 24 * 3600 * 1000
"""Longer times are not believed; they come from the browser."""

_MARKS = {"yes": True, "no": False}


class JudgingForm(BaseModel):
    """The fields of the form as texts; a refused form is shown again with them."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    assignment: str = ""
    revision: str = ""
    verdict: str = ""
    left_acceptable: str = ""
    right_acceptable: str = ""
    reason: str = ""
    active_ms: str = ""

    @classmethod
    async def of(cls, request: Request) -> Self:
        """The form that this request sends; uploaded files are passed over."""
        fields = await request.form()
        return cls.model_validate({name: value for name, value in fields.items() if isinstance(value, str)})

    def ballot(self) -> Ballot:
        """The ballot that the fields mean.

        Raises:
            PreceptorError: no verdict was chosen, or a field was not filled by our page.
        """
        if not self.verdict:
            raise PreceptorError("No verdict is chosen yet. Choose one of the five.")
        if self.verdict not in set(Choice) or not self.revision.isdecimal():
            raise PreceptorError("This form does not come from the judging page. Reload the page.")
        active_ms = int(self.active_ms) if self.active_ms.isdecimal() and len(self.active_ms) < 10 else None
        return Ballot(
            assignment_id=self.assignment,
            revision=int(self.revision),
            choice=Choice(self.verdict),
            left_acceptable=_MARKS.get(self.left_acceptable),
            right_acceptable=_MARKS.get(self.right_acceptable),
            # Browsers send line ends as CR LF; the text that was typed has LF.
            reason=self.reason.replace("\r\n", "\n"),
            active_ms=active_ms if active_ms is not None and active_ms <= MAX_ACTIVE_MS else None,
        )
