"""A router of one pair of models taken up for another: the same scores, under the names of the other pair."""

from dataclasses import replace

from models.mf_router import MfRouter
from models.router import Router
from models.stacked_router import StackedRouter


def for_pair(router: Router, weak: str, strong: str) -> Router:
    """The router as one of the pair (weak, strong).

    Families that hold no models' names give the same scores. A matrix factorization that knows a name already scores
    by what it knows; a name that it does not know stands in for the model of the pair that it was made for.
    """
    if isinstance(router, MfRouter):
        known = router.merged.with_stand_ins({weak: router.weak, strong: router.strong})
        return MfRouter(known, weak, strong)
    if isinstance(router, StackedRouter):
        return replace(router, members=tuple(for_pair(member, weak, strong) for member in router.members))
    return router
