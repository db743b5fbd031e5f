"""What goes wrong during the chaos benchmark, and when: by the share of the requests that were begun.

Upstreams fail in phases, the store goes away twice, the alias is swapped and rolled back, one worker is killed.
"""

import asyncio
import contextlib
import os
import re
import signal
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from benchmarks.gateways.servers import below

PHASES: tuple[tuple[float, Mapping[str, float]], ...] = (
    (0.00, {}),
    (0.08, {"hang": 0.02, "reset": 0.08}),
    (0.22, {"status_429": 0.08, "status_500": 0.10}),
    (0.36, {"malformed_json": 0.08, "malformed_stream": 0.08, "cut_stream": 0.08, "cut_body": 0.05, "no_answer": 0.03}),
    (
        0.56,
        {
            "hang": 0.01,
            "reset": 0.04,
            "status_429": 0.03,
            "status_500": 0.05,
            "malformed_json": 0.03,
            "malformed_stream": 0.04,
            "cut_stream": 0.04,
            "cut_body": 0.03,
            "no_answer": 0.02,
        },
    ),
    (0.80, {"status_500": 1.0}),
    (0.86, {}),
)
"""From which share of the requests on, which faults at what share of the upstreams' answers; at 0.8 both are down."""
STORE_AWAY: tuple[tuple[float, float], ...] = ((0.30, 2.0), (0.65, 8.0))
"""From which share on, for how many seconds: shorter and longer than a request waits for the store."""
KILLED_AT = 0.5


class Timeline:
    """Acts that are due at shares of the requests, each done once, in order."""

    def __init__(self, n_requests: int) -> None:
        self._n, self._acts = n_requests, list[tuple[float, Callable[[], Awaitable[None]]]]()
        self._tasks: list[asyncio.Task[None]] = []

    def at(self, share: float, act: Callable[[], Awaitable[None]]) -> None:
        """Do `act` once that share of the requests was begun."""
        self._acts.append((share, act))
        self._acts.sort(key=lambda one: one[0])

    def begun(self, number: int) -> None:
        """Request `number` is about to be sent."""
        while self._acts and number >= self._acts[0][0] * self._n:
            _, act = self._acts.pop(0)
            self._tasks.append(asyncio.ensure_future(act()))

    async def ended(self) -> None:
        """All acts are over; one that failed raises here."""
        await asyncio.gather(*self._tasks)


async def lock_sqlite(path: Path, seconds: float) -> None:
    """Hold the store's write lock, as another process would, for so long."""

    def hold() -> None:
        with contextlib.closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as store:
            store.execute("BEGIN EXCLUSIVE")
            time.sleep(seconds)
            store.execute("ROLLBACK")

    await asyncio.to_thread(hold)


class Swaps:
    """The alias, moved by a process of its own (`benchmarks.gateways.swapping`)."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process, self._lock = process, asyncio.Lock()
        self.n_moved = 0

    @classmethod
    async def begin(cls, tracking_uri: str, name: str, folders: tuple[Path, Path]) -> "Swaps":
        """Register both bundles; the alias points at the first."""
        pipe = asyncio.subprocess.PIPE
        command = (sys.executable, "-m", "benchmarks.gateways.swapping", tracking_uri, name, *map(str, folders))
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
        self = cls(process)
        await self._said("ready")
        return self

    async def there_and_back(self) -> None:
        """Point it at the second bundle, and a second later back at the first."""
        async with self._lock:
            for version in (b"2\n", b"1\n"):
                assert self._process.stdin is not None
                self._process.stdin.write(version)
                await self._said("moved")
                self.n_moved += 1
                await asyncio.sleep(1.0)

    async def end(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def _said(self, word: str) -> None:
        assert self._process.stdout is not None
        line = (await self._process.stdout.readline()).decode().strip()
        if line != word:
            raise RuntimeError(f"The registry's process said '{line}' and not '{word}'.")


def workers_of(pid: int, port: int) -> dict[int, set[int]]:
    """The processes from `pid` down that answer on `port`, and the clients' ports that each is connected to."""
    by_inode = _connections(port)
    found: dict[int, set[int]] = {}
    for one in (pid, *below(pid)):
        ports = {by_inode[inode] for inode in _inodes(one) if inode in by_inode}
        if ports:
            found[one] = ports
    return found


def kill(pid: int, port: int) -> set[int]:
    """Kill -9 the busiest worker of a server and return the clients' ports it was connected to; empty: it has but one.

    It is stopped first, so that it takes no further connection between the count and its end.
    """
    workers = workers_of(pid, port)
    if len(workers) < 2:
        return set()
    worker = max(workers.keys() - {pid}, key=lambda one: len(workers[one]))
    os.kill(worker, signal.SIGSTOP)
    ports = workers_of(pid, port).get(worker, set())
    os.kill(worker, signal.SIGKILL)
    return ports


def _connections(port: int) -> dict[str, int]:
    """Inode of each connection that was accepted on `port`, to the client's port."""
    found = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "01" and int(fields[1].rsplit(":", 1)[1], 16) == port:
            found[fields[9]] = int(fields[2].rsplit(":", 1)[1], 16)
    return found


def _inodes(pid: int) -> set[str]:
    found = set()
    with contextlib.suppress(OSError):
        for one in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if match := re.fullmatch(r"socket:\[(\d+)\]", str(one.readlink())):
                    found.add(match[1])
    return found
