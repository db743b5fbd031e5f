"""Speed of the matrix-factorization router beside RouteLLM's way: `python -m benchmarks.routers [--json]`.

RouteLLM's way is its code re-implemented in a few lines of torch, in this process, on the same synthetic data. Scoring:
a list of floats becomes a tensor, is projected, multiplied with the normalised model vectors, classified, squashed.
Training: its loop with Adam, batches of 64, noise on the embedding, ties dropped.

Both run on one thread. Times of one query are medians and minima; speeds of training count CPU seconds of this process.
A *pass* is one evaluation of loss and gradient over all pairs, line searches included: for RouteLLM that is an epoch.
`end to end` divides the pairs by all CPU seconds until the optimiser stopped; RouteLLM's recipe has 100 epochs,
of which the benchmark times `EPOCHS` and scales up.
"""

import json
import time
from collections.abc import Callable
from typing import Any

import click
import numpy as np
import torch
from jaxtyping import Float
from threadpoolctl import threadpool_limits

from models.factorization_fit import fit_with_report
from models.matrix_factorization import MatrixFactorization

DIMENSION, RANK, N_MODELS, N_PAIRS = 1536, 128, 64, 20_000
"""RouteLLM's sizes: text-embedding-3-small, its hidden width, its models, and a set of a size that it trains on."""

EPOCHS, RECIPE_EPOCHS = 2, 100


class RouteLlm(torch.nn.Module):
    """RouteLLM's MFModel: 64 models, no intercepts."""

    def __init__(self) -> None:
        super().__init__()
        self.P = torch.nn.Embedding(N_MODELS, RANK)
        self.text_proj = torch.nn.Linear(DIMENSION, RANK, bias=False)
        self.classifier = torch.nn.Linear(RANK, 1, bias=False)

    @torch.no_grad()
    def win_rate(self, embedding: list[float]) -> float:
        """Its `pred_win_rate` after the embedding call."""
        models = torch.nn.functional.normalize(self.P(torch.tensor([0, 1])), p=2, dim=1)
        projected = self.text_proj(torch.tensor(embedding))
        logits = self.classifier(models * projected).squeeze()
        return float(torch.sigmoid(logits[0] - logits[1]).item())

    @torch.no_grad()
    def win_rates(self, embeddings: torch.Tensor) -> torch.Tensor:
        """The same for a batch that is a tensor already: more than RouteLLM offers."""
        models = torch.nn.functional.normalize(self.P(torch.tensor([0, 1])), p=2, dim=1)
        logits = self.classifier(models * self.text_proj(embeddings)[:, None]).squeeze(-1)
        return torch.sigmoid(logits[:, 0] - logits[:, 1])

    def loss(self, winner: torch.Tensor, loser: torch.Tensor, embeddings: torch.Tensor) -> torch.Tensor:
        """Its training loss of one batch, noise included."""
        noisy = embeddings + 0.1 * torch.randn_like(embeddings)
        won = torch.nn.functional.normalize(self.P(winner), p=2, dim=1)
        lost = torch.nn.functional.normalize(self.P(loser), p=2, dim=1)
        logits = self.classifier((won - lost) * self.text_proj(noisy)).squeeze(-1)
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))


def measure() -> dict[str, Any]:
    """Every figure by name."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    figures: dict[str, Any] = {"threads": torch.get_num_threads(), "dimension": DIMENSION, "pairs": N_PAIRS}
    embeddings = _embeddings(rng)
    with threadpool_limits(limits=1):  # numpy's BLAS
        figures["scoring"] = scoring_figures(embeddings, rng)
        figures["training"] = training_figures(embeddings, rng)
    return figures


def scoring_figures(embeddings: Float[np.ndarray, "n d"], rng: np.random.Generator) -> dict[str, float]:
    """One ready embedding, and batches: microseconds a query and rows a second, each beside RouteLLM's."""
    router = MatrixFactorization(
        model_names=tuple(f"model-{i}" for i in range(N_MODELS)),
        model_vectors=rng.normal(size=(N_MODELS, RANK)),
        model_biases=rng.normal(size=N_MODELS),
        text_projection=rng.normal(size=(RANK, DIMENSION)),
        text_bias=rng.normal(size=RANK),
        classifier=rng.normal(size=RANK),
        center=np.zeros(DIMENSION),
        scale=1.0,
    )
    pair, theirs = router.collapse("model-0", "model-1"), RouteLlm()
    one, as_list = embeddings[0].copy(), embeddings[0].tolist()
    batch = torch.from_numpy(embeddings)
    ours_us = _microseconds(lambda: pair.score_one(one), repeats=200)
    theirs_us = _microseconds(lambda: theirs.win_rate(as_list), repeats=20)
    rows = len(embeddings)
    ours_batch = rows / (1e-6 * _microseconds(lambda: pair.score(embeddings), repeats=1).min())
    theirs_batch = rows / (1e-6 * _microseconds(lambda: theirs.win_rates(batch), repeats=1).min())
    return {
        "median_us": float(np.median(ours_us)),
        "min_us": float(ours_us.min()),
        "routellm_median_us": float(np.median(theirs_us)),
        "routellm_min_us": float(theirs_us.min()),
        "times_faster": float(np.median(theirs_us) / np.median(ours_us)),
        "batch_rows_per_s": float(ours_batch),
        "routellm_one_by_one_rows_per_s": float(1e6 / theirs_us.min()),
        "torch_batch_rows_per_s": float(theirs_batch),
        "batch_times_faster": float(ours_batch * theirs_us.min() / 1e6),
    }


