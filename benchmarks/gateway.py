"""What the gateway adds to a request, and how many it answers, beside LiteLLM's proxy and RouteLLM's server path.

    python -m benchmarks.gateway [--peers FOLDER] [--rounds 5] [--clients 16 --clients 128] [--quick] [--json]

Real HTTP on loopback: a stub upstream that answers at once, one light client for all, every server as its user starts
it (`preceptor serve` with a bundle folder, a SQLite store and keys). A server with one worker has one processor to
itself as far as we can say; stub and client share another. Everything is measured in turns, so ratios hold on a busy
machine where times do not. Without --peers the other servers are left out; with it they are installed into FOLDER the
first time, in an environment that is never imported into ours.
"""

import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import click

from benchmarks.gateways import bars, neighbours, peers
from benchmarks.gateways import preceptor_server as ours
from benchmarks.gateways.client import Target
from benchmarks.gateways.contest import DIRECT, Contender, Size, measure
from benchmarks.gateways.servers import Server, Start, running, stub, temporary_folder

MESSAGES = [{"role": "user", "content": "Code this diagnosis in ICD-10-CM: Fear of women"}]
RIGHT = b"Code: F40"
WEAK_SAYS = b"(weak)"
SLOW_UPSTREAM_MS, SLOW_EMBEDDING_MS = 2000, 200


@click.command(help=__doc__)
@click.option("--peers", "peers_folder", type=click.Path(path_type=Path), help="Where the other servers are installed.")
@click.option("--rounds", default=5, show_default=True)
@click.option("--requests", default=200, show_default=True, help="With one client, a round.")
@click.option("--seconds", default=3.0, show_default=True, help="With several clients, a round.")
@click.option("--clients", multiple=True, type=int, default=(16, 128), show_default=True)
@click.option("--only", multiple=True, help="Servers by name; all when unset.")
@click.option("--quick", is_flag=True, help="One round of few requests: does it run?")
@click.option("--json", "as_json", is_flag=True, help="One JSON object with every figure.")
def main(**asked: Any) -> None:  # noqa: ANN401 - options
    """Measure and print."""
    size = Size(asked["rounds"], asked["requests"], asked["seconds"], asked["clients"])
    if asked["quick"]:
        size = Size(rounds=1, requests=40, seconds=1.0, clients=size.clients)
    server_cpus, our_cpus = split_cpus()
    os.sched_setaffinity(0, our_cpus)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(temporary_folder()))
        upstream = stack.enter_context(stub(our_cpus))
        report: dict[str, Any] = {"size": vars(size), "load_average": os.getloadavg()[0]}
        contest = Contest(stack, folder, upstream, server_cpus)
        contest.add_ours(asked["only"])
        if asked["peers_folder"] is not None:
            contest.add_peers(peers.build(asked["peers_folder"].absolute()), asked["only"])
            report["litellm"] = peers.LITELLM
        report["figures"] = measure(contest.contenders, size)
        report["servers"] = {one.name: weigh(one.server) for one in contest.contenders if one.server}
        report["neighbours"] = contest.neighbours(size)
    report["bars"] = bars.of(report)
    print(json.dumps(report) if asked["as_json"] else bars.table(report))


