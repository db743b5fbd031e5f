"""A weak model, a strong one and a judge behind one small OpenAI-compatible server on loopback.

Answers say `right` or `wrong`, and the judge reads just that, unless a fault is planted for the query.
"""

import asyncio
import json
import socket
import threading
import time
from collections import Counter
from contextlib import contextmanager

import uvicorn

BAD = "Certainly! Both answers are fine."


def verdict(*, first_right, second_right):
    better = {(True, True): "both", (False, False): "neither", (True, False): "first", (False, True): "second"}
    return {
        "verdict": better[first_right, second_right],
        "first_acceptable": first_right,
        "second_acceptable": second_right,
        "reason": "planted",
    }


class Models:
    """All three: `small` is wrong on `wrong_small`, `large` on `wrong_large`; an answer is 10 tokens in and 5 out."""

    def __init__(self):
        self.wrong_small, self.wrong_large = set(), set()
        self.faults = {}
        """Per query, what the judge does: `bad_once`, `bad`, `refuses`, `first` (prefers it), `misses` or a list of
        statuses for its next replies."""
        self.asked = Counter()
        self.requests = []
        self.pause_s = 0.0

    def answer(self, model, query):
        is_wrong = query in (self.wrong_small if model == "small" else self.wrong_large)
        manner = "in short" if model == "small" else "in full"
        return f"**{model}** says {manner}, as GPT-4: {'wrong' if is_wrong else 'right'}"

    def judge(self, body):
        given = json.loads(body["messages"][1]["content"])
        query, fault = given["query"], self.faults.get(given["query"])
        self.asked["judge", query] += 1
        if isinstance(fault, list):
            return (fault.pop(0), "") if fault else (200, self.fair(given))
        if fault == "bad" or (fault == "bad_once" and "earlier reply" not in body["messages"][0]["content"]):
            return 200, BAD
        if fault == "refuses":
            return 200, "I cannot help with that."
        if fault == "first":
            return 200, json.dumps(verdict(first_right=True, second_right=False))
        if fault == "misses":
            return 200, json.dumps(verdict(first_right=True, second_right=True))
        return 200, self.fair(given)

    def fair(self, given):
        return json.dumps(verdict(**{f"{one}_right": "right" in given[f"{one}_answer"] for one in ("first", "second")}))

    async def __call__(self, scope, receive, send):
        assert scope["type"] == "http"
        content = b""
        while True:
            message = await receive()
            content += message.get("body", b"")
            if not message.get("more_body"):
                break
        body = json.loads(content)
        self.requests.append(body)
        await asyncio.sleep(self.pause_s)
        if body["model"] == "judge":
            status, text = self.judge(body)
        else:
            query = body["messages"][-1]["content"]
            self.asked[body["model"], query] += 1
            status, text = 200, self.answer(body["model"], query)
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        reply = json.dumps({"choices": [choice], "usage": {"prompt_tokens": 10, "completion_tokens": 5}}).encode()
        headers = [(b"content-length", str(len(reply)).encode()), (b"retry-after", b"0")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": reply})


@contextmanager
def serving(models):
    """The server while it runs; its address stands in `models.url`."""
    config = uvicorn.Config(models, host="127.0.0.1", port=0, log_level="critical", lifespan="off", access_log=False)
    server = uvicorn.Server(config)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    models.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield models
    server.should_exit = True
    thread.join(timeout=10)
    listener.close()
