"""Which queries are the same or nearly the same as others, and whether a split could put them on both sides.

Keeps shingles, ids and groups; never a text.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import UInt64

from core.fingerprint import normalised_text, of_text
from labeling.content.near_duplicates import near_pairs, shingles_of
from labeling.content.reports import NearDuplicate


@dataclass
class _Text:
    """A query as normalised, and the items that hold it."""

    item: str
    """The first of them."""
    groups: set[str]
    is_new: bool
    in_audit: str | None = None
    """One of them that is in the audit stream."""
    outside_audit: str | None = None


@dataclass
class QueryOverlap:
    """Queries taken up one by one."""

    n_same: int = 0
    """New items whose query stood already under another id, but for case, blanks and signs."""
    _texts: dict[str, _Text] = field(default_factory=dict)
    _shingles: list[UInt64[np.ndarray, "_"]] = field(default_factory=list)

    def add(self, item: str, text: str, *, group: str | None, is_new: bool = False, is_in_audit: bool = False) -> None:
        """Take up the query of an item."""
        key = of_text(normalised_text(text))
        known = self._texts.get(key)
        if known is None:
            known = self._texts[key] = _Text(item, set(), is_new)
            self._shingles.append(shingles_of(text))
        elif is_new:
            self.n_same += 1
            known.is_new = True
        # A split keeps equal texts together, whatever their groups.
        known.groups.update({key} if group is None else {key, group})
        if is_in_audit:
            known.in_audit = known.in_audit or item
        else:
            known.outside_audit = known.outside_audit or item

    def near_duplicates(self) -> tuple[NearDuplicate, ...]:
        """Pairs of items that a split may part, at least one of them new: those across the audit stream first."""
        texts = list(self._texts.values())
        found = [
            NearDuplicate(one.in_audit, one.outside_audit, 1.0, crosses_audit=True)
            for one in texts
            if one.is_new and one.in_audit and one.outside_audit
        ]
        for pair in near_pairs(self._shingles):
            one, other = texts[pair.first], texts[pair.second]
            if not (one.is_new or other.is_new):
                continue
            crossing = _crossing(one, other)
            if crossing is not None:
                found.append(NearDuplicate(*crossing, pair.similarity, crosses_audit=True))
            elif one.groups.isdisjoint(other.groups):
                found.append(NearDuplicate(one.item, other.item, pair.similarity, crosses_audit=False))
        return tuple(sorted(found, key=_by_weight))


def _crossing(one: _Text, other: _Text) -> tuple[str, str] | None:
    """An item in the audit stream and one outside it."""
    if one.in_audit and other.outside_audit:
        return one.in_audit, other.outside_audit
    if other.in_audit and one.outside_audit:
        return other.in_audit, one.outside_audit
    return None


def _by_weight(near: NearDuplicate) -> tuple[bool, float, str, str]:
    return not near.crosses_audit, -near.similarity, near.first, near.second
