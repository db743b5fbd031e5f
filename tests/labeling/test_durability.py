"""`kill -9` of the server in the middle of a thousand submits: what was acknowledged is there, and nothing twice."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
import sqlalchemy as sa

from core.ledger import Ledger
from core.store import create_tables, open_store, writing
from labeling.content.importing import import_pairs
from labeling.queueing.experts import invite_expert
from labeling.queueing.offering import offer_pair
from labeling.tables import ASSIGNMENTS, JUDGEMENTS, PAIRS, QUEUE
from tests.labeling.conftest import ONCE, row, write_rows
from web.guard import COOKIE
from web.sessions import csrf_token, open_session

N_EXPERTS, N_EACH = 20, 50
N = N_EXPERTS * N_EACH
KILL_AFTER = 350
"""Acknowledgements after which the server is killed."""
AT_ONCE = 100
"""Requests in flight."""


class Server:
    """`preceptor label serve` as a process of its own."""

    def __init__(self, store_url: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        words = ["label", "serve", "--store", store_url, "--port", str(self.port)]
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from core.cli import main; main()", *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                assert time.monotonic() < deadline, "the server did not start within 60 s"
                time.sleep(0.1)

    def kill(self) -> None:
        """As a power cut for the process: no handler runs."""
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=30)


class Experts:
    """Simulated experts with open sessions and pairs in hand, who send each verdict again until it is acknowledged."""

    def __init__(self, store: sa.Engine, now: datetime) -> None:
        self.tokens, self.ballots = {}, []
        with store.connect() as connection:
            pairs = list(connection.execute(sa.select(PAIRS.c.id).order_by(PAIRS.c.id)).scalars())
        for number in range(N_EXPERTS):
            name = f"Expert {number}"
            invite_expert(store, name, by="lead", now=now)
            with writing(store) as connection:
                self.tokens[name] = open_session(connection, name, now=now)
                for pair in pairs[number::N_EXPERTS]:
                    lease = timedelta(hours=8)
                    given = offer_pair(connection, name, pair, purpose="work", lease=lease, now=now)
                    self.ballots.append((name, given))

    async def send(self, port: int, ballots, *, stop_after: int | None = None, on_stop=lambda: None):
        """Send ballots, many at once; those that were acknowledged."""
        acknowledged: list[str] = []
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(http: httpx2.AsyncClient, name: str, assignment: str) -> None:
            token = self.tokens[name]
            fields = {"csrf": csrf_token(token), "assignment": assignment, "revision": "0"}
            fields["verdict"] = "both_acceptable"
            async with gate:
                try:
                    answer = await http.post(
                        f"http://127.0.0.1:{port}/judge", data=fields, headers={"cookie": f"{COOKIE}={token}"}
                    )
                except httpx2.HTTPError:
                    return  # the network or the server is gone; nothing was promised
            if answer.status_code == 303 and answer.headers["location"] in SAVED:
                acknowledged.append(assignment)
                if stop_after is not None and len(acknowledged) == stop_after:
                    on_stop()

        limits = httpx2.Limits(max_connections=AT_ONCE)
        async with httpx2.AsyncClient(limits=limits, timeout=60, trust_env=False) as http:
            await asyncio.gather(*(one(http, name, assignment) for name, assignment in ballots))
        return acknowledged


SAVED = ("/judge?after=saved", "/judge?after=already_saved")


def saved(store) -> Counter:
    with store.connect() as connection:
        return Counter(connection.execute(sa.select(JUDGEMENTS.c.assignment_id)).scalars())


def check_the_books(store) -> None:
    """The ledger verifies with one event a judgement, and every count of takers is the number of its holders."""
    events = Ledger(store).events(action="judge.submit")
    with store.connect() as connection:
        ids = set(connection.execute(sa.select(JUDGEMENTS.c.id)).scalars())
        holders = (
            sa.select(sa.func.count())
            .select_from(ASSIGNMENTS)
            .where(ASSIGNMENTS.c.pair_id == QUEUE.c.pair_id, ASSIGNMENTS.c.holds_place)
            .scalar_subquery()
        )
        wrong = connection.execute(sa.select(QUEUE.c.pair_id).where(QUEUE.c.n_taken != holders)).all()
        judged_and_waiting = connection.execute(
            sa.select(JUDGEMENTS.c.id)
            .join(ASSIGNMENTS, ASSIGNMENTS.c.id == JUDGEMENTS.c.assignment_id)
            .where(ASSIGNMENTS.c.is_waiting)
        ).all()
    assert Ledger(store).verify() >= len(events)
    assert {event.subject for event in events} == ids
    assert len(events) == len(ids)
    assert (wrong, judged_and_waiting) == ([], [])


@pytest.mark.slow
def test_no_acknowledged_judgement_is_lost_or_doubled_when_the_server_is_killed(store_url, tmp_path):
    now = datetime.now(UTC)
    store = open_store(store_url)
    create_tables(store)
    rows = [row(number, stakes="low") for number in range(N)]
    import_pairs(store, [write_rows(tmp_path / "pairs.jsonl", rows)], by="lead", now=now, rules=ONCE)
    experts = Experts(store, now)

    first = Server(store_url)
    sending = experts.send(first.port, experts.ballots, stop_after=KILL_AFTER, on_stop=first.kill)
    acknowledged = asyncio.run(sending)
    after_the_kill = saved(store)
    assert KILL_AFTER <= len(acknowledged) < N, "the server was killed in the middle"
    assert set(acknowledged) <= set(after_the_kill)
    assert max(after_the_kill.values()) == 1
    check_the_books(store)

    second = Server(store_url)
    try:
        # Everyone sends again what was not acknowledged to them, and every third what was, too.
        again = [pair for n, pair in enumerate(experts.ballots) if pair[1] not in set(acknowledged) or n % 3 == 0]
        acknowledged_again = asyncio.run(experts.send(second.port, again))
    finally:
        second.kill()
    assert len(acknowledged_again) == len(again)
    assert saved(store) == Counter({assignment: 1 for _, assignment in experts.ballots})
    check_the_books(store)
    store.dispose()
