"""Whether the gateway keeps its word while everything around it fails: no request lost, no weak answer let out unseen.

    python -m benchmarks.chaos [--requests 10000] [--swaps 20] [--seed 0] [--json]

Two workers answer requests of mixed stakes, streamed and whole, with good, limited and wrong keys, some of whose
clients hang up. Meanwhile the upstreams time out, reset, send 429 and 500, malformed JSON and events, cut bodies and
streams, and are down for a while; the store is locked by another process twice; the bundle's alias is swapped and
rolled back; and one worker is killed with -9. Then it counts, from outside and in the store:

lost            no answer, or neither an answer nor an error in OpenAI's envelope. The connections of the killed worker
                are found by their sockets and counted apart: nobody can answer for a process that is dead.
unverified      weak answers to high-stakes requests without a pass on record, or with the code that does not exist,
                which the stub's weak model puts into every fourth answer.
unrecorded      answers whose decision is neither in the store nor, by its id, in the log.

Ends with 1 unless all three are 0.
"""

import asyncio
import json
import os
import random
import re
import sqlite3
import time
from collections import Counter
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import click
import uvloop

from benchmarks.gateways import preceptor_server as ours
from benchmarks.gateways import storm
from benchmarks.gateways.asking import Asked, Seen, draw, see
from benchmarks.gateways.client import Answer, Connection, connect, once, request_bytes
from benchmarks.gateways.servers import Server, running, stub, temporary_folder

NAME = "benchmark"
WRONG_SHARE = 0.25
PATIENCE_S = 60.0
"""After so long a request without an answer is lost."""


