"""Settings of the recheck: which checks, what raises the stakes, which models are asked, and what they may cost."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from core.model_settings import ModelSettings
from core.settings_section import Settings


class SuspicionSettings(Settings):
    """The classifier that is trained on (question, weak answer), and the threshold of its suspicion."""

    family: Literal["words", "combined", "bert"] | None = None
    """What reads question and answer: `words` TF-IDF, `combined` vectors, words and looks, `bert` a cross-encoder
    fine-tuned as `training` says. It learns from the train rows that hold the weak answer's text. Unset: none is
    trained."""
    pass_share: float = Field(0.8, gt=0, lt=1)
    """The threshold lets this share of the acceptable weak answers of the calibration rows pass."""
    path: Literal["fixed", "family"] = "fixed"
    """How a certificate takes the threshold: `fixed` as above, or of a declared `family` the one at which most weak
    answers leave: shares 0.6, 0.7, 0.8, 0.9 and off (0.95 at high stakes), each tried at a fifth of delta."""


class VerifierSettings(Settings):
    """The recheck of weak answers."""

    pack: str = "none"
    """Checks that run on a weak answer: a domain's name, or the path of a YAML like those in verifiers/domains.
    With `none` a high-stakes weak answer cannot be verified, so strong answers."""
    stakes: Literal["low", "standard", "high", "critical"] = "high"
    """Stakes of a request about which nothing else is known."""
    policy: Path | None = None
    """YAML of rules that raise the stakes, beside the pack's own (docs/stakes.md). Unset: the pack's alone."""
    suspicion: SuspicionSettings = SuspicionSettings()
    second: ModelSettings | None = None
    """A second cheap model whose answer is compared with the weak one's; unset: none is asked."""
    judge: ModelSettings | None = None
    """A model that grades the answer by a rubric, where suspicion is in between; unset: none is asked."""
    judge_from: float = Field(0.0, ge=0, le=1)
    """Suspicion from which the judge is asked: below it an answer passes without it. It takes a stack or a bundle that
    measures suspicion; with 0 the judge is always asked."""
    judge_proof: Path | None = None
    """What the judge has shown beside experts, as `preceptor measure` wrote it. Unset: at high stakes its *fine* lets
    nothing leave."""
    stack: Path | None = None
    """The stack of signals that weighs all doubts into one suspicion, as `preceptor measure --stack` fitted it; it adds
    the check `doubt.suspicion`. Unset: none."""
    stack_tau: float = Field(0.3, ge=0, le=1)
    """Suspicion of the stack up to which an answer passes."""
    n_samples: int = Field(0, ge=0, le=20)
    """How often the weak model is asked again, to see whether it agrees with itself; 0: not at all."""
    check_timeout_s: float = Field(2.0, gt=0)
    """Seconds for one check; a late one has not passed."""
    max_calls: int = Field(8, ge=0)
    """Model calls that the recheck of one answer may make; what would exceed them has not passed."""
    max_cost_usd: float = Field(0.05, ge=0)
    """What those calls may cost together."""
