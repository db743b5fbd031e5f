"""Times the encoders on one thread: `python -m benchmarks.encoders [--json] [--static FOLDER]`.

The runtimes take turns in one process and the ratio is the median over rounds, so a busy neighbour slows both alike.
Milliseconds differ between machines; the ratios are what to compare.
"""

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import click
import numpy as np
from jaxtyping import Float32

from models.embedding_cache import embed
from models.encoders import Encoder, EncoderSpec, load_encoder

SHORT = "Which ICD-10-CM code fits type 2 diabetes with chronic kidney disease?"
ROUNDS = 15
CACHED_ROWS = 100_000


class Ready:
    """An encoder that costs nothing, so that what is timed is the cache."""

    spec, sha256, dimension, n_truncated = EncoderSpec(), "0" * 64, 384, 0

    def encode(self, texts: Sequence[str]) -> Float32[np.ndarray, "n d"]:
        """Ones."""
        return np.ones((len(texts), self.dimension), dtype=np.float32)


def measure(static_folder: Path | None) -> dict[str, float]:
    """Every figure by name; times are the best of the rounds, ratios the median of paired rounds."""
    specs = {"onnx": EncoderSpec(), "torch": EncoderSpec(runtime="torch")}
    if static_folder is not None:
        specs["static"] = EncoderSpec(name=str(static_folder), runtime="static")
    figures: dict[str, float] = {}
    encoders: dict[str, Encoder] = {}
    for name, spec in specs.items():
        start = time.perf_counter()
        encoders[name] = load_encoder(spec)
        figures[f"{name}_load_s"] = time.perf_counter() - start
    batch = [f"{SHORT} Case {i}. {'It was seen before. ' * (i % 4)}" for i in range(64)]
    for label, texts, repeats in (("b1", [SHORT], 5), ("b64", batch, 1)):
        for encoder in encoders.values():
            encoder.encode(texts)  # warms up
        rounds = [
            {name: _seconds(partial(encoder.encode, texts), repeats) for name, encoder in encoders.items()}
            for _ in range(ROUNDS)
        ]
        taken = {name: np.array([one[name] for one in rounds]) for name in encoders}
        for name, seconds in taken.items():
            figures[f"{name}_{label}_ms_per_text"] = 1e3 * float(seconds.min()) / len(texts)
        figures[f"torch_over_onnx_{label}"] = float(np.median(taken["torch"] / taken["onnx"]))
    vectors = {name: encoders[name].encode(batch) for name in ("onnx", "torch")}
    figures["lowest_cosine_onnx_torch"] = float((vectors["onnx"] * vectors["torch"]).sum(axis=1).min())
    return figures | _cache_figures()


def _cache_figures() -> dict[str, float]:
    texts = [f"{SHORT} {i}" for i in range(CACHED_ROWS)]
    with tempfile.TemporaryDirectory() as name:
        cold = _seconds(lambda: embed(texts, Ready(), folder=Path(name)), 1)
        warm = _seconds(lambda: embed(texts, Ready(), folder=Path(name)), 1)
    return {"cache_100k_first_s": cold, "cache_100k_again_s": warm}


def _seconds(act: Callable[[], object], repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        act()
    return (time.perf_counter() - start) / repeats


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--static", "static_folder", type=click.Path(exists=True, path_type=Path), help="A static encoder too.")
def main(as_json: bool, static_folder: Path | None) -> None:
    """Time the encoders and the embedding cache. Example: python -m benchmarks.encoders --json."""
    figures = measure(static_folder)
    if as_json:
        click.echo(json.dumps(figures, indent=1))
        return
    for name, value in figures.items():
        click.echo(f"{name:32} {value:10.4f}")


if __name__ == "__main__":
    main()
