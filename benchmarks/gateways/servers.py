"""Servers under test as their users start them: in processes of their own, waited for, weighed, and stopped.

Reads /proc, so Linux alone.
"""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2

THREADS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
PATIENCE_S = 120.0
N_ROUTED = 10
"""Answers in a row that say so before all workers are taken to be loaded: each connection meets one of them."""
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Server:
    """One that runs."""

    name: str
    url: str
    """Base URL that ends in /v1."""
    pid: int
    ready_s: float
    """From the start of the process to the first 200 of its health route."""
    routed_s: float
    """Until weak answers are not kept back any more; the same where the health route does not tell."""
    log: Path

    def cpu_s(self) -> float:
        """Processor seconds that it and its children have taken."""
        return sum(_cpu_s(pid) for pid in self.pids())

    def rss_mb(self) -> float:
        """Resident memory of all its processes; what they share is counted in each."""
        return sum(_rss_mb(pid) for pid in self.pids())

    def pids(self) -> list[int]:
        """Its process and all below it."""
        return [self.pid, *below(self.pid)]

    def loads(self, *libraries: str) -> list[str]:
        """Which of these libraries have compiled files in its memory."""
        maps = ""
        for pid in self.pids():
            with contextlib.suppress(OSError):
                maps += Path(f"/proc/{pid}/maps").read_text()
        return [library for library in libraries if f"/site-packages/{library}/" in maps]


@dataclass(frozen=True)
class Start:
    """How a server is started."""

    name: str
    command: Sequence[str]
    port: int
    health: str
    """Path that answers 200 when it is ready."""
    environment: Mapping[str, str]
    folder: Path
    cpus: frozenset[int] | None = None
    """Processors that it may use; None: all."""
    tells_routing: bool = False
    """Whether the health route's JSON says by `routing` that something is still being loaded."""


@contextlib.contextmanager
def running(start: Start) -> Iterator[Server]:
    """The server, ready; stopped afterwards.

    Raises:
        RuntimeError: it ended, or was not ready within two minutes; its last lines are said.
    """
    log = start.folder / f"{start.name}.log"
    base = f"http://127.0.0.1:{start.port}"
    started = time.perf_counter()
    with log.open("wb") as writes, _on(start.cpus):
        process = subprocess.Popen(
            list(start.command),
            stdout=writes,
            stderr=subprocess.STDOUT,
            env={**os.environ, **THREADS, **start.environment},
        )
    try:
        _wait(process, f"{base}{start.health}", log)
        ready_s = time.perf_counter() - started
        if start.tells_routing:
            _wait(process, f"{base}{start.health}", log, says={"routing": "routed"}, n_times=N_ROUTED)
        yield Server(start.name, f"{base}/v1", process.pid, ready_s, time.perf_counter() - started, log)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def stub(cpus: frozenset[int] | None = None) -> Iterator[str]:
    """A stub upstream; the value is `http://127.0.0.1:PORT`."""
    command = [sys.executable, "-m", "benchmarks.gateways.stub"]
    with _on(cpus):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    with process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def below(pid: int) -> list[int]:
    """All processes below one."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError):
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        children = parents.get(waiting.pop(), [])
        found += children
        waiting += children
    return found


def temporary_folder() -> "tempfile.TemporaryDirectory[str]":
    """A folder for one run's store, settings and logs."""
    return tempfile.TemporaryDirectory(prefix="preceptor-benchmark-")


@contextlib.contextmanager
def _on(cpus: frozenset[int] | None) -> Iterator[None]:
    """What is started meanwhile, with its threads and children, stays on these processors."""
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus or mine)
    try:
        yield
    finally:
        os.sched_setaffinity(0, mine)


def _wait(
    process: "subprocess.Popen[bytes]",
    url: str,
    log: Path,
    *,
    says: Mapping[str, str] | None = None,
    n_times: int = 1,
) -> None:
    """Until it answers 200, and its JSON says so, so many times in a row, each on a connection of its own."""
    until, n_right = time.perf_counter() + PATIENCE_S, 0
    while time.perf_counter() < until and process.poll() is None:
        with contextlib.suppress(httpx2.HTTPError):
            answer = httpx2.get(url, timeout=2)
            is_right = answer.status_code == 200 and (not says or says.items() <= answer.json().items())
            n_right = n_right + 1 if is_right else 0
            if n_right == n_times:
                return
        time.sleep(0.02)
    last = log.read_text(errors="replace")[-2000:]
    raise RuntimeError(f"{url} did not answer 200 within two minutes. Its last lines:\n{last}")


def _cpu_s(pid: int) -> float:
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS
    return 0.0


def _rss_mb(pid: int) -> float:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0
