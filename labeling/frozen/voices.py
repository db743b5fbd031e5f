"""Who speaks for a pair in an export: every expert for themselves, or all of them together as one voice.

| | each expert | together |
|---|---|---|
| verdict | as given | that of more than half of those who could judge, or the ruling's; else none |
| acceptable | `Judgement.qualities` | mean over experts above a half, or the ruling's; a half says nothing |
| strength | as given | mean over the experts of that verdict, where all of them gave one |
| share | 1 | share of experts behind the commonest verdict; 1 for a ruling |
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from core.records import Judgement, Mark, Verdict
from labeling.frozen.dataset import Dataset, JudgedPair
from labeling.quality.consensus import consensus_of
from labeling.quality.rulings import Ruling

TOGETHER = "consensus"
"""Who is named where all experts speak as one."""


@dataclass(frozen=True)
class Voice:
    """One verdict on a pair, in canonical order."""

    id: str
    judged: JudgedPair
    who: str
    """A pseudonym, `consensus`, or `ruling`."""
    verdict: Verdict | None
    first_quality: float | None
    second_quality: float | None
    strength: float | None
    share: float
    n_experts: int
    at: float
    """Seconds since 1970, of the judgement or the last of them."""
    active_ms: int | None = None
    reason: str = ""
    reason_codes: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()

    @property
    def acceptable(self) -> tuple[bool | None, bool | None]:
        """Whether the first and the second answer are acceptable; None where a half says neither."""
        return _acceptable(self.first_quality), _acceptable(self.second_quality)


def voices_of(dataset: Dataset, *, per_rater: bool) -> list[Voice]:
    """All voices in order of pair, then of judgement; together, pairs that nobody could judge have none."""
    by_pair, ruling_of = dataset.judgements_by_pair(), dataset.ruling_by_pair()
    if per_rater:
        return [_of_one(judged, one) for judged in dataset.pairs for one in by_pair.get(judged.pair.id, [])]
    together = (_of_all(one, by_pair.get(one.pair.id, []), ruling_of.get(one.pair.id)) for one in dataset.pairs)
    return [voice for voice in together if voice is not None]


def _of_one(judged: JudgedPair, judgement: Judgement) -> Voice:
    first, second = judgement.qualities or (None, None)
    return Voice(
        id=judgement.id,
        judged=judged,
        who=judgement.expert,
        verdict=judgement.verdict,
        first_quality=first,
        second_quality=second,
        strength=judgement.strength,
        share=1.0,
        n_experts=1,
        at=judgement.at.timestamp(),
        active_ms=judgement.active_ms,
        reason=judgement.reason,
        reason_codes=judgement.reason_codes,
        marks=judgement.marks,
    )


def _of_all(judged: JudgedPair, judgements: Sequence[Judgement], ruling: Ruling | None) -> Voice | None:
    joint = consensus_of(judgements)
    final = None if ruling is None else ruling.qualities
    if ruling is not None and final is None:
        return None
    if ruling is None and joint is None:
        return None
    verdict = ruling.verdict if ruling is not None else joint.verdict if joint is not None else None
    first, second = final if final is not None else (joint.first_quality, joint.second_quality) if joint else (0.0, 0.0)
    strengths = [one.strength for one in judgements if one.verdict is verdict]
    given = [strength for strength in strengths if strength is not None]
    return Voice(
        id=judged.pair.id,
        judged=judged,
        who=TOGETHER if ruling is None else "ruling",
        verdict=verdict,
        first_quality=first,
        second_quality=second,
        strength=fmean(given) if given and len(given) == len(strengths) else None,
        share=1.0 if ruling is not None or joint is None else joint.share,
        n_experts=0 if joint is None else joint.n_experts,
        at=max((one.at.timestamp() for one in judgements), default=0.0),
        reason="" if ruling is None else ruling.reason,
    )


def _acceptable(quality: float | None) -> bool | None:
    return None if quality is None or quality == 0.5 else quality > 0.5