def training_figures(embeddings: Float[np.ndarray, "n d"], rng: np.random.Generator) -> dict[str, Any]:
    """Pairs a CPU second: one pair of models as an adaptation has it, and 64 models with two answers a query."""
    return {
        "2 models": _training(embeddings, rng, n_models=2),
        "64 models": _training(embeddings, rng, n_models=N_MODELS),
    }


def _training(embeddings: Float[np.ndarray, "n d"], rng: np.random.Generator, *, n_models: int) -> dict[str, float]:
    skill = rng.normal(size=(n_models, 4)) @ rng.normal(size=(4, DIMENSION))
    first = rng.integers(0, n_models, size=N_PAIRS)
    second = (first + rng.integers(1, n_models, size=N_PAIRS)) % n_models
    rows = np.arange(N_PAIRS)
    utility = embeddings @ skill.T
    first_wins = rng.random(N_PAIRS) < 1 / (1 + np.exp(utility[rows, second] - utility[rows, first]))
    quality = np.full((N_PAIRS, n_models), np.nan)
    quality[rows, first], quality[rows, second] = first_wins, ~first_wins
    start = time.process_time()
    _, report = fit_with_report(embeddings, quality, [f"model-{i}" for i in range(n_models)])
    ours_s = time.process_time() - start
    winner = torch.from_numpy(np.where(first_wins, first, second))
    loser = torch.from_numpy(np.where(first_wins, second, first))
    theirs_s = _routellm_epochs_s(torch.from_numpy(embeddings), winner, loser)
    ours, theirs = report.n_pairs * report.passes / ours_s, N_PAIRS * EPOCHS / theirs_s
    return {
        "passes": report.passes,
        "cpu_s": ours_s,
        "pair_passes_per_cpu_s": ours,
        "routellm_pair_passes_per_cpu_s": theirs,
        "times_faster": ours / theirs,
        "end_to_end_pairs_per_cpu_s": report.n_pairs / ours_s,
        "routellm_end_to_end_pairs_per_cpu_s": theirs / RECIPE_EPOCHS,
        "end_to_end_times_faster": report.n_pairs / ours_s / (theirs / RECIPE_EPOCHS),
    }


def _routellm_epochs_s(embeddings: torch.Tensor, winner: torch.Tensor, loser: torch.Tensor) -> float:
    model = RouteLlm()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-4, weight_decay=1e-5)
    start = time.process_time()
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(embeddings)).split(64):  # type: ignore[no-untyped-call]
            optimizer.zero_grad()
            model.loss(winner[rows], loser[rows], embeddings[rows]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return time.process_time() - start


def _embeddings(rng: np.random.Generator) -> Float[np.ndarray, "n d"]:
    drawn = rng.normal(size=(N_PAIRS, DIMENSION)).astype(np.float32)
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))


def _microseconds(act: Callable[[], object], *, repeats: int, rounds: int = 15) -> Float[np.ndarray, " rounds"]:
    act()
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(repeats):
            act()
        taken.append((time.perf_counter() - start) / repeats)
    return 1e6 * np.array(taken)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(as_json: bool) -> None:
    """Time scoring and training beside RouteLLM's way. Example: python -m benchmarks.routers --json."""
    figures = measure()
    if as_json:
        click.echo(json.dumps(figures, indent=1))
        return
    click.echo(f"{figures['threads']} thread, d = {figures['dimension']}, {figures['pairs']} pairs")
    for part, values in (("scoring", figures["scoring"]), *figures["training"].items()):
        click.echo(part)
        for name, value in values.items():
            click.echo(f"  {name:38} {value:14,.2f}")


if __name__ == "__main__":
    main()
