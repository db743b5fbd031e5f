"""Speed of the similarity router beside RouteLLM's way: `python -m benchmarks.similarity [--queries 5] [--json]`.

RouteLLM's way is its code in a few lines: cosines to all battles with float64 norms taken anew, then scikit-learn's
logistic regression over every battle twice. Both sides get the same synthetic battles, whose embeddings have a falling
spectrum as those of texts do, and the same ready embeddings, query by query in turn, on one thread. Tiers are left out
on their side, which makes it faster.

Memory is what the arrays of a ready router hold; theirs is also shown as Python lists, which is how it loads them.
`sketch` compares the search that a large router does with a full sort: the share of neighbours found, and by how much a
score moves. `in a row` is ours query after query: `median_ms` alternates with programs that read 84 MB and more, which
empties the caches. Its CPU time is what other programs of the machine disturb least. `hot add` is the time in which
examples are appended.
"""

import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # before numpy is imported

import click
import numpy as np
from jaxtyping import Float
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from models.similarity import SimilarityRouter
from models.similarity_kernel import Kernel
from models.similarity_search import NeighbourIndex

N_EXAMPLES, DIMENSION = 55_000, 384
"""RouteLLM's Arena set, and MiniLM's vectors."""

BAR_MS, ROUTELLM_MS = 5.0, 339.0
"""Our bar, and what RouteLLM's own code took at this size (1,536 numbers a vector, in another run)."""

REPEATS = 40


class RouteLlm:
    """RouteLLM's SWRankingRouter for the two models of one pair."""

    def __init__(self, embeddings: Float[np.ndarray, "N d"], gap: Float[np.ndarray, " N"]) -> None:
        self.embeddings = embeddings
        self.X = np.log(10.0) * np.tile([-1.0, 1.0], (2 * len(gap), 1))
        self.y = np.r_[gap > 0, gap >= 0].astype(int)

    def win_rate(self, query: Float[np.ndarray, " d"]) -> float:
        """Its `calculate_strong_win_rate` after the embedding call."""
        norms = np.linalg.norm(self.embeddings, axis=1) * np.linalg.norm(query)
        cosines = self.embeddings @ query / norms
        weights = 10.0 * 10.0 ** (cosines / np.max(cosines))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # penalty=None is deprecated in newer releases
            model = LogisticRegression(fit_intercept=False, penalty=None, tol=1e-8)
            model.fit(self.X, self.y, sample_weight=np.r_[weights, weights])
        weak, strong = 400.0 * model.coef_[0] + 1000.0
        return float(1.0 - 1.0 / (1.0 + 10.0 ** ((strong - weak) / 400.0)))


def measure(n_queries: int) -> dict[str, Any]:
    """Every figure by name."""
    rng = np.random.default_rng(0)
    embeddings, gap = _battles(rng)
    queries = _vectors(rng, REPEATS)
    kernel = Kernel(n_neighbours=100, far_distance=1.0)
    local = SimilarityRouter.of(embeddings, gap, kernel=kernel)
    paper = SimilarityRouter.of(embeddings, gap, kernel=Kernel(weighting="paper", usual_distance=1.0, far_distance=2.0))
    theirs = RouteLlm(embeddings.astype(np.float64), gap)
    times: dict[str, list[float]] = {name: [] for name in ("local", "paper", "routellm", "largest local")}
    largest = SimilarityRouter.of(embeddings, gap, kernel=kernel.model_copy(update={"n_neighbours": 1000}))
    differences = []
    for router in (local, paper, largest):
        router.score_embeddings(queries[:1])
    in_a_row = {}
    for name, router in (("local", local), ("largest local", largest)):
        in_a_row[name], in_a_row[f"{name}, CPU"] = _in_a_row_ms(router, queries)
    for i, query in enumerate(queries):
        for name, router in (("local", local), ("paper", paper), ("largest local", largest)):
            times[name].append(_milliseconds(lambda router=router, query=query: router.score_embeddings(query[None])))
        if i < n_queries:
            rate = [0.0]
            times["routellm"].append(
                _milliseconds(lambda query=query, rate=rate: rate.__setitem__(0, theirs.win_rate(query)))
            )
            differences.append(abs(rate[0] - float(paper.score_embeddings(query[None])[0])))
            _say(f"  query {i + 1} of {n_queries}")
    medians = {name: float(np.median(values)) for name, values in times.items()}
    more = _vectors(rng, 100)
    return {
        "threads": 1,
        "examples": N_EXAMPLES,
        "dimension": DIMENSION,
        "median_ms": medians,
        "in_a_row_median_ms": in_a_row,
        "min_ms": {name: float(np.min(values)) for name, values in times.items()},
        "batch_ms_a_query": _milliseconds(lambda: local.score_embeddings(queries)) / len(queries),
        "times_faster": {name: medians["routellm"] / medians[name] for name in ("local", "largest local", "paper")},
        "largest_difference_paper": max(differences),
        "hot_add_100_ms": _milliseconds(lambda: local.with_examples(more, np.zeros(100))),
        "memory_mb": {
            "ours": _megabytes(local),
            "ours, float16 on disk": local.examples.astype(np.float16).nbytes / 1e6,
            "routellm, arrays": (theirs.embeddings.nbytes + theirs.X.nbytes + theirs.y.nbytes) / 1e6,
            "routellm, Python lists": N_EXAMPLES * (DIMENSION * (8 + sys.getsizeof(1.0)) + 56) / 1e6,
        },
        "sketch": _sketch(local, queries),
        "bar_ms": BAR_MS,
        "routellm_elsewhere_ms": ROUTELLM_MS,
    }


