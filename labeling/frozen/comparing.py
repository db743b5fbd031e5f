"""What changed from one version to another: pairs added, removed and judged differently. Reads two versions alone."""

from collections.abc import Mapping
from dataclasses import dataclass

from labeling.frozen.dataset import Dataset


@dataclass(frozen=True)
class Difference:
    """Pair ids by what became of them, each tuple sorted."""

    before: str
    after: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    judged_differently: tuple[str, ...]
    """Another set of judgements, or another ruling."""
    moved: tuple[str, ...]
    """To or from the audit split."""
    text_changed: tuple[str, ...]
    n_unchanged: int

    def numbers(self) -> Mapping[str, int]:
        """How many pairs there are of each."""
        names = ("added", "removed", "judged_differently", "moved", "text_changed")
        return {**{name: len(getattr(self, name)) for name in names}, "unchanged": self.n_unchanged}


def difference(before: Dataset, after: Dataset) -> Difference:
    """What became of every pair of two versions; a pair may stand in several lists."""
    old, new = ({judged.pair.id: judged for judged in one.pairs} for one in (before, after))
    said_before, said_after = _said(before), _said(after)
    both = sorted(old.keys() & new.keys())
    judged = tuple(one for one in both if said_before[one] != said_after[one])
    moved = tuple(one for one in both if old[one].is_audit is not new[one].is_audit)
    rewritten = tuple(one for one in both if old[one].pair != new[one].pair)
    return Difference(
        before=before.reference,
        after=after.reference,
        added=tuple(sorted(new.keys() - old.keys())),
        removed=tuple(sorted(old.keys() - new.keys())),
        judged_differently=judged,
        moved=moved,
        text_changed=rewritten,
        n_unchanged=len(set(both) - {*judged, *moved, *rewritten}),
    )


def _said(dataset: Dataset) -> dict[str, tuple[frozenset[str], str | None]]:
    """Per pair, the ids of its judgements and of its ruling."""
    by_pair, ruling_of = dataset.judgements_by_pair(), dataset.ruling_by_pair()
    return {
        judged.pair.id: (
            frozenset(one.id for one in by_pair.get(judged.pair.id, [])),
            ruling_of[judged.pair.id].id if judged.pair.id in ruling_of else None,
        )
        for judged in dataset.pairs
    }
