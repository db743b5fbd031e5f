"""What decides a request: the bundle in force with the recheck that belongs to it, or why there is none.

A source answers from memory, on the event loop: it never reads a file, a registry or a store while a request waits.
`FixedBundles` never changes; `gateway.bundles.live_bundles` follows aliases and the stop switch.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

from gateway.bundles.rechecks import NoRecheck
from gateway.certified import RoutingBundle
from gateway.model_names import domains_of
from verifiers.assembling import Recheck

Arm = Literal["champion", "canary"]


class Deciding(NamedTuple):
    """A bundle and the recheck of its weak answers; without a bundle the strong model answers, and `fault` says why.

    The recheck stands without a bundle too: it judges answers of a weak model that was asked by its own name.
    """

    bundle: RoutingBundle | None
    recheck: Recheck
    fault: str | None = None
    arm: Arm = "champion"

    @property
    def recheck_fault(self) -> str | None:
        """Why there is no recheck yet: what must be rechecked goes to the strong model at once, with this reason."""
        return next((check.fault for check in self.recheck.checks if isinstance(check, NoRecheck)), None)


class DecidingSource(Protocol):
    """Where the loop finds what decides."""

    @property
    def routers(self) -> tuple[str, ...]:
        """The names that work in `router-NAME-0.3`; the first decides `auto`."""
        ...

    @property
    def domains(self) -> tuple[str, ...]:
        """The names that work in `auto:DOMAIN`."""
        ...

    def deciding(self, router: str | None, domain: str | None, *, lot: float) -> Deciding:
        """What decides a request.

        Args:
            router: the name in `router-NAME-0.3`; None: the first.
            domain: the request's; None: not known.
            lot: the conversation's place in [0, 1), the same for each of its turns; a canary takes the lowest ones.
        """
        ...

    def shadow(self, domain: str | None) -> RoutingBundle | None:
        """The bundle that scores this request without deciding it; None: none does."""
        ...

    def stopped(self, domain: str | None) -> bool:
        """Whether the stop switch keeps all weak answers of the domain back."""
        ...


class FixedBundles:
    """Bundles that stay as they are; None stands for one that could not be loaded."""

    def __init__(
        self, routers: Mapping[str, RoutingBundle | None], recheck: Recheck | None = None, domains: Sequence[str] = ()
    ) -> None:
        self._bundles, self._recheck = dict(routers), recheck or Recheck()
        first = next(iter(self._bundles.values()), None)
        strata = domains_of(list(first.thresholds)) if first is not None else ()
        self.routers = tuple(self._bundles)
        self.domains = tuple(dict.fromkeys((*strata, *domains)))

    def deciding(self, router: str | None, domain: str | None, *, lot: float) -> Deciding:
        """The bundle of that name, or the first one."""
        name = router or next(iter(self._bundles), None)
        bundle = self._bundles.get(name) if name is not None else None
        return Deciding(bundle, self._recheck, None if bundle is not None else "bundle_missing")

    def shadow(self, domain: str | None) -> RoutingBundle | None:
        """None: nothing scores beside what decides."""
        return None

    def stopped(self, domain: str | None) -> bool:
        """Never."""
        return False
