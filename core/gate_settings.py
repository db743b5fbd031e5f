"""Settings of the gates: what a version must show to be promoted. Fixed before training, and recorded by their hash."""

from pydantic import Field

from core.settings_section import Settings


class GateSettings(Settings):
    """Limits of the promotion gates. Edited after training, they no longer fit the version, which is then refused."""

    min_slice_rows: int = Field(30, ge=2)
    """Strata with fewer test rows are named: no figure of theirs is shown to mean anything."""
    stratum_margin: float = Field(0.05, ge=0, le=1)
    """No stratum may be measurably worse than the base router by more than this much APGR."""
    calibration_p: float = Field(0.01, gt=0, lt=1)
    """The calibration error must be one that a perfectly calibrated router shows with at least this probability."""
    min_agreement: float | None = Field(None, ge=-1, le=1)
    """Lowest agreement (Krippendorff's alpha) of the experts behind the labels; unset: shown, and decides nothing."""
