"""A gateway in processes of its own, as `preceptor serve` starts it."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

CALL = "from core.cli import main; main()"


class Served:
    """`preceptor serve` on a free port; what it says is kept."""

    def __init__(self, config, *options, environment=()):
        command = [sys.executable, "-c", CALL, "serve", "--config", str(config), "--port", "0", *options]
        env = {**os.environ, "PYTHONUNBUFFERED": "1", **dict(environment)}
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env)
        self.said, self.url = [], None
        self._has_url = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.stop()
        self._reader.join()
        self.process.stderr.close()

    def ready(self):
        """Its URL, once all workers take requests."""
        assert self._has_url.wait(120), "".join(self.said)
        assert self.url is not None, "".join(self.said)
        return self.url

    def stop(self, number=signal.SIGTERM):
        """Its exit status, after the signal."""
        self.process.send_signal(number)
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def words(self):
        """All that it said on stderr; after its end."""
        self._reader.join()
        return "".join(self.said)

    def workers(self):
        """The process ids of its workers."""
        children = subprocess.run(
            ["ps", "--ppid", str(self.process.pid), "-o", "pid=,args="], capture_output=True, text=True, check=False
        ).stdout
        return [int(line.split()[0]) for line in children.splitlines() if "gateway.serving.worker" in line]

    def ask(self, text="Code this.", *, model="auto", timeout=60, **headers):
        """Status, headers and body of one chat completion."""
        return post(f"{self.ready()}/chat/completions", {"model": model, "messages": said(text)}, timeout, headers)

    def get(self, path):
        """The text at a path of the server."""
        with urllib.request.urlopen(self.ready().removesuffix("/v1") + path, timeout=30) as response:
            return response.read().decode()

    def _read(self):
        for line in self.process.stderr:
            self.said.append(line)
            if match := re.search(r"Serving on (\S+)", line):
                self.url = match[1]
                self._has_url.set()
        self._has_url.set()


def said(text):
    return [{"role": "user", "content": text}]


def post(url, body, timeout, headers):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            return response.status, dict(response.headers), json.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), json.loads(error.read())


def until(condition, seconds=60):
    """Wait until the condition holds."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return found
