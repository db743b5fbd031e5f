"""Settings of the report: the user's volume, and what the rows cannot show about cost. Assumptions, shown as such."""

from pydantic import Field

from core.settings_section import Settings


class ReportSettings(Settings):
    """What the report needs to speak of money. Unset, costs are given for 1,000 queries."""

    queries_per_day: int | None = Field(None, ge=1)
    """Queries a day, for which the saving is stated; unset means `threshold.queries_per_day`, where that is given."""
    retried_share: float = Field(0.0, ge=0, le=1)
    """Share of calls that are paid twice since the first failed; an assumption, which the report states."""
    escalated_share: float = Field(0.0, ge=0, le=1)
    """Share of weak answers that fail the recheck and go to the strong model as well; an assumption until measured."""
    recheck_usd: float = Field(0.0, ge=0)
    """Cost of rechecking one weak answer, in US dollars; deterministic checks cost nothing."""
    judged_share: float = Field(0.0, ge=0, le=1)
    """Share of queries whose answers a judge model reads for monitoring."""
    judge_usd: float = Field(0.0, ge=0)
    """Cost of one such reading, in US dollars."""