class Contest:
    """The servers of one run, all started, and their contenders."""

    def __init__(self, stack: ExitStack, folder: Path, upstream: str, cpus: frozenset[int]) -> None:
        self.stack, self.folder, self.upstream, self.cpus = stack, folder, upstream, cpus
        self.python: Path | None = None
        target = Target(f"{upstream}/v1", {"model": "weak-model", "messages": MESSAGES}, expected=WEAK_SAYS)
        self.contenders = [Contender(DIRECT, target, _streamed(target))]

    def add_ours(self, only: tuple[str, ...]) -> None:
        """Our gateway with a static table, with the pack's recheck, with MiniLM, and with two workers."""
        static = ours.make_bundle(self.folder / "static", "static")
        minilm = ours.make_bundle(self.folder / "minilm", "minilm")
        for setup in (
            ours.Setup("static", static, cpus=self.cpus),
            ours.Setup("static_recheck", static, is_rechecked=True, cpus=self.cpus),
            ours.Setup("minilm", minilm, cpus=self.cpus),
            ours.Setup("static_2_workers", static, workers=2),
        ):
            if not only or setup.name in only:
                self._add(*self._gateway(setup, weak=f"{self.upstream}/v1", strong=f"{self.upstream}/v1"), "auto")

    def add_peers(self, python: Path, only: tuple[str, ...]) -> None:
        """LiteLLM's proxy and RouteLLM's path."""
        self.python = python
        headers = {"authorization": f"Bearer {peers.LITELLM_KEY}"}
        if not only or "litellm" in only:
            start = peers.litellm_proxy(python, self.folder, self.upstream, self.cpus)
            self._add(self._start(start), headers, "weak-model")
        if not only or "routellm_path" in only:
            start = peers.routellm_path(python, self.folder, self.upstream, self.cpus)
            self._add(self._start(start), {}, "router-mf-1.0")

    def neighbours(self, size: Size) -> dict[str, Any]:
        """Fast requests beside a slow upstream and beside a slow router; load under a slow embedding."""
        command = (ours.COMMAND[0], "-m", "benchmarks.gateways.slow_router")
        setup = ours.Setup("slow_neighbours", self.folder / "static", command=command, cpus=self.cpus)
        if not setup.bundle.exists():
            return {}
        slow = f"{self.upstream}/after/{SLOW_UPSTREAM_MS}/v1"
        server, headers = self._gateway(setup, weak=f"{self.upstream}/v1", strong=slow)
        auto = Target(server.url, {"model": "auto", "messages": MESSAGES}, headers, RIGHT)
        fast, strong = (neighbours.with_model(auto, name) for name in (ours.WEAK, ours.STRONG))
        n = max(50, size.requests)
        found: dict[str, Any] = {
            "slow_upstream": neighbours.beside(fast, strong, rounds=size.rounds, requests=n),
            "slow_router": neighbours.beside(fast, auto, rounds=size.rounds, requests=n),
            "slow_embedding_per_second": {"ours": neighbours.throughput(auto, seconds=2 * size.seconds)},
        }
        if self.python is not None:
            start = peers.routellm_path(
                self.python, self.folder, self.upstream, self.cpus, embedding_ms=SLOW_EMBEDDING_MS
            )
            body = {"model": "router-mf-1.0", "messages": MESSAGES}
            target = Target(self._start(start).url, body, expected=RIGHT)
            found["slow_embedding_per_second"]["routellm_path"] = neighbours.throughput(
                target, seconds=2 * size.seconds
            )
        return found

    def _gateway(self, setup: ours.Setup, *, weak: str, strong: str) -> tuple[Server, dict[str, str]]:
        start = ours.start_of(setup, self.folder, weak_url=weak, strong_url=strong)
        key = ours.make_key(self.folder / f"{setup.name}.yaml")
        return self._start(start), {"authorization": f"Bearer {key}"}

    def _start(self, start: Start) -> Server:
        return self.stack.enter_context(running(start))

    def _add(self, server: Server, headers: dict[str, str], model: str) -> None:
        # An answer of the strong model in place of the weak one's would be another amount of work.
        expected = WEAK_SAYS if model == "auto" else RIGHT
        target = Target(server.url, {"model": model, "messages": MESSAGES}, headers, expected)
        self.contenders.append(Contender(server.name, target, _streamed(target), server))


def weigh(server: Server) -> dict[str, Any]:
    """Memory after the load, time to ready, and heavy libraries that were loaded."""
    return {
        "ready_s": round(server.ready_s, 2),
        "routed_s": round(server.routed_s, 2),
        "rss_mb": round(server.rss_mb(), 1),
        "n_processes": len(server.pids()),
        "heavy_libraries": server.loads("torch", "pandas", "pyarrow", "sklearn"),
    }


def split_cpus() -> tuple[frozenset[int], frozenset[int]]:
    """A processor for the server under test, and the others for stub and client; one for all where there is but one."""
    cpus = sorted(os.sched_getaffinity(0))
    return frozenset(cpus[:1]), frozenset(cpus[1:] or cpus)


def _streamed(target: Target) -> Target:
    # A stream holds the answer in pieces, so its end is what is looked for.
    return Target(target.url, {**target.body, "stream": True}, target.headers, b"data: [DONE]")


if __name__ == "__main__":
    main()
