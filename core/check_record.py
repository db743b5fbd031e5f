"""What stays on record of one check of the recheck: names, numbers and hashes, never a text of the answer."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Number = Annotated[float, Field(allow_inf_nan=False)]


class CheckRecord(BaseModel):
    """One check's outcome, why, on what evidence, and what it took. A cost of None is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: Annotated[str, Field(max_length=64)]
    outcome: Annotated[str, Field(max_length=20)]
    reason: Annotated[str, Field(max_length=64)]
    evidence: Mapping[str, Annotated[str, Field(max_length=64)] | int | Number | bool] = {}
    suspicion: Number | None = None
    calls: int = 0
    cost_usd: Number | None = 0.0
    elapsed_ms: Number | None = None
