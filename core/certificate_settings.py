"""Settings of the certificate: what is promised about harm, per stakes and per stratum. Holds no evidence."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from core.settings_section import Settings

MaxHarm = Annotated[float, Field(gt=0, lt=1)]
"""A share of queries in (0, 1)."""


class CertificateSettings(Settings):
    """What is promised. In force where `split.certify` leaves rows to show it on."""

    loss: Literal["harm", "net", "graded"] = "harm"
    """What is limited: `harm` (a wrong weak answer left where the strong one was right), `net` (the same less the
    answers where the weak model alone was right; harm may exceed it), or `graded` (how much better the strong was)."""
    max_harm_high: MaxHarm = 0.02
    """Largest mean loss in strata of high stakes, as a fraction. A stratum is high unless its name ends in another
    tier; those that end in `/critical` go to the strong model always."""
    max_harm_standard: MaxHarm = 0.05
    """The same for strata that end in `/standard`."""
    max_harm_low: MaxHarm | None = 0.05
    """The same for strata that end in `/low`; null: no promise there, they keep the budget of `threshold`."""
    max_harm: Mapping[str, MaxHarm | None] = {}
    """Strata with a limit of their own; null sends a stratum to the strong model always."""
    is_selective: bool = False
    """Whether the mean is over the weak answers that leave (what a regulator asks), not over all queries."""
    delta: float = Field(0.05, gt=0, lt=1)
    """Probability that any promise of the certificate is broken; strata and attempts share it."""
    attempts: int | None = Field(None, ge=1)
    """How often one may try on the same rows, declared beforehand: each trial spends delta / attempts, and later ones
    certify nothing. Unset: any number, the i-th at delta / (i (i + 1)), so the first at half of delta."""
    start_accept_rate: float = Field(0.2, gt=0, le=1)
    """Where the trial of a selective promise starts: at the threshold that lets this share of answers leave."""
    expires_days: int = Field(90, ge=1, le=366)
    """Days after which the certificate is void and every query goes to the strong model."""
