"""Parts of a routing loop that do what they are told: raise, hang, or answer nonsense; else they are healthy."""

import asyncio
import copy
import logging

from gateway.deciding import FixedBundles

HANG = "hang"


class Faults:
    """One fault at a stage."""

    def __init__(self, given):
        self._given = given

    def act(self, stage, *, healthy=None):
        """What the stage says, on the event loop."""
        if stage not in self._given:
            return healthy
        if isinstance(self._given[stage], BaseException):
            raise copy.copy(self._given[stage])
        return self._given[stage]

    async def wait(self, stage, *, healthy=None):
        """The same, where it may hang."""
        if self._given.get(stage) is HANG:
            await asyncio.sleep(60)
        return self.act(stage, healthy=healthy)


class FaultySource(FixedBundles):
    """What decides, with a bundle that scores beside."""

    def __init__(self, faults, bundle, recheck):
        super().__init__({"mf": bundle}, recheck)
        self._faults, self._bundle = faults, bundle

    def deciding(self, router, domain, *, lot):
        return self._faults.act("deciding", healthy=super().deciding(router, domain, lot=lot))

    def stopped(self, domain):
        return self._faults.act("stopped", healthy=False)

    def shadow(self, domain):
        return self._faults.act("shadow", healthy=self._bundle)


class FaultyParts:
    """Scorer, pins, shadow sink and observer in one."""

    def __init__(self, faults):
        self._faults = faults

    async def probability(self, bundle, text, stratum, timeout_s):
        return await self._faults.wait("scorer", healthy=0.1)

    async def is_pinned(self, conversation_sha256, *, is_first_turn=False):
        return await self._faults.wait("pins", healthy=False)

    async def pin(self, conversation_sha256):
        await self._faults.wait("pin")

    def observe(self, decision):
        self._faults.act("observer")


class FaultySink:
    """Takes decisions, or does not; and shadows likewise."""

    def __init__(self, faults, stage):
        self._faults, self._stage, self.ids = faults, stage, set()

    async def record(self, row):
        await self._faults.wait(self._stage)
        self.ids.add(getattr(row, "id", None))


class Logged(logging.Handler):
    """Remembers what the gateway logs."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())

    def tells_of(self, identifier):
        return any(identifier in line and "was not recorded" in line for line in self.lines)
