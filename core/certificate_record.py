"""The certificate as it travels: promises per stratum, the evidence, the hashes of what decides, and when it ends.

Written once by the pipeline; the bundle carries it, the gateway obeys it, the report shows it. Tests nothing itself.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from core.records import Name, Record, Share

FORMAT = "preceptor/certificate/1"
"""What the field `format` of a certificate says."""


class PromiseTerms(Record):
    """With probability at least 1 - delta, every certified stratum keeps its `max_loss`."""

    loss: Literal["harm", "net", "graded"]
    is_selective: bool
    delta: float = Field(gt=0, lt=1)


class StratumEvidence(Record):
    """What one stratum's rows showed. `threshold` is 0 (always strong) where it is not certified.

    `n` rows were tried at level `delta`, in attempt `attempt` on these rows; `n_accepted` weak answers leave, `harms`
    of them harmful (None for losses that are not counts); `upper` is the largest loss not ruled out.
    """

    stratum: Name
    max_loss: float | None = Field(gt=0, lt=1)
    """None: settings send the stratum to the strong model always."""
    is_certified: bool
    threshold: Share
    n: int = Field(ge=0)
    n_accepted: int = Field(ge=0)
    share_weak: Share
    harms: int | None
    mean_loss: float
    upper: float | None
    p_value: Share
    delta: float
    attempt: int | None
    """None: nothing was tried, since the rows do not allow it."""
    ledger_seq: int | None
    why: str
    is_rechecked: bool = False
    """Whether the answers that leave are those that also passed the recheck; the gateway must then make it."""
    tau: float | None = Field(default=None, ge=0, lt=1)
    """The suspicion above which an answer does not leave, as it was counted here; None: the classifier was off."""


class Certificate(Record):
    """The evidence for all promises of one bundle."""

    format: Literal["preceptor/certificate/1"] = "preceptor/certificate/1"
    promise: PromiseTerms
    strata: tuple[StratumEvidence, ...]
    budgets: Mapping[str, float] = {}
    """Strata of low stakes that keep a threshold by budget, without a promise."""
    path: str
    """The thresholds that were tried, in order, in words."""
    hashes: Mapping[str, str]
    """Of everything that decides, by name; the bundle refuses to load where one differs."""
    created_at: AwareDatetime
    expires_at: AwareDatetime
    voids: tuple[str, ...]
    """What ends the promise before it expires, in sentences."""

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        names = [one.stratum for one in self.strata]
        if len(set(names)) != len(names) or set(names) & set(self.budgets):
            raise ValueError("a stratum stands in the certificate twice")
        for one in self.strata:
            if one.is_certified != (one.threshold > 0):
                raise ValueError(f"stratum '{one.stratum}': certified means a threshold above 0, and only that")
            if one.is_certified and (one.max_loss is None or one.p_value > one.delta):
                raise ValueError(f"stratum '{one.stratum}': certified without a promise that its p-value supports")
        if self.expires_at <= self.created_at:
            raise ValueError("it expires before it was made")
        return self

    @property
    def is_certified(self) -> bool:
        """Whether at least one stratum keeps a promise."""
        return any(one.is_certified for one in self.strata)

    @property
    def thresholds(self) -> dict[str, float | None]:
        """What the bundle's thresholds must be: None (always strong) for the default and for what is not certified."""
        tried = {one.stratum: one.threshold if one.is_certified else None for one in self.strata}
        return {"default": None, **tried, **self.budgets}

    def has_expired(self, now: datetime) -> bool:
        """Whether the promise has ended."""
        return now >= self.expires_at
