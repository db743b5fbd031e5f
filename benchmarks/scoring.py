"""Scoring in batches beside one thread a text: `python -m benchmarks.scoring [--json]`.

MiniLM through onnxruntime with a matrix factorization behind it, on one thread, in this process. Each round measures
both ways with the same texts, in turn: texts a second at 16 clients that ask again as soon as they are answered, and
the latency of one client. Short texts are a question of one line, long ones a case of twelve; the ratios are medians
over the rounds. What the gateway adds beside scoring is not in here (`benchmarks.gateway`).
"""

import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

import click

CLIENTS = 16

TEXTS = {
    "short": "Which code is right for a displaced fracture of the neck of the left femur, case {}?",
    "mixed": None,
    "long": "Case {}. " + "A man of 62 years has chest pain on exertion that goes away at rest; he smokes. " * 12,
}

Ask = Callable[[str], Awaitable[float | None]]


def measure(*, n_rounds: int, seconds: float) -> dict[str, Any]:
    """Every figure by name."""
    from gateway.routing import scored_alone
    from gateway.scoring import Scorer

    bundle = _bundle()
    scorer = Scorer()
    ways: dict[str, Ask] = {
        "alone": lambda text: scored_alone(bundle, text, None, 60.0),
        "batched": lambda text: scorer.probability(bundle, text, None, 60.0),
    }
    figures: dict[str, Any] = {"clients": CLIENTS, "rounds": n_rounds}
    for kind in TEXTS:
        found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
        for _ in range(n_rounds):
            for way, ask in ways.items():
                found[way].append(asyncio.run(_round(ask, kind, seconds)))
        figures[kind] = {
            way: {name: round(statistics.median(one[name] for one in rounds), 2) for name in rounds[0]}
            for way, rounds in found.items()
        }
        for name in found["alone"][0]:
            ratios = [b[name] / a[name] for a, b in zip(found["alone"], found["batched"], strict=True)]
            figures[kind][f"ratio_{name}"] = round(statistics.median(ratios), 3)
            figures[kind][f"ratio_{name}_from_to"] = [round(min(ratios), 3), round(max(ratios), 3)]
    scorer.close()
    return figures


async def _round(ask: Ask, kind: str, seconds: float) -> dict[str, float]:
    """One round: one client, then many."""
    one: list[float] = []
    await _client(ask, kind, 0, seconds / 2, one)
    many: list[float] = []
    started, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(_client(ask, kind, n, seconds, many) for n in range(CLIENTS)))
    return {
        "one_client_p50_ms": statistics.median(one) * 1000,
        "one_client_min_ms": min(one) * 1000,
        "cpu_ms_a_text": (time.process_time() - cpu) / len(many) * 1000,
        "texts_per_s": len(many) / (time.perf_counter() - started),
        "many_clients_p50_ms": statistics.median(many) * 1000,
    }


async def _client(ask: Ask, kind: str, number: int, seconds: float, latencies_s: list[float]) -> None:
    until = time.perf_counter() + seconds
    n = number * 100_000
    while (started := time.perf_counter()) < until:
        n += 1
        form = TEXTS[kind] or TEXTS["long" if n % 4 == 0 else "short"]
        assert form is not None
        await ask(form.format(n))
        latencies_s.append(time.perf_counter() - started)


def _bundle() -> Any:  # noqa: ANN401 - as much of a bundle as scoring needs
    """MiniLM, a matrix factorization of rank 32 and a calibrator, seeded."""
    import numpy as np

    from core.calibrator import Calibrator
    from models.encoders import EncoderSpec
    from models.matrix_factorization import MatrixFactorization
    from models.mf_router import MfRouter
    from models.onnx_encoder import OnnxEncoder
    from models.router import Queries

    rng = np.random.default_rng(0)
    encoder = OnnxEncoder(EncoderSpec())
    factors = MatrixFactorization(
        model_names=("small", "large"),
        model_vectors=rng.normal(size=(2, 32)),
        model_biases=rng.normal(size=2),
        text_projection=rng.normal(size=(32, encoder.dimension)),
        text_bias=rng.normal(size=32),
        classifier=rng.normal(size=32),
        center=np.zeros(encoder.dimension),
        scale=1.0,
    )
    router = MfRouter(factors, "small", "large", None)
    calibrator = Calibrator(method="platt", slope=1.3, intercept=-0.2, n_labels=400)

    class Scoring:
        def probabilities(self, texts: list[str], strata: list[str | None] | None = None) -> Any:  # noqa: ANN401
            return calibrator.apply(router.score(Queries(texts, encoder.encode)), strata or [])

    bundle = Scoring()
    bundle.probabilities(["Warm up."])
    return bundle


@click.command()
@click.option("--rounds", "n_rounds", default=5, show_default=True)
@click.option("--seconds", default=4.0, show_default=True, help="Of many clients; one client takes half of that.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def main(n_rounds: int, seconds: float, as_json: bool) -> None:
    """Measure and print. Example: OMP_NUM_THREADS=1 python -m benchmarks.scoring."""
    figures = measure(n_rounds=n_rounds, seconds=seconds)
    if as_json:
        click.echo(json.dumps(figures))
        return
    for kind in TEXTS:
        for name, value in figures[kind].items():
            click.echo(f"{kind:6}{name:36}{value}")


if __name__ == "__main__":
    main()
