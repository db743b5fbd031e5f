"""Starts the process that follows aliases (`gateway.bundles.watching`), and starts it again when it ends. One a server.

While it is away, what decides stays as it is; it is said in the log.
"""

import contextlib
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

from gateway.bundles.pointers import seen_file
from gateway.bundles.watching_plan import Plan

LOG = logging.getLogger("preceptor.gateway")

PAUSES_S = (0.5, 1.0, 2.0, 5.0, 15.0, 30.0)
"""Seconds before it is started again; the last one for ever. One that ran for a minute begins anew."""
STEADY_S = 60.0


class Watcher:
    """The watcher of one server."""

    def __init__(
        self, plan: Plan, *, command: Sequence[str] | None = None, pauses_s: Sequence[float] = PAUSES_S
    ) -> None:
        self._plan, self._pauses_s = plan, tuple(pauses_s)
        self._command = tuple(command or (sys.executable, "-m", "gateway.bundles.watching"))
        self._is_over = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None
        self.n_restarts = 0

    @property
    def is_running(self) -> bool:
        """Whether the process is there now."""
        process = self._process
        return process is not None and process.poll() is None

    def start(self) -> None:
        """Start it, and see to it from now on; returns at once."""
        if self._thread is None:
            self._open()
            self._thread = threading.Thread(target=self._see_to_it, name="watcher", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End it, and wait until it has ended; its pointer file is removed."""
        self._is_over.set()
        with self._lock:
            process = self._process
        if process is not None:
            _end(process)
        if self._thread is not None:
            self._thread.join(timeout=5)
        for path in (self._plan.pointer_file, seen_file(self._plan.pointer_file)):
            path.unlink(missing_ok=True)

    def _see_to_it(self) -> None:
        n_short = 0
        while not self._is_over.is_set():
            started, process = time.monotonic(), self._process
            code = process.wait() if process is not None else None
            if process is not None:
                _close_input(process)
            if self._is_over.is_set():
                return
            n_short = 0 if time.monotonic() - started > STEADY_S else n_short
            pause_s = self._pauses_s[min(n_short, len(self._pauses_s) - 1)]
            LOG.error("The watcher of aliases ended (code %s); it starts again in %g s. Bundles stay.", code, pause_s)
            n_short += 1
            if self._is_over.wait(pause_s):
                return
            self._open()
            self.n_restarts += 1

    def _open(self) -> None:
        with self._lock:
            if self._is_over.is_set():
                return
            try:
                # In a session of its own: an interrupt from the keyboard ends the server, which ends it in turn.
                process = subprocess.Popen(
                    self._command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True
                )
            except OSError as error:
                LOG.error("The watcher of aliases does not start (%s).", error.strerror)
                self._process = None
                return
            self._process = process
        try:
            assert process.stdin is not None, "its input is a pipe"
            process.stdin.write(self._plan.model_dump_json() + "\n")
            process.stdin.flush()
        except OSError:
            return  # it has ended already, which is seen at once


def _end(process: "subprocess.Popen[str]") -> None:
    """Close its input, at which it ends by itself; a few seconds later it is made to."""
    _close_input(process)
    try:
        process.wait(timeout=2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=5)


def _close_input(process: "subprocess.Popen[str]") -> None:
    with contextlib.suppress(OSError):
        if process.stdin is not None:
            process.stdin.close()
