"""From a judge's replies to one ruling a row: votes, both orders, and what is left undecided. Asks nobody.

Undecided is never a pass: a row on which replies could not be read, votes were split or the two orders disagree has no
quality, and is counted.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pipeline.judge_prompt import JudgeReply


class Why(StrEnum):
    """Why a row has a verdict, or none."""

    DECIDED = "decided"
    UNREADABLE = "unreadable"
    """Replies were not of the form asked for, and neither was what came on asking again."""
    SPLIT_VOTES = "split_votes"
    ORDERS_DISAGREE = "orders_disagree"
    UNANSWERED = "unanswered"
    """An endpoint gave no answer, or no reply."""


@dataclass(frozen=True)
class Said:
    """One reply, whatever the order was: who is better (`weak`, `strong`, `both`, `neither`), and who is acceptable."""

    better: str
    weak_acceptable: bool
    strong_acceptable: bool


@dataclass(frozen=True)
class Ruling:
    """What the judge says of a row in the end; `said` is None where it is not decided."""

    why: Why
    said: Said | None = None
    was_read_twice: bool = False
    """Both orders of two different answers brought a verdict, agreeing or not."""
    preferred_first_twice: bool = False
    preferred_second_twice: bool = False

    @property
    def is_harm(self) -> bool | None:
        """Whether the weak answer fails where the strong one does not; None where undecided."""
        return None if self.said is None else self.said.strong_acceptable and not self.said.weak_acceptable


UNANSWERED = Ruling(Why.UNANSWERED)


def said_by(reply: JudgeReply, *, weak_first: bool) -> Said:
    """A reply in terms of the two models."""
    names = ("weak", "strong") if weak_first else ("strong", "weak")
    better = {"first": names[0], "second": names[1]}.get(reply.verdict, reply.verdict)
    marks = {names[0]: reply.first_acceptable, names[1]: reply.second_acceptable}
    return Said(better, marks["weak"], marks["strong"])


def ruling_of(weak_first: Sequence[Said | None], strong_first: Sequence[Said | None]) -> Ruling:
    """The ruling from the votes of both orders; None stands for a reply that could not be read.

    >>> fine = Said("both", True, True)
    >>> ruling_of([fine], [fine]).why, ruling_of([fine], [None]).why, ruling_of([fine], [Said("weak", True, False)]).why
    (<Why.DECIDED: 'decided'>, <Why.UNREADABLE: 'unreadable'>, <Why.ORDERS_DISAGREE: 'orders_disagree'>)
    """
    one, other = _majority(weak_first), _majority(strong_first)
    if one is None or other is None:
        is_unread = any(vote is None for vote in (*weak_first, *strong_first))
        return Ruling(Why.UNREADABLE if is_unread else Why.SPLIT_VOTES)
    if one == other:
        return Ruling(Why.DECIDED, one, was_read_twice=True)
    better = (one.better, other.better)
    return Ruling(
        Why.ORDERS_DISAGREE,
        was_read_twice=True,
        preferred_first_twice=better == ("weak", "strong"),
        preferred_second_twice=better == ("strong", "weak"),
    )


def _majority(votes: Sequence[Said | None]) -> Said | None:
    """What more than half of all votes say, those that could not be read among them."""
    counted = Counter(vote for vote in votes if vote is not None)
    if not counted:
        return None
    said, n = counted.most_common(1)[0]
    return said if 2 * n > len(votes) else None
