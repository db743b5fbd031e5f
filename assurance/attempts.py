"""What repeated attempts may spend: every look at the same rows takes its share of delta, and all together keep it.

Trying until something certifies breaks the promise in two studies of five (20 attempts at delta 5 %). Whether two
attempts looked at the same rows is told from hashes alone; no text is kept. Counts; records nothing.
"""

import hashlib
from collections.abc import Sequence

from core.records import Record

N_BUCKETS = 16
"""Groups of rows that are hashed each by itself: a few rows more or fewer change a few of them, never all."""


class Attempt(Record):
    """One trial: a hash of what was tried on which labels, and a hash per bucket of rows ("" where it is empty)."""

    tried: str
    buckets: tuple[str, ...]


def delta_of_attempt(delta: float, attempt: int, declared: int | None = None) -> float:
    """The level of the attempt with this number; all levels together sum to delta.

    Args:
        delta: what all attempts on the same rows may spend.
        attempt: its number, from 1.
        declared: how many attempts were declared beforehand: each spends as much, and those beyond have level 0.
            None: any number, the i-th at delta / (i (i + 1)).

    >>> [round(delta_of_attempt(0.05, i), 5) for i in (1, 2, 3)]
    [0.025, 0.00833, 0.00417]
    >>> [delta_of_attempt(0.05, i, 2) for i in (1, 2, 3)]
    [0.025, 0.025, 0.0]

    Raises:
        ValueError: attempts are counted from 1.
    """
    if attempt < 1:
        raise ValueError(f"Attempt {attempt} does not exist; they are counted from 1.")
    if declared is not None:
        return delta / declared if attempt <= declared else 0.0
    return delta / (attempt * (attempt + 1))


def bucket_hashes(keys: Sequence[str]) -> tuple[str, ...]:
    """A hash per bucket of the rows with these keys (such as a question's hash), in whatever order they come.

    >>> bucket_hashes(["a", "b"]) == bucket_hashes(["b", "a", "a"])
    True
    """
    members: list[list[str]] = [[] for _ in range(N_BUCKETS)]
    for key in sorted(set(keys)):
        members[hashlib.sha256(key.encode()).digest()[0] % N_BUCKETS].append(key)
    return tuple(hashlib.sha256("\n".join(inside).encode()).hexdigest()[:16] if inside else "" for inside in members)


def attempt_number(earlier: Sequence[Attempt], this: Attempt) -> int:
    """Which look at its rows this is. What was tried before, on the same rows, is the same look and keeps its number.

    Args:
        earlier: every attempt before, oldest first.
        this: the one to be counted.

    >>> first, second = (Attempt(tried=name, buckets=("a", "b")) for name in ("x", "y"))
    >>> attempt_number([first], second), attempt_number([first, second], first)
    (2, 1)
    """
    looks: list[str] = []
    for attempt in [*earlier, this]:
        if attempt.tried not in looks and _share_rows(attempt, this):
            looks.append(attempt.tried)
    return looks.index(this.tried) + 1


def _share_rows(one: Attempt, other: Attempt) -> bool:
    return any(bucket and bucket in other.buckets for bucket in one.buckets)
