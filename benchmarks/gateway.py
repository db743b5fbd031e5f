"""How much time the gateway adds: the same client, directly and through the gateway, on loopback.

    python -m benchmarks.gateway [--bundle FOLDER] [--requests 300] [--json]

Upstream and gateway run in processes of their own. Without --bundle the router is a stub that answers at once, so the
figure is the gateway's own share: routing loop, recheck of the answer, and the decision written to SQLite.
"""

import argparse
import json
import multiprocessing
import statistics
import tempfile
import time
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import httpx2

BODY = {"messages": [{"role": "user", "content": "Code this diagnosis in ICD-10-CM: Fear of women"}]}
REPLY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 0,
    "model": "stub",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Code: F40.291"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30},
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, help="a bundle folder; unset means a stub router")
    parser.add_argument("--requests", type=int, default=300, help="timed requests of each kind")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    asked = parser.parse_args()

    import httpx2

    with (
        tempfile.TemporaryDirectory() as folder,
        process(serve_stub) as upstream,
        process(serve_gateway, upstream, folder, asked.bundle) as gateway,
        httpx2.Client() as client,
    ):
        started = time.perf_counter()
        name = ask(client, gateway, "auto").headers["x-preceptor-model"]
        first_ms = (time.perf_counter() - started) * 1000
        kinds = {"direct": (upstream, "stub"), "gateway": (gateway, "router-mf-1")}
        latencies_ms = timed(client, kinds, asked.requests)
    figures = {kind: percentiles(values) for kind, values in latencies_ms.items()}
    added = statistics.median(latencies_ms["gateway"]) - statistics.median(latencies_ms["direct"])
    result = {
        "router": str(asked.bundle or "stub"),
        "requests": asked.requests,
        **figures,
        "added_p50_ms": round(added, 2),
        "first_request_ms": round(first_ms, 1),
        "first_answered_by": name,
    }
    if asked.json:
        print(json.dumps(result))
        return
    for kind, values in figures.items():
        print(f"{kind:<8}", "  ".join(f"{name.removesuffix('_ms')} {value:7.2f} ms" for name, value in values.items()))
    print(
        f"added     p50 {added:7.2f} ms  ({asked.requests} requests of each kind in turns, router {result['router']})"
    )


def timed(client: "httpx2.Client", kinds: dict[str, tuple[str, str]], n_requests: int) -> dict[str, list[float]]:
    """Latencies in ms of each kind of request, taken in turns so that both see the same machine."""
    latencies_ms: dict[str, list[float]] = {kind: [] for kind in kinds}
    for turn in range(n_requests + 20):
        for kind, (url, model) in kinds.items():
            started = time.perf_counter()
            ask(client, url, model)
            if turn >= 20:
                latencies_ms[kind].append((time.perf_counter() - started) * 1000)
    return latencies_ms


def ask(client: "httpx2.Client", url: str, model: str) -> "httpx2.Response":
    """One request that must succeed."""
    response = client.post(f"{url}/chat/completions", json={"model": model, **BODY})
    response.raise_for_status()
    return response


def percentiles(latencies_ms: "Sequence[float]") -> dict[str, float]:
    """p50, p95 and p99."""
    cuts = statistics.quantiles(latencies_ms, n=100)
    return {f"p{percent}_ms": round(cuts[percent - 1], 2) for percent in (50, 95, 99)}


@contextmanager
def process(target: Any, *arguments: object) -> "Iterator[str]":  # noqa: ANN401 - a function of any arguments
    """The base URL of a server in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=target, args=(theirs, *arguments), daemon=True)
    server.start()
    if not ours.poll(60):
        raise TimeoutError(f"{target.__name__} did not start within 60 s")
    try:
        yield f"http://127.0.0.1:{ours.recv()}/v1"
    finally:
        server.terminate()
        server.join()


def serve_stub(ready: Connection) -> None:
    """A model endpoint that always says the same."""
    content = json.dumps(REPLY).encode()

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI's own
        assert scope["type"] == "http"
        while (await receive()).get("more_body"):
            pass
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    serve(app, ready)


def serve_gateway(ready: Connection, upstream_url: str, folder: str, bundle_folder: Path | None) -> None:
    """The gateway before that endpoint, with the medical coding pack and a SQLite store."""
    from core.store import open_store
    from gateway.app import create_app
    from gateway.attempts import Models
    from gateway.deciding import FixedBundles
    from gateway.decision_log import DecisionLog
    from gateway.loop import RoutingLoop
    from gateway.parts import InThread
    from gateway.upstream import Endpoint, Upstream
    from verifiers.assembling import Recheck
    from verifiers.packs import checks_of

    bundle: Any = StubRouter()
    if bundle_folder is not None:
        from models.bundle import load_bundle

        bundle = load_bundle(bundle_folder)
    weak, strong = (Upstream(Endpoint(name=name, base_url=upstream_url)) for name in (bundle.weak, bundle.strong))
    loop = RoutingLoop(
        models=Models(weak, strong),
        source=FixedBundles({"mf": bundle}, Recheck(checks_of("medical_coding"))),
        decisions=InThread(DecisionLog(open_store(f"sqlite:///{folder}/store.db"))),
    )
    serve(create_app(loop), ready)


class StubRouter:
    """A router that answers at once."""

    weak, strong, sha256 = "weak", "strong", "0" * 64
    thresholds: dict[str, float | None] = {"default": 0.5}  # noqa: RUF012 - never changed
    certificate: dict[str, Any] | None = None

    def probabilities(self, texts: "Sequence[str]", strata: "Sequence[str | None]" = ()) -> Any:  # noqa: ANN401 - an array, and numpy loads late
        """0.1 a text."""
        import numpy as np

        return np.full(len(texts), 0.1)


def serve(app: Any, ready: Connection) -> None:  # noqa: ANN401 - an ASGI application
    """Run the app on a free port, and send the port."""
    import uvicorn

    from gateway.listening import listen

    listening = listen("127.0.0.1", 0)
    ready.send(listening.getsockname()[1])
    uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False, lifespan="auto")).run(sockets=[listening])


if __name__ == "__main__":
    main()
