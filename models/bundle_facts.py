"""What a bundle says of itself: the facts that decide, and the papers that travel along. No files, no weights."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import AwareDatetime, Field, field_validator

from core.calibrator import Calibrator
from core.records import Record
from models.encoders import EncoderSpec
from models.seen import SeenTexts

HIGHEST_THRESHOLD = math.nextafter(1.0, 2.0)
"""No probability reaches it: the stratum always goes to the weak model."""


class BundleFacts(Record):
    """What bundle.json says. A threshold of None sends its stratum to the strong model, always."""

    name: str = Field(min_length=1)
    family: str = "mf"
    """Kind of router: a name of `models.families`."""
    weak: str = Field(min_length=1)
    strong: str = Field(min_length=1)
    encoder: EncoderSpec | None
    """What turns texts into vectors; None for a router that reads the text itself."""
    encoder_sha256: str | None = Field(pattern="^[0-9a-f]{64}$")
    calibrator: Calibrator = Calibrator()
    thresholds: Mapping[str, float | None]
    status: Literal["not_certified", "certified"] = "not_certified"
    settings_fingerprint: str
    data_fingerprint: str
    base_sha256: str | None = None
    """Manifest hash of the bundle that this one was adapted from."""
    created_at: AwareDatetime

    @field_validator("thresholds")
    @classmethod
    def _thresholds_decide(cls, thresholds: Mapping[str, float | None]) -> Mapping[str, float | None]:
        if "default" not in thresholds:
            raise ValueError("thresholds need a 'default' (null sends every other stratum to the strong model)")
        for stratum, threshold in thresholds.items():
            if threshold is not None and not 0.0 <= threshold <= HIGHEST_THRESHOLD:
                raise ValueError(f"the threshold of '{stratum}' is {threshold}, outside [0, 1]")
        return thresholds

    @field_validator("calibrator")
    @classmethod
    def _calibrator_is_finite(cls, calibrator: Calibrator) -> Calibrator:
        if not all(map(math.isfinite, calibrator.numbers())):
            raise ValueError("the calibrator holds a number that is not finite")
        return calibrator


@dataclass(frozen=True)
class Papers:
    """What travels with a bundle and is read by people and by other rooms."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    card: str = ""
    certificate: Mapping[str, Any] | None = None
    verifier: Mapping[str, Any] | None = None
    evidence: Mapping[str, Any] | None = None
    """What the run measured on unseen rows; the promotion gates read it."""
    seen: SeenTexts | None = None
    """Keyed hashes of the questions that it was trained and calibrated on."""