def _sketch(router: SimilarityRouter, queries: Float[np.ndarray, "n d"]) -> dict[str, float]:
    k = router.kernel.n_neighbours
    exact = SimilarityRouter(router.examples, router.win_share, router.weights, router.kernel)
    vars(exact)["index"] = NeighbourIndex(router.index.vectors, None)
    found, true = (one.index.nearest(queries, k).rows for one in (router, exact))
    shared = [len(set(a) & set(b)) / k for a, b in zip(found.tolist(), true.tolist(), strict=True)]
    moved = np.abs(router.score_embeddings(queries) - exact.score_embeddings(queries))
    return {
        "share_of_neighbours_found": float(np.mean(shared)),
        "largest_change_of_a_score": float(moved.max()),
        "without_sketch_ms": float(
            np.median([_milliseconds(lambda query=query: exact.score_embeddings(query[None])) for query in queries])
        ),
    }


def _battles(rng: np.random.Generator) -> tuple[Float[np.ndarray, "N d"], Float[np.ndarray, " N"]]:
    embeddings = _vectors(rng, N_EXAMPLES)
    needed = 1.0 / (1.0 + np.exp(-8.0 * embeddings[:, 0]))
    return embeddings, np.where(rng.random(N_EXAMPLES) < needed, 1.0, rng.integers(-1, 1, size=N_EXAMPLES))


def _vectors(rng: np.random.Generator, n: int) -> Float[np.ndarray, "n d"]:
    drawn = rng.normal(size=(n, DIMENSION)) * np.arange(1, DIMENSION + 1) ** -0.4
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def _milliseconds(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return 1e3 * (time.perf_counter() - start)


def _in_a_row_ms(router: SimilarityRouter, queries: Float[np.ndarray, "n d"]) -> tuple[float, float]:
    """Median time and median CPU time of one query."""
    taken = []
    for query in queries:
        start, cpu_start = time.perf_counter(), time.thread_time()
        router.score_embeddings(query[None])
        taken.append((time.perf_counter() - start, time.thread_time() - cpu_start))
    elapsed, cpu = 1e3 * np.median(np.array(taken), axis=0)
    return float(elapsed), float(cpu)


def _megabytes(router: SimilarityRouter) -> float:
    sketch = router.index.sketch
    parts = [router.win_share, router.weights, router.index.vectors]
    parts += [] if sketch is None else [sketch.basis, sketch.coordinates]
    return sum(part.nbytes for part in parts) / 1e6


def _say(message: str) -> None:
    if sys.stderr.isatty():
        click.echo(message, err=True)


@click.command()
@click.option(
    "--queries", "n_queries", default=5, show_default=True, type=click.IntRange(1, REPEATS), help="For theirs."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(n_queries: int, as_json: bool) -> None:
    """Time one query at 55,000 examples beside RouteLLM's way. Example: python -m benchmarks.similarity --json."""
    with threadpool_limits(limits=1):
        figures = measure(n_queries)
    if as_json:
        click.echo(json.dumps(figures, indent=1))
        return
    click.echo(f"{figures['threads']} thread, {figures['examples']} examples, d = {figures['dimension']}")
    for name, value in figures.items():
        if isinstance(value, dict):
            click.echo(name)
            for part, number in value.items():
                click.echo(f"  {part:32} {number:12,.4f}")
        elif name not in {"threads", "examples", "dimension"}:
            click.echo(f"{name:34} {value:12,.6f}")


if __name__ == "__main__":
    main()
