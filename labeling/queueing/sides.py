"""Which answer stands on the left: counterbalanced for each expert within each stratum, from a stored seed.

A position bias then cancels in the counts, and can be estimated from the stored sides.
"""

import random

BLOCK = 4
"""Of every four pairs that an expert sees in a stratum, two show the anchor answer on the left."""


def anchor_is_left(seed: int, stratum: str, turn: int) -> bool:
    """Whether the anchor answer (the strong one, where known) stands on the left at the expert's `turn`-th pair.

    Permuted blocks: each block of four is two of each, in an order drawn from (seed, stratum, block).

    >>> sum(anchor_is_left(7, "cardiology", turn) for turn in range(40))
    20
    """
    block, place = divmod(turn, BLOCK)
    order = [True, False] * (BLOCK // 2)
    random.Random(f"{seed}/{stratum}/{block}").shuffle(order)
    return order[place]


def is_swapped(*, anchor_left: bool, anchor_is_first: bool) -> bool:
    """Whether the pair's second answer is the one shown on the left.

    >>> is_swapped(anchor_left=True, anchor_is_first=False)
    True
    """
    return anchor_left != anchor_is_first
