"""Scores texts for all requests, off the event loop: what waits for a bundle while it scores is its next batch.

A bundle has one thread while it has work, so a slow or hanging one holds up no other, and nothing but its own requests.
Texts of like length are scored together; one that raises is scored alone, so it fails no other. Nobody is waited for:
a lone request is scored at once. Keeps no text after its answer.
"""

import asyncio
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from gateway.certified import RoutingBundle
from gateway.contained import contained

LOG = logging.getLogger("preceptor.gateway")

IDLE_S = 30.0
"""Seconds without work after which a bundle's thread ends, and lets go of the bundle."""

MOST_STUCK = 4
"""Threads that may hang in one bundle's scoring; its later requests are late until one of them comes back."""

_STUCK_AFTER = 0.9
"""Share of a late request's time after which the batch under way is taken to hang."""

_LIKE_LENGTH = 2.0
"""Texts are scored together up to this ratio of their lengths, since a batch is padded to its longest."""

_SHORT_CHARS = 100
"""Texts below this length are alike."""

_PASS_CHARS = 2000
"""Characters that are scored together at most, unless one text alone has more. Past some 500 tokens a pass through a
network takes as long a text as one by one, or longer, and the first text would wait for the last one's answer."""


class _Job(NamedTuple):
    text: str
    stratum: str | None
    loop: asyncio.AbstractEventLoop
    result: "asyncio.Future[float | None]"
    """None: it is late."""

    @property
    def is_wanted(self) -> bool:
        return not self.result.done()


class Scorer:
    """Micro-batches of texts, in one thread a bundle.

    Args:
        max_batch: texts that are scored together at most.
        max_wait_ms: milliseconds for which a batch that is not full waits for more texts; 0: not at all.
    """

    def __init__(self, max_batch: int = 32, max_wait_ms: float = 0.0) -> None:
        self._max_batch, self._max_wait_s = max_batch, max_wait_ms / 1000
        self._lock = threading.Lock()
        self._lanes: dict[int, _Lane] = {}
        self._stuck: list[_Lane] = []

    async def probability(
        self, bundle: RoutingBundle, text: str, stratum: str | None = None, timeout_s: float = 5.0
    ) -> float | None:
        """The bundle's probability that the strong model is needed; None where it is late, NaN where it is no number.

        Raises:
            BrokeOff: the bundle raised what is meant to end a program.
            Exception: whatever else the bundle raised on this text alone.
        """
        loop = asyncio.get_running_loop()
        job = _Job(text, stratum, loop, loop.create_future())
        timer = loop.call_later(timeout_s, _set, ((job.result, None),))
        with self._lock:
            lane = self._lane_of(bundle)
            lane.jobs.append(job)
            lane.has_work.notify()
        try:
            probability = await job.result
        except asyncio.CancelledError:  # the caller's own clock may be the faster one
            self._replace_if_stuck(lane, timeout_s)
            raise
        finally:
            timer.cancel()
        if probability is None:
            self._replace_if_stuck(lane, timeout_s)
        return probability

    def close(self, timeout_s: float = 5.0) -> None:
        """Score what waits, then end the threads; a later call starts them again."""
        with self._lock:
            lanes = list(self._lanes.values())
            self._lanes.clear()
            for lane in lanes:
                lane.is_open = False
                lane.has_work.notify()
        until = time.monotonic() + timeout_s
        for lane in lanes:
            lane.thread.join(max(0.0, until - time.monotonic()))

    def _lane_of(self, bundle: RoutingBundle) -> "_Lane":
        lane = self._lanes.get(id(bundle))
        if lane is None:
            # The lane holds the bundle, so its id stays its own for as long as the lane stands here.
            lane = _Lane(bundle, self._lock)
            lane.thread = threading.Thread(target=self._work, args=(lane,), name="preceptor-scoring", daemon=True)
            lane.thread.start()  # may fail where the system gives no thread; then the next call tries again
            self._lanes[id(bundle)] = lane
        return lane

    def _replace_if_stuck(self, lane: "_Lane", timeout_s: float) -> None:
        """Hand a hanging thread's waiting texts to a new one; what it still returns is dropped."""
        with self._lock:
            self._stuck = [one for one in self._stuck if one.thread.is_alive()]
            is_in_charge = self._lanes.get(id(lane.bundle)) is lane
            if not is_in_charge or lane.busy_since is None:
                return
            if time.monotonic() - lane.busy_since < _STUCK_AFTER * timeout_s:
                return
            if sum(one.bundle is lane.bundle for one in self._stuck) >= MOST_STUCK:
                return
            LOG.error("A bundle has scored one batch for over %.1f s; another thread takes its place.", timeout_s)
            lane.is_open = False
            del self._lanes[id(lane.bundle)]
            self._stuck.append(lane)
            waiting = [job for job in lane.jobs if job.is_wanted]
            lane.jobs.clear()
            if waiting:
                replacement = self._lane_of(lane.bundle)
                replacement.jobs.extend(waiting)
                replacement.has_work.notify()

    def _work(self, lane: "_Lane") -> None:
        while jobs := self._next_batch(lane):
            for group in _of_like_length(jobs):
                _score(lane.bundle, [job for job in group if job.is_wanted])
            del jobs, group  # an idle thread keeps no text

    def _next_batch(self, lane: "_Lane") -> list[_Job]:
        """The next texts that somebody waits for; none where the thread may end."""
        with self._lock:
            lane.busy_since = None
            while True:
                while not lane.jobs:
                    if not lane.is_open or (not lane.has_work.wait(IDLE_S) and not lane.jobs):
                        if self._lanes.get(id(lane.bundle)) is lane:
                            del self._lanes[id(lane.bundle)]
                        return []
                if self._max_wait_s and lane.is_open and len(lane.jobs) < self._max_batch:
                    lane.has_work.wait_for(partial(lane.is_full, self._max_batch), self._max_wait_s)
                taken = [lane.jobs.popleft() for _ in range(min(self._max_batch, len(lane.jobs)))]
                if wanted := [job for job in taken if job.is_wanted]:
                    lane.busy_since = time.monotonic()
                    return wanted


