"""Settings of the labeling room: what is judged, by how many, under which rules."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from core.data_classes import DataClass as DataClass
from core.settings_section import Settings


class LabelingSettings(Settings):
    """How experts judge. Every value is a default of `preceptor label`, too, where no YAML is given."""

    intended_use: str = "Comparing two models' answers, to train and certify a router."
    """What the judgements are for, shown on the datasheet."""
    data_class: DataClass = "deidentified"
    """The kind of texts that are imported. `limited` and `identified` are never exported to other tools' forms."""
    datasets_folder: Path = Path("datasets")
    """Folder of the frozen versions that the page *Versions* writes; `preceptor label freeze` has `--folder`."""
    max_upload_mb: int = Field(200, ge=1)
    """Largest file that the import page takes, in megabytes; `preceptor label import` takes any."""
    overlap_high_stakes: int = Field(2, ge=1, le=9)
    """Experts who judge each high-stakes pair."""
    overlap_low_stakes: float = Field(1.3, ge=1, le=9)
    """Experts who judge each other pair, on average: 1.3 has three pairs in ten judged twice."""
    overlap_audit: int = Field(2, ge=1, le=9)
    """Experts who judge each pair of the random audit stream."""
    lease_minutes: float = Field(60.0, gt=0)
    """A pair that was opened and left for this long is offered to others too."""
    gold_rate: float = Field(0.05, ge=0, le=0.5)
    """Share of pairs with a known answer, mixed in unseen, where such pairs exist."""
    repeat_rate: float = Field(0.03, ge=0, le=0.5)
    """Share of an expert's own earlier pairs that come back with the sides swapped."""
    repeat_after_days: float = Field(7.0, ge=0)
    """Days before a pair may come back."""
    reason_required: Literal["never", "high_stakes", "always"] = "high_stakes"
    """When a better-or-worse verdict, or *neither*, needs a reason: a code or a text. *Cannot judge* always does."""
    reason_codes: tuple[str, ...] = (
        "wrong code",
        "missing specificity",
        "unsupported",
        "outdated rule",
        "incomplete",
        "unsafe",
        "style",
    )
    """Reasons that an expert can tick."""
    mark_categories: tuple[str, ...] = ("wrong", "unsupported", "missing", "outdated", "unsafe", "unclear")
    """Kinds of error that a sentence can be marked with."""
    guideline_required: bool = True
    """Where a guideline is published, an expert acknowledges its latest version before the next pair."""
    qualification_required: bool = False
    """Whether an expert must pass the qualification set before judging."""
    pass_share: float = Field(0.8, gt=0, le=1)
    """Share of the qualification set that must be right."""
    qualification_tries: int = Field(3, ge=1)
    """How often an expert may hand in the qualification set."""
    sign_qualifications: bool = False
    """Whether handing in the qualification set takes an electronic signature."""
    sign_adjudications: bool = False
    """Whether a ruling on a pair takes an electronic signature."""
    idle_seconds: float = Field(60.0, gt=0)
    """A pause longer than this without a key or a move does not count as time at work."""
    daily_goal: int = Field(60, ge=1)
    """Pairs that an expert is shown as a day's work: two to four hours at two to four minutes a pair."""
