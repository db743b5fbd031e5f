"""The split: rows that belong together never part, and the same rows always fall the same way.

Rows belong together when they share the normalised text or the group key; chains of such rows form one component.
A component falls by a hash of its smallest text, so adding rows elsewhere moves nothing.

| part | rows | used for |
|---|---|---|
| base | other domains | fitting the base router |
| base_test | other domains, 15 % | measuring the base router at home |
| train | target domains | adapting the router, fitting the floors |
| calibrate | target domains | calibration and threshold; never trained on |
| certify | target domains | showing that thresholds keep their promise; for nothing else |
| test | target domains | every reported figure |
| left_out | either | a target row without both models, or another domain's row tied to a target row |

Files named for the certificate alone give the part `certify`, and what is tied to their rows is left out.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from core.fingerprint import normalised_text

PARTS = ("base", "base_test", "train", "calibrate", "certify", "test", "left_out")

BASE_TEST_SHARE = 0.15


def components(texts: Sequence[str], groups: Sequence[str | None]) -> Int[np.ndarray, " n"]:
    """Per row, the smallest index of the rows it is tied to, by normalised text or by group key.

    >>> components(["a", "B.", "b", "c"], [None, "g", None, "g"]).tolist()
    [0, 1, 1, 1]
    """
    parent = list(range(len(texts)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[tuple[str, str], int] = {}
    for i, (text, group) in enumerate(zip(texts, groups, strict=True)):
        keys = [("text", normalised_text(text))] + ([("group", group)] if group else [])
        for key in keys:
            j = root(first.setdefault(key, i))
            k = root(i)
            parent[max(j, k)] = min(j, k)
    return np.array([root(i) for i in range(len(texts))], dtype=np.int64)


def assign_parts(
    component: Int[np.ndarray, " n"],
    texts: Sequence[str],
    is_target: Bool[np.ndarray, " n"],
    has_pair: Bool[np.ndarray, " n"],
    *,
    shares: tuple[float, ...],
    seed: int,
) -> tuple[str, ...]:
    """The part of each row (see the table above).

    Args:
        component: per row, the component it belongs to.
        texts: per row, its text; the smallest normalised text names the component.
        is_target: whether the row's domain is a target.
        has_pair: whether the row knows both models of the pair.
        shares: shares of the target's components for train, for calibrate, and for certify where there is a third.
        seed: changes the whole division.
    """
    members: dict[int, list[int]] = {}
    for i, key in enumerate(component):
        members.setdefault(int(key), []).append(i)
    parts = ["left_out"] * len(texts)
    ends = list(zip(("train", "calibrate", "certify"), np.cumsum(shares), strict=False))
    for rows in members.values():
        draw = _uniform(seed, min(normalised_text(texts[i]) for i in rows))
        target_part = next((name for name, end in ends if draw < end), "test")
        base_part = "base_test" if draw < BASE_TEST_SHARE else "base"
        tied_to_target = bool(is_target[rows].any())
        for i in rows:
            if is_target[i]:
                parts[i] = target_part if has_pair[i] else "left_out"
            elif not tied_to_target:
                parts[i] = base_part
    return tuple(parts)


def with_certify_rows(
    parts: Sequence[str],
    component: Int[np.ndarray, " n"],
    is_for_certify: Bool[np.ndarray, " n"],
    is_fit: Bool[np.ndarray, " n"],
) -> tuple[str, ...]:
    """The parts where some rows are for the certificate alone: nothing tied to them is used for anything else.

    Args:
        parts: what `assign_parts` says.
        component: per row, the component it belongs to.
        is_for_certify: rows of the files that are for the certificate alone.
        is_fit: whether a row may show a promise; such a row that may not is left out.

    >>> parts, component = ("train", "train", "test"), np.array([0, 0, 2])
    >>> with_certify_rows(parts, component, np.array([True, False, False]), np.array([True, True, True]))
    ('certify', 'left_out', 'test')
    """
    tied = np.isin(component, component[is_for_certify])
    certified = is_for_certify & is_fit
    return tuple("certify" if certified[i] else "left_out" if tied[i] else part for i, part in enumerate(parts))


def commonest_chance(chance: Float[np.ndarray, " n"], strata: Sequence[str]) -> Bool[np.ndarray, " n"]:
    """Which rows had the chance of being chosen that most rows of their stratum had; one not known counts as 1.

    Beside the rows of a random draw, a frozen version keeps for audit what is tied to them and was chosen otherwise.

    >>> commonest_chance(np.array([0.1, 0.1, np.nan, np.nan]), ["law", "law", "law", "tax"]).tolist()
    [True, True, False, True]
    """
    known, named = np.nan_to_num(chance, nan=1.0).round(9), np.array(strata)
    is_common = np.zeros(len(known), dtype=bool)
    for stratum in set(strata):
        values, counts = np.unique(known[named == stratum], return_counts=True)
        is_common |= (named == stratum) & (known == values[counts.argmax()])
    return is_common


def crossing_components(component: Int[np.ndarray, " n"], parts: Sequence[str]) -> int:
    """How many components have rows in more than one part, left_out aside. The leakage check: it must be 0."""
    seen: dict[int, set[str]] = {}
    for key, part in zip(component, parts, strict=True):
        if part != "left_out":
            seen.setdefault(int(key), set()).add(part)
    return sum(len(names) > 1 for names in seen.values())


def _uniform(seed: int, text: str) -> float:
    digest = hashlib.sha256(f"{seed}:{text}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