class _Lane:
    """One bundle's thread and what waits for it; all of it is guarded by the scorer's lock."""

    thread: threading.Thread

    def __init__(self, bundle: RoutingBundle, lock: threading.Lock) -> None:
        self.bundle = bundle
        self.jobs: deque[_Job] = deque()
        self.has_work = threading.Condition(lock)
        self.is_open = True
        self.busy_since: float | None = None

    def is_full(self, n_jobs: int) -> bool:
        return not self.is_open or len(self.jobs) >= n_jobs


def _of_like_length(jobs: Sequence[_Job]) -> Iterator[list[_Job]]:
    """The jobs in groups, the shortest texts first."""
    group: list[_Job] = []
    for job in sorted(jobs, key=lambda job: len(job.text)):
        n_chars = len(job.text)
        # The longest one, which is the last, counts for each, as a batch is padded to it.
        if group and (
            n_chars > _LIKE_LENGTH * max(len(group[0].text), _SHORT_CHARS) or n_chars * (len(group) + 1) > _PASS_CHARS
        ):
            yield group
            group = []
        group.append(job)
    yield group


def _score(bundle: RoutingBundle, jobs: Sequence[_Job]) -> None:
    if not jobs:
        return
    try:
        probabilities = contained(partial(_probabilities, bundle, jobs))
    except Exception as error:  # noqa: BLE001 - handed to whoever asked
        if len(jobs) == 1:
            _settle(jobs, [error])
        else:
            for job in jobs:
                _score(bundle, [job] if job.is_wanted else [])
    else:
        _settle(jobs, probabilities)


def _probabilities(bundle: RoutingBundle, jobs: Sequence[_Job]) -> list[float]:
    found = np.asarray(bundle.probabilities([job.text for job in jobs], [job.stratum for job in jobs]), dtype=float)
    if found.shape == (len(jobs),):
        return [float(one) for one in found]
    if len(jobs) == 1:
        return [math.nan]
    raise ValueError(f"{len(jobs)} texts got probabilities of shape {found.shape}")


def _settle(jobs: Sequence[_Job], results: Sequence[float | Exception]) -> None:
    """Tell each event loop once what became of its texts."""
    of_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[float | None], float | Exception]]] = {}
    for job, result in zip(jobs, results, strict=True):
        of_loop.setdefault(job.loop, []).append((job.result, result))
    for loop, settled in of_loop.items():
        try:
            loop.call_soon_threadsafe(_set, settled)
        except RuntimeError:  # the loop is closed; nobody waits
            continue


def _set(settled: Sequence[tuple["asyncio.Future[float | None]", float | Exception | None]]) -> None:
    for future, result in settled:
        if future.done():
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
