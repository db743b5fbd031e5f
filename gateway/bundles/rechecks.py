"""The recheck that belongs to each bundle, made beside the event loop: reading a pack's code sets takes seconds.

Until the first one is made, what must be rechecked goes to the strong model (`recheck_loading`); the gateway serves
meanwhile.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from core.errors import PreceptorError
from gateway.certified import RoutingBundle
from gateway.own_thread import in_own_thread
from verifiers.assembling import Recheck
from verifiers.case import Case
from verifiers.chain import CheckOutcome, CheckResult, Price

LOG = logging.getLogger("preceptor.gateway")

Make = Callable[[RoutingBundle | None], Recheck]
"""Makes the recheck of a bundle's weak answers; of None: of a model that was asked by its own name."""


class NoRecheck:
    """Stands where a recheck is not there: passes nothing."""

    id = "gateway.recheck"
    price = Price.FREE

    def __init__(self, fault: str) -> None:
        self.fault = fault

    def judge(self, case: Case) -> CheckResult:
        """Cannot decide, with the reason why nothing can be rechecked."""
        return CheckResult(check=self.id, outcome=CheckOutcome.CANNOT_DECIDE, reason=self.fault)


class Rechecks:
    """One recheck a bundle. The slow part is the same for all and is read once, when `start` is called.

    `fault` says why there is none yet: `recheck_loading`, or `recheck_not_loaded` where the settings' own cannot be
    made; None once it is there.
    """

    def __init__(self, make: Make) -> None:
        self._make = make
        self._made: dict[int, Recheck] = {}
        self._bundles: dict[int, RoutingBundle] = {}
        self._first: asyncio.Task[None] | None = None
        self.fault: str | None = "recheck_loading"

    @classmethod
    def ready(cls, recheck: Recheck) -> "Rechecks":
        """One recheck for every bundle, which is there already."""
        made = cls(lambda _: recheck)
        made._made[id(None)], made.fault = recheck, None
        return made

    def of(self, bundle: RoutingBundle | None) -> Recheck:
        """The recheck of a bundle's weak answers; where it is not there, one that passes nothing (`NoRecheck`)."""
        return self._made.get(id(bundle)) or Recheck((NoRecheck(self.fault or "recheck_not_loaded"),))

    async def start(self) -> None:
        """Begin to make the first one."""
        if self.fault is not None and self._first is None:
            self._first = asyncio.create_task(self._make_first(), name="recheck")

    async def prepare(self, bundle: RoutingBundle) -> None:
        """Make the recheck of a bundle before it decides; before the first one is there, it follows that one."""
        self._bundles[id(bundle)] = bundle
        if self.fault is None:
            await self._add(bundle)

    def forget(self, bundle: RoutingBundle) -> None:
        """Drop the recheck of a bundle that decides no longer."""
        self._bundles.pop(id(bundle), None)
        self._made.pop(id(bundle), None)

    async def aclose(self) -> None:
        """Stop making them."""
        if self._first is not None:
            self._first.cancel()
            await asyncio.gather(self._first, return_exceptions=True)

    async def _make_first(self) -> None:
        await self._add(None)
        if id(None) not in self._made:
            self.fault = "recheck_not_loaded"
            return
        while missing := [one for key, one in self._bundles.items() if key not in self._made]:
            await self._add(missing[0])
            if id(missing[0]) not in self._made:
                self._bundles.pop(id(missing[0]), None)
        self.fault = None

    async def _add(self, bundle: RoutingBundle | None) -> None:
        try:
            made = await in_own_thread(partial(self._make, bundle), name="recheck")
        except Exception as error:  # noqa: BLE001 - without a recheck, what needs one goes to the strong model
            sentence = str(error) if isinstance(error, PreceptorError) else "not one of ours"
            LOG.error("The recheck was not made (%s: %s). Strong answers stand in.", type(error).__name__, sentence)
            return
        if bundle is None or id(bundle) in self._bundles:
            self._made[id(bundle)] = made
