"""Settings of the threshold by budget: how much may go to the strong model where nothing is promised about harm."""

from typing import Literal, Self

from pydantic import Field, model_validator

from core.settings_section import Settings


class ThresholdSettings(Settings):
    """Which queries go to the strong model: those whose probability is at least the threshold."""

    share_strong: float = Field(0.3, ge=0, le=1)
    """Largest share of calls that may go to the strong model on the calibration rows: a budget, not a promise."""
    preset: Literal["faq", "code", "creative"] | None = None
    """A rule of thumb in place of `share_strong` (docs/assurance.md says what each does not promise)."""
    usd_per_day: float | None = Field(None, gt=0)
    """Largest cost a day, at the rows' mean costs, in place of `share_strong`; needs `queries_per_day`."""
    queries_per_day: int | None = Field(None, ge=1)
    """Queries a day."""
    quality_floor: float | None = Field(None, ge=0, le=1)
    """Least mean quality of answers on the calibration rows, in place of `share_strong`: an estimate, no promise."""

    @model_validator(mode="after")
    def _is_one_budget(self) -> Self:
        given = [name for name in ("preset", "usd_per_day", "quality_floor") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} each set the threshold; keep one")
        if self.usd_per_day is not None and self.queries_per_day is None:
            raise ValueError("usd_per_day needs queries_per_day")
        return self