@click.command(help=__doc__)
@click.option("--requests", default=10_000, show_default=True)
@click.option("--swaps", default=20, show_default=True, help="Times that the alias is moved and moved back.")
@click.option("--clients", default=32, show_default=True)
@click.option("--workers", default=2, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object with every figure.")
def main(**asked: Any) -> None:  # noqa: ANN401 - options
    """Run, count, print."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(temporary_folder()))
        upstream = stack.enter_context(stub())
        bundles = tuple(ours.make_bundle(folder / f"bundle-{seed}", "static", seed=seed) for seed in (1, 2))
        report = uvloop.run(Chaos(stack, folder, upstream, asked).run((bundles[0], bundles[1])))
    print(json.dumps(report) if asked["as_json"] else table(report))
    raise SystemExit(0 if report["holds"] else 1)


class Chaos:
    """One run."""

    def __init__(self, stack: ExitStack, folder: Path, upstream: str, asked: dict[str, Any]) -> None:
        self.stack, self.folder, self.upstream, self.asked = stack, folder, upstream, asked
        self.rng = random.Random(asked["seed"])
        self.seen: list[Seen] = []
        self.cut_ports: set[int] = set()
        self.killed_s = 0.0
        self.ended_s: dict[int, float] = {}
        self.n_begun = 0

    async def run(self, bundles: tuple[Path, Path]) -> dict[str, Any]:
        """Everything, and the report."""
        swaps = await storm.Swaps.begin(f"sqlite:///{self.folder}/mlflow.db", NAME, bundles)
        server = await self._server(bundles[0])
        timeline = self._timeline(server, swaps)
        await self._tell_stub({"wrong": WRONG_SHARE, "seed": self.asked["seed"], "hang_s": 5.0})
        started = time.perf_counter()
        await asyncio.gather(*(self._client(server, timeline) for _ in range(self.asked["clients"])))
        seconds = time.perf_counter() - started
        await timeline.ended()
        await swaps.end()
        served = await self._tell_stub({})
        unrecorded = await self._unrecorded(server)
        report = self._report(server, unrecorded)
        return {**report, "seconds": round(seconds, 1), "upstream": served, "n_swaps": swaps.n_moved // 2}

    async def _server(self, bundle: Path) -> Server:
        setup = ours.Setup("chaos", bundle, is_rechecked=True, workers=self.asked["workers"])
        path = ours.write_settings(
            setup,
            self.folder,
            weak_url=f"{self.upstream}/v1",
            strong_url=f"{self.upstream}/v1",
            reference=f"models:/{NAME}@champion",
            of_models={"timeout_s": 2.0, "max_retries": 1, "break_s": 1.0},
        )
        self.keys = {"good": ours.make_key(path), "limited": ours.make_key(path, per_minute=60), "wrong": "sk-none"}
        return self.stack.enter_context(running(ours.start_with(setup, self.folder, path)))

    def _timeline(self, server: Server, swaps: storm.Swaps) -> storm.Timeline:
        timeline = storm.Timeline(self.asked["requests"])
        for share, faults in storm.PHASES:
            timeline.at(share, partial(self._set_faults, faults))
        for share, seconds in storm.STORE_AWAY:
            timeline.at(share, partial(storm.lock_sqlite, self.folder / "chaos.db", seconds))
        for number in range(self.asked["swaps"]):
            timeline.at(0.04 + 0.9 * number / self.asked["swaps"], swaps.there_and_back)
        timeline.at(storm.KILLED_AT, partial(self._kill, server))
        return timeline

    async def _set_faults(self, faults: Any) -> None:  # noqa: ANN401 - a mapping of shares
        await self._tell_stub({"faults": dict(faults)})

    async def _tell_stub(self, what: dict[str, Any]) -> dict[str, Any]:
        answer = await once(f"{self.upstream}/control", json.dumps(what).encode())
        found: dict[str, Any] = json.loads(answer.body)
        return found

    async def _kill(self, server: Server) -> None:
        self.killed_s = time.perf_counter()
        self.cut_ports |= storm.kill(server.pid, int(server.url.rsplit(":", 1)[1].split("/")[0]))

    async def _client(self, server: Server, timeline: storm.Timeline) -> None:
        connection: Connection | None = None
        while self.n_begun < self.asked["requests"]:
            asked = draw(self.n_begun, self.rng)
            timeline.begun(self.n_begun)
            self.n_begun += 1
            connection = await self._ask(server, asked, connection)

    async def _ask(self, server: Server, asked: Asked, connection: Connection | None) -> Connection:
        if connection is None or not connection.is_usable:
            connection = await connect(server.url)
        port = connection.local_port
        content = json.dumps(asked.body()).encode()
        request = request_bytes(f"{server.url}/chat/completions", content, asked.headers(self.keys))
        waiting = connection.send(request)
        left = await _hangs_up(connection) if asked.leaves else False
        try:
            answer = await asyncio.wait_for(waiting, PATIENCE_S)
        except TimeoutError:
            answer = Answer()
            answer.fault = f"no answer within {PATIENCE_S:g} s"
            connection.close()
        self.ended_s[asked.number] = time.perf_counter()
        self.seen.append(see(asked, answer, left=left, cut=port in self.cut_ports))
        return connection

    async def _unrecorded(self, server: Server) -> list[str]:
        """Decisions that are neither in the store nor in the log, once what was under way has been written."""
        missing: set[str] = set()
        for _ in range(100):
            # A dead worker writes nothing; whatever it had recorded is in the store all the same.
            missing = {one.decision_id for one in self.seen if one.decision_id and one.kind != "cut"}
            missing -= set(self._rows())
            said = set(re.findall(r"dec_[0-9a-f]{32}", server.log.read_text(errors="replace")))
            if not (missing := missing - said):
                break
            await asyncio.sleep(0.1)
        broken = [f"status {one.status} without a decision" for one in self.seen if _is_unexplained(one)]
        return [
            *(f"{one.decision_id}, {self._told_of(one)}" for one in self.seen if one.decision_id in missing),
            *broken,
        ]

    def _told_of(self, one: Seen) -> str:
        """When it ended, beside the worker's end, and what it was."""
        after = self.ended_s[one.asked.number] - self.killed_s
        what = "streamed" if one.asked.is_streamed else "whole"
        return f"{one.kind}, {what}, by {one.who}, ended {after:+.3f} s after the worker was killed"

    def _rows(self) -> dict[str, tuple[str | None, str, str | None]]:
        """Who answered, the stakes and the verdict, by decision id."""
        with closing(sqlite3.connect(f"file:{self.folder}/chaos.db?mode=ro", uri=True, timeout=60)) as store:
            rows = store.execute("SELECT id, answered_by, stakes, verdict FROM gateway_decision").fetchall()
        return {row[0]: tuple(row[1:]) for row in rows}

    def _report(self, server: Server, unrecorded: list[str]) -> dict[str, Any]:
        rows = self._rows()
        on_record = [
            f"{identifier}: weak, {stakes}, verdict {verdict}"
            for identifier, (who, stakes, verdict) in rows.items()
            if who == ours.WEAK and stakes in ("high", "critical") and verdict != "pass"
        ]
        leaks = [f"{one.decision_id}: {one.leak}" for one in self.seen if one.leak]
        lost = [f"{one.asked}: {one.why}" for one in self.seen if one.kind == "lost"]
        log = server.log.read_text(errors="replace")
        bundles = {one.bundle for one in self.seen if one.bundle}
        ids = {one.decision_id for one in self.seen if one.decision_id and one.kind != "cut"}
        return {
            "requests": len(self.seen),
            "lost": len(lost),
            "unverified": len({*leaks, *on_record}),
            "unrecorded": len(unrecorded),
            "holds": not (lost or leaks or on_record or unrecorded) and len(self.seen) == self.asked["requests"],
            "examples": {"lost": lost[:5], "unverified": [*leaks, *on_record][:5], "unrecorded": unrecorded[:5]},
            "kinds": Counter(one.kind for one in self.seen),
            "statuses": Counter(str(one.status) for one in self.seen),
            "errors": Counter(one.code for one in self.seen if one.code),
            "answered_by": Counter(one.who for one in self.seen if one.kind == "answer"),
            "stakes": Counter(f"{row[1]}, {row[0]}" for row in rows.values()),
            "reasons": Counter(reason for one in self.seen for reason in one.reasons).most_common(25),
            "in_log_alone": len(ids - set(rows)) - len([one for one in unrecorded if one.startswith("dec_")]),
            "in_store": len(rows),
            "n_bundles": len(bundles),
            "n_bundle_changes": sum(1 for a, b in zip(self._bundles(), self._bundles()[1:], strict=False) if a != b),
            "n_cut_with_worker": sum(one.kind == "cut" for one in self.seen),
            "was_killed": bool(self.cut_ports),
            "log_lines": len(log.splitlines()),
        }

    def _bundles(self) -> list[str]:
        return [one.bundle for one in self.seen if one.bundle]


async def _hangs_up(connection: Connection) -> bool:
    """Hang up once the answer has begun, or after a second without a byte; False: it was whole before."""
    for _ in range(1000):
        if connection.is_answered:
            return False
        if connection.has_begun:
            break
        await asyncio.sleep(0.001)
    connection.hang_up()
    return True


def _is_unexplained(one: Seen) -> bool:
    """An answer without a decision's id: right for a request that the door refuses, and for nothing else.

    The door also refuses a key that it cannot look up while the store is away.
    """
    is_refused = 400 <= one.status < 500 or one.code == "keys_unavailable"
    return one.kind in ("answer", "error") and one.decision_id is None and not is_refused


def table(report: dict[str, Any]) -> str:
    """The counts for people."""
    lines = [
        f"{report['requests']} requests in {report['seconds']} s: lost {report['lost']}, unverified "
        f"{report['unverified']}, unrecorded {report['unrecorded']}" + ("" if report["holds"] else "   FAILS"),
        *(f"  {kind}: {one}" for kind, some in report["examples"].items() for one in some),
        "",
        *(
            f"{kind:14}" + ", ".join(f"{what} {n}" for what, n in sorted(report[kind].items(), key=str))
            for kind in KINDS
        ),
        "reasons       " + ", ".join(f"{what} {n}" for what, n in report["reasons"]),
        f"decisions     {report['in_store']} in the store, {report['in_log_alone']} in the log alone",
        f"bundles       {report['n_bundles']} decided; swapped and rolled back {report['n_swaps']} times, "
        f"{report['n_bundle_changes']} changes in the answers' order",
        f"worker        {'killed' if report['was_killed'] else 'not killed: there was but one'}, "
        f"{report['n_cut_with_worker']} requests were under way in it",
    ]
    return "\n".join(lines)


KINDS = ("kinds", "statuses", "errors", "answered_by", "stakes", "upstream")


if __name__ == "__main__":
    main()
