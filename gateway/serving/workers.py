"""Several processes that answer on one socket: starts them, starts one again that ended, passes on what they are told.

It serves nothing itself and imports nothing heavy. The socket is made here and shared, so that while one worker is
away, the others take what comes.
"""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import NamedTuple

LOG = logging.getLogger("preceptor.gateway")

PAUSES_S = (0.0, 0.5, 1.0, 2.0, 5.0, 15.0, 30.0)
"""Seconds before a worker is started again that ended by itself, by how often it did so within a minute each."""

STEADY_S = 60.0

CANNOT_SERVE = 78
"""The exit status of a worker whose settings cannot be served: before the first was ready, nobody tries again."""

LOOK_EVERY_S = 0.1


class Times(NamedTuple):
    """How long workers may take."""

    to_start_s: float = 60.0
    to_stop_s: float = 45.0
    pauses_s: Sequence[float] = PAUSES_S


class Told(NamedTuple):
    """Who is told what happens."""

    on_ready: Callable[[], None] = lambda: None
    """Called once, when all workers take requests."""
    on_end: Callable[[int], None] = lambda number: None
    """Called with the number of each that ended."""
    may_renew: Callable[[], bool] = lambda: True
    """Called on SIGHUP: whether the workers shall be started anew, one after another."""


class Workers:
    """A fixed number of workers, each with a number of its own.

    Args:
        command: of a worker, but for its number, the descriptor by which it says that it is ready, and its lifeline.
        listening: the socket that they inherit.
        n: how many.
        told: what is called on the way.
    """

    def __init__(
        self,
        command: Sequence[str],
        listening: socket.socket,
        n: int,
        *,
        told: "Told | None" = None,
        times: Times = Times(),  # noqa: B008 - immutable
    ) -> None:
        self._command, self._listening, self._times = tuple(command), listening, times
        self._told = told or Told()
        self._slots = [_Slot(number) for number in range(n)]
        self._lifeline: tuple[int, int] | None = None
        self._wake = threading.Event()
        self._n_told, self._was_ready = 0, False
        self._to_renew: list[_Slot] = []
        self._wants_renewal = False

    def run(self) -> int:
        """Serve until told to stop; the exit status: 1 where the settings cannot be served, or one did not stop."""
        self._lifeline = os.pipe()
        before = {
            number: signal.signal(number, handler)
            for number, handler in (
                (signal.SIGTERM, self._stop),
                (signal.SIGINT, self._stop),
                (signal.SIGHUP, self._renew),
            )
        }
        try:
            return self._run()
        finally:
            for slot in self._slots:
                slot.kill()
            for end in self._lifeline:
                os.close(end)
            for number, handler in before.items():
                signal.signal(number, handler)

    def pids(self) -> tuple[int, ...]:
        """The process ids of those that run now."""
        return tuple(slot.process.pid for slot in self._slots if slot.process is not None)

    def _run(self) -> int:
        while self._n_told == 0:
            self._look()
            if not self._was_ready and any(slot.code == CANNOT_SERVE for slot in self._slots):
                return 1  # the worker has said why
            self._wake.wait(LOOK_EVERY_S)
            self._wake.clear()
        return self._end()

    def _look(self) -> None:
        """See to every worker once."""
        now = time.monotonic()
        if self._wants_renewal:
            self._wants_renewal = False
            self._to_renew = list(self._slots) if self._told.may_renew() else []
        for slot in self._slots:
            self._see_to(slot, now)
        if not self._was_ready and all(slot.is_ready for slot in self._slots):
            self._was_ready = True
            self._told.on_ready()
        if self._to_renew and all(slot.is_ready for slot in self._slots):
            slot = self._to_renew.pop(0)  # one after another: the others take what comes
            slot.tell_to_stop(now, self._times.to_stop_s, is_renewed=True)

    def _see_to(self, slot: "_Slot", now: float) -> None:
        if slot.process is None:
            if now >= slot.start_at:
                assert self._lifeline is not None
                slot.start(self._command, self._listening, lifeline=self._lifeline, by=now + self._times.to_start_s)
            return
        slot.read_ready()
        code = slot.process.poll()
        if code is None:
            is_late = slot.deadline is not None and now > slot.deadline
            if is_late:
                LOG.error("Worker %d is late; it is ended.", slot.number)
                slot.kill()
                code = -signal.SIGKILL
            else:
                return
        self._told.on_end(slot.number)
        lived_s = now - slot.started
        slot.ended(code)
        if slot.is_renewed:
            slot.is_renewed, slot.n_short, slot.start_at = False, 0, now
            return
        slot.n_short = 1 if lived_s > STEADY_S else slot.n_short + 1
        pause_s = self._times.pauses_s[min(slot.n_short, len(self._times.pauses_s)) - 1]
        slot.start_at = now + pause_s
        LOG.error("Worker %d ended (code %s); it starts again in %g s.", slot.number, code, pause_s)

    def _end(self) -> int:
        """Tell all to stop, and wait until they have."""
        deadline = time.monotonic() + self._times.to_stop_s
        n_passed_on = 0
        while running := [slot for slot in self._slots if slot.process is not None and slot.process.poll() is None]:
            if n_passed_on < self._n_told:
                n_passed_on = self._n_told
                for slot in running:
                    slot.tell_to_stop(time.monotonic(), self._times.to_stop_s)
            if time.monotonic() > deadline:
                LOG.error("Workers %s did not end in time.", ", ".join(str(slot.number) for slot in running))
                return 1
            self._wake.wait(LOOK_EVERY_S)
            self._wake.clear()
        return 0

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._n_told += 1
        self._wake.set()

    def _renew(self, number: int, frame: FrameType | None) -> None:
        self._wants_renewal = True
        self._wake.set()


class _Slot:
    """One worker's place: its number, its process while there is one, and when to start the next."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.process: subprocess.Popen[bytes] | None = None
        self.is_ready, self.is_renewed = False, False
        self.started, self.start_at = 0.0, 0.0
        self.deadline: float | None = None
        self.n_short = 0
        self.code: int | None = None
        self._ready: int | None = None

    def start(self, command: Sequence[str], listening: socket.socket, *, lifeline: tuple[int, int], by: float) -> None:
        self._ready, theirs = os.pipe()
        os.set_blocking(self._ready, False)
        # A session of its own: ^C in a terminal reaches the parent alone, which tells them once.
        self.process = subprocess.Popen(
            [*command, str(self.number), str(theirs), str(lifeline[0])],
            pass_fds=(listening.fileno(), theirs, lifeline[0]),
            start_new_session=True,
        )
        os.close(theirs)
        self.started, self.deadline, self.is_ready = time.monotonic(), by, False

    def read_ready(self) -> None:
        """Whether it has said so."""
        if self._ready is None:
            return
        try:
            said = os.read(self._ready, 1)
        except BlockingIOError:
            return
        os.close(self._ready)
        self._ready = None
        if said:
            self.is_ready, self.deadline = True, None

    def tell_to_stop(self, now: float, to_stop_s: float, *, is_renewed: bool = False) -> None:
        if self.process is not None:
            self.is_renewed, self.is_ready, self.deadline = is_renewed, False, now + to_stop_s
            self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def ended(self, code: int) -> None:
        self.process, self.is_ready, self.deadline, self.code = None, False, None, code
        if self._ready is not None:
            os.close(self._ready)
            self._ready = None


def worker_command(orders: Path) -> tuple[str, ...]:
    """How a worker is started, but for its number and descriptors."""
    return (sys.executable, "-m", "gateway.serving.worker", str(orders))
