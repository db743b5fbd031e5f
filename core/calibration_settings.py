"""Settings of the calibration: which map turns a router's score into a probability, and for whom. Fits none."""

from typing import Literal

from pydantic import Field

from core.settings_section import Settings


class CalibrationSettings(Settings):
    """How scores become probabilities, on rows that trained nothing."""

    method: Literal["auto", "platt", "beta", "isotonic"] = "auto"
    """The map. `auto`: Platt's below 200 labels, beta from there, and isotonic from 1,000 where it is clearly better on
    rows left out."""
    per_stratum: bool = True
    """Whether each stratum of at least 30 labels gets a map of its own, drawn toward the map of all by what chance
    alone would explain. Requests that name no domain take the map of all."""
    widest_interval: float | None = Field(None, gt=0, lt=1)
    """Width of the Venn-Abers interval of a probability above which a query goes to the strong model whatever the
    probability: the labels say too little there. Unset: it is shown in the report alone."""
