"""Bundles that follow the registry: what decides changes while requests run, and no request sees half a change.

A request takes what decides it once (`deciding`) and keeps it to its end; a swap is one assignment. New bundles are
loaded, checked and warmed up beside the event loop. What cannot decide sends its requests to the strong model, with a
reason; see docs/gateway/bundles.md for which and when.

Never imports the registry's library, never trusts a cache: the bundle's own hashes are checked at each load.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

from gateway.bundles.admission import Admitted, Admitting
from gateway.bundles.pointers import Located
from gateway.bundles.rechecks import Rechecks
from gateway.bundles.references import References
from gateway.bundles.slots import Report, Slot, report_of
from gateway.bundles.switch_state import SwitchState
from gateway.certified import RoutingBundle, standing_of
from gateway.deciding import Deciding
from gateway.model_names import domains_of
from gateway.own_thread import in_own_thread
from gateway.pointer_watch import PointerWatch

LOG = logging.getLogger("preceptor.gateway")

GRACE_S = 1.0
"""How long the version before decides on while the one that an alias moved to is fetched and loaded."""
RETRY_S = (1.0, 2.0, 5.0, 15.0, 30.0)
"""Seconds before a bundle that was not loaded is tried again; the last one for ever."""


class Following(NamedTuple):
    """What `LiveBundles` follows, and how often it looks."""

    references: References
    pointer_file: Path | None = None
    """What `gateway.bundles.watching` writes; None where no reference is of the registry."""
    watch_s: float = 0.5
    grace_s: float = GRACE_S
    retry_s: Sequence[float] = RETRY_S
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)


class LiveBundles:
    """The source of what decides (`gateway.deciding.DecidingSource`) for one process.

    Args:
        router: the name in `router-NAME-0.3`.
        following: references, and where the watcher says to what they lead.
        admission: who says whether a bundle may decide.
        rechecks: the recheck that belongs to each bundle.
        switch: the stop switch; None: there is none.
        domains: names for `auto:DOMAIN` beside those of the bundles.
    """

    def __init__(
        self,
        router: str,
        *,
        following: Following,
        admission: Admitting,
        rechecks: Rechecks,
        switch: SwitchState | None = None,
        domains: Sequence[str] = (),
    ) -> None:
        self._following, self._references = following, following.references
        self._admission, self._rechecks, self._switch = admission, rechecks, switch
        self._slots = {one: Slot(one, fault="bundle_loading") for one in self._references.all}
        self._wanted = {one: Located(folder=one) for one in self._references.all if one not in self._references.watched}
        self._moved_at: dict[str, float] = {}
        self._retry_at: dict[str, tuple[float, int]] = {}
        self._watch = PointerWatch(following.pointer_file, self._references.watched)
        self._said_soon: dict[str, datetime] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._settled = asyncio.Event()
        self.routers = (router,)
        self.domains = tuple(dict.fromkeys((*self._references.by_domain, *domains)))

    # What a request asks

    def deciding(self, router: str | None, domain: str | None, *, lot: float) -> Deciding:
        """The bundle of the domain, of the canary's share, or the champion; with the recheck that belongs to it.

        A canary that cannot decide leaves its share to the champion, which is approved for it.
        """
        references, slots = self._references, self._slots
        own = references.by_domain.get(domain) if domain is not None else None
        if own is None and references.canary is not None and lot < references.canary_share:
            canary = slots[references.canary]
            if canary.bundle is not None and standing_of(canary.bundle, now=self._following.clock()).fault is None:
                return Deciding(canary.bundle, self._rechecks.of(canary.bundle), arm="canary")
        slot = slots[own or references.champion]
        if router is not None and router not in self.routers:
            slot = Slot(slot.reference, fault="bundle_missing")
        return Deciding(slot.bundle, self._rechecks.of(slot.bundle), slot.fault)

    def shadow(self, domain: str | None) -> RoutingBundle | None:
        """The bundle that scores beside; None where there is none, or it is not loaded."""
        return None if self._references.shadow is None else self._slots[self._references.shadow].bundle

    def stopped(self, domain: str | None) -> bool:
        """Whether the stop switch keeps the domain's weak answers back."""
        return self._switch is not None and self._switch.is_stopped(domain)

    @property
    def is_all_stopped(self) -> bool:
        """Whether the stop switch keeps all weak answers back, of whatever domain."""
        return self._switch is not None and self._switch.stops_all

    # How it lives

    async def start(self) -> None:
        """Begin to load and to follow; returns once the stop switch was read."""
        if self._switch is not None:
            await self._switch.start()
        await self._rechecks.start()
        self._tasks = [asyncio.create_task(self._follow(), name="bundles")]

    async def ready(self, *, timeout_s: float = 4.0) -> bool:
        """Wait until everything that may decide was loaded or refused; False where that takes longer.

        Until then the strong model answers, with the reason `bundle_loading`.
        """
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._settled.wait(), timeout_s)
        return self._settled.is_set()

    async def aclose(self) -> None:
        """Stop following. What decides stays as it is."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        await self._rechecks.aclose()
        if self._switch is not None:
            await self._switch.aclose()

    def reports(self) -> tuple[Report, ...]:
        """What stands where: for /health/ready, the metrics and the log. Names, hashes and slugs alone."""
        now = self._following.clock()
        return tuple(
            report_of(self._slots[one], self._references.parts_of(one), now=now) for one in self._references.all
        )

    def warnings(self) -> tuple[str, ...]:
        """What an operator should see: stops, a registry or a watcher that is away, a recheck that is not there."""
        said = [] if self._switch is None else list(self._switch.warnings())
        said.extend(self._watch.warnings())
        if self._rechecks.fault is not None:
            said.append(f"The recheck is not there ({self._rechecks.fault}).")
        return tuple(said)

    # How it follows

    async def _follow(self) -> None:
        loads: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                try:
                    for reference, located in (await self._watch.look()).items():
                        self._take_note(reference, located)
                    self._see_to(loads)
                    self._say_what_ends_soon()
                except Exception as error:  # noqa: BLE001 - following must go on
                    LOG.error("Following what decides broke (%s); it goes on.", type(error).__name__)
                await asyncio.sleep(self._following.watch_s)
        finally:
            for task in loads.values():
                task.cancel()
            await asyncio.gather(*loads.values(), return_exceptions=True)

    def _see_to(self, loads: "dict[str, asyncio.Task[None]]") -> None:
        """Begin to load what is to be loaded, and end what has waited for too long."""
        for reference in self._references.all:
            task = loads.get(reference)
            if (task is None or task.done()) and self._is_to_load(reference):
                loads[reference] = asyncio.create_task(self._load(reference), name=f"load {reference}")
            else:
                self._end_grace(reference)
        self._note_settled()

    def _take_note(self, reference: str, located: Located) -> None:
        """What a reference leads to now; where it leads nowhere, its bundle decides no longer."""
        before = self._wanted.get(reference)
        if before == located:
            return
        self._wanted[reference] = located
        self._retry_at.pop(reference, None)
        if before is None or before.sha256 != located.sha256 or before.fault != located.fault:
            self._moved_at[reference] = time.monotonic()
        if located.fault is not None:
            self._refuse(reference, located.fault, located.sentence)

    def _is_to_load(self, reference: str) -> bool:
        located, slot = self._wanted.get(reference), self._slots[reference]
        if located is None or located.fault is not None or located.folder is None:
            return False
        if slot.bundle is not None and (located.sha256 is None or slot.bundle.sha256 == located.sha256):
            return False
        retry_at, _ = self._retry_at.get(reference, (0.0, 0))
        return time.monotonic() >= retry_at

    async def _load(self, reference: str) -> None:
        """Load what the reference leads to, and let it decide if it still leads there."""
        located = self._wanted[reference]
        try:
            admitted = await self._admitted(reference, located)
            if admitted.bundle is not None:
                await self._rechecks.prepare(admitted.bundle)
        except Exception as error:  # noqa: BLE001 - what broke must not decide
            admitted = Admitted(None, "bundle_not_loaded", f"Loading it broke ({type(error).__name__}).")
        now_wanted = self._wanted[reference]
        if (now_wanted.sha256, now_wanted.fault) != (located.sha256, None):
            self._forget_unless_held(admitted.bundle)  # it moved on meanwhile
            return
        if admitted.bundle is None:
            tries = self._retry_at.get(reference, (0.0, 0))[1]
            pause_s = self._following.retry_s[min(tries, len(self._following.retry_s) - 1)]
            self._retry_at[reference] = (time.monotonic() + pause_s, tries + 1)
            self._refuse(reference, admitted.fault or "bundle_not_loaded", admitted.sentence)
        else:
            self._retry_at.pop(reference, None)
            self._put(Slot(reference, admitted.bundle, version=located.version))
            parts, sha256 = ", ".join(self._references.parts_of(reference)), admitted.bundle.sha256[:12]
            LOG.warning("%s is now the bundle %s (%s).%s", reference, sha256, parts, f" {admitted.sentence}".rstrip())
        self._note_settled()

    async def _admitted(self, reference: str, located: Located) -> Admitted:
        assert located.folder is not None, "only what is there is loaded"
        beside = {slot.bundle.sha256: slot.bundle for slot in self._slots.values() if slot.bundle is not None}
        if located.sha256 in beside:
            return Admitted(beside[located.sha256])
        where, now = Path(located.folder), self._following.clock()
        admit = partial(self._admission.admit, where, sha256=located.sha256, now=now, beside=tuple(beside.values()))
        return await in_own_thread(admit, name=f"load {reference}")

    def _end_grace(self, reference: str) -> None:
        """Let a version that an alias has left decide no longer, where the next one takes too long."""
        located, slot = self._wanted.get(reference), self._slots[reference]
        if located is None or slot.bundle is None or located.sha256 in (None, slot.bundle.sha256):
            return
        if time.monotonic() - self._moved_at.get(reference, 0.0) >= self._following.grace_s:
            self._refuse(reference, "bundle_loading", "The version that it moved to is not loaded yet.")

    def _refuse(self, reference: str, fault: str, sentence: str) -> None:
        before = self._slots[reference]
        if before.bundle is None and before.fault == fault:
            return
        self._put(Slot(reference, fault=fault, sentence=sentence))
        what = (
            "the champion decides in its place" if reference == self._references.canary else "the strong model answers"
        )
        parts = ", ".join(self._references.parts_of(reference))
        LOG.error("%s (%s) cannot decide: %s. %s Until then %s.", reference, parts, fault, sentence, what)

    def _put(self, slot: Slot) -> None:
        before = self._slots[slot.reference].bundle
        self._slots = {**self._slots, slot.reference: slot}
        if slot.bundle is not None:  # a name that worked once keeps working, whatever fails later
            self.domains = tuple(dict.fromkeys((*self.domains, *domains_of(list(slot.bundle.thresholds)))))
        self._forget_unless_held(before)

    def _forget_unless_held(self, bundle: RoutingBundle | None) -> None:
        if bundle is not None and all(one.bundle is not bundle for one in self._slots.values()):
            self._rechecks.forget(bundle)

    def _say_what_ends_soon(self) -> None:
        """Once a day for each certificate."""
        now = self._following.clock()
        for report in self.reports():
            said_at = self._said_soon.get(report.reference)
            if report.ends_soon and (said_at is None or now - said_at >= timedelta(days=1)):
                self._said_soon[report.reference] = now
                at = f"{report.certificate_ends:%Y-%m-%d %H:%M} UTC"
                LOG.warning("The certificate of %s ends on %s; certify and promote before.", report.reference, at)

    def _note_settled(self) -> None:
        if all(self._slots[one].fault != "bundle_loading" for one in self._references.deciding):
            self._settled.set()
