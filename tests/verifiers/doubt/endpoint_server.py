"""One model behind a small OpenAI-compatible server on loopback, whose replies a test writes."""

import asyncio
import json
import socket
import threading
import time
from contextlib import contextmanager

import uvicorn


class Model:
    """`replies` holds what comes next: texts, statuses, or `bytes` for a body as it stands; after them `always`."""

    def __init__(self, *replies, always="4"):
        self.replies, self.always = list(replies), always
        self.requests = []
        self.pause_s = 0.0
        self.finish_reason = "stop"

    async def __call__(self, scope, receive, send):
        content = b""
        while True:
            message = await receive()
            content += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.requests.append(json.loads(content))
        await asyncio.sleep(self.pause_s)
        said = self.replies.pop(0) if self.replies else self.always
        status = said if isinstance(said, int) else 200
        choice = {"message": {"role": "assistant", "content": said}, "finish_reason": self.finish_reason}
        usage = {"prompt_tokens": 1000, "completion_tokens": 10}
        body = said if isinstance(said, bytes) else json.dumps({"choices": [choice], "usage": usage}).encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@contextmanager
def listening(model):
    """The server while it runs; yields its base URL."""
    config = uvicorn.Config(model, host="127.0.0.1", port=0, log_level="critical", lifespan="off", access_log=False)
    server = uvicorn.Server(config)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    server.should_exit = True
    thread.join(timeout=10)
    listener.close()
