"""Which weak answers are wrong, told from question and answer text: `python -m benchmarks.cross_encoder --data DIR`.

| column | classifier |
|---|---|
| question | the words of the question alone: what a router can know before there is an answer |
| length | the length of the answer |
| words | TF-IDF of question and answer (`verifiers.suspicion.family: words`) |
| combined | vectors of question and answer, the words of each, and how the answer looks (`combined`) |
| bert | with `--bert-folds N`: MiniLM fine-tuned on question and answer together (`bert`), on the first N folds |
| combined + bert | the two by equal ranks, on those folds |

Questions are dealt into five folds by their normalised text; each row is scored once, by a fit that never saw its
question. Figures: AUROC for *the answer is wrong* with a 95 % interval from a bootstrap over questions, and the share
of wrong answers caught where 10 % and 20 % of the right ones are stopped too (read off these rows).

Then the time of one pair of 128, 256 and 512 tokens: MiniLM in torch and as the bundle serves it (ONNX), in turn, on
one thread; by the clock, and in the core's own time, which a busy neighbour lengthens less. Weights are as they
come: an untrained classifier is as fast as a trained one.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
from jaxtyping import Bool, Float, Float32
from scipy.stats import rankdata

from assurance.detection import detection_of
from benchmarks.answered_sets import SETS, Answered, answered
from benchmarks.public_sets import as_dict, as_text, cache_option, data_option, say
from benchmarks.timing import in_turn, lines_of, milliseconds, ratio
from models.embedding_cache import embed
from models.encoders import Encoder, EncoderSpec, cache_folder, load_encoder
from models.families import Reading, router_from
from models.pair_fit import fit_pair
from models.pair_router import pair_vectors
from models.pair_text import pair_text, parted
from models.router import Queries
from models.selection import grouped_folds
from models.training.recipe import TrainingRecipe
from models.words import fit_words

N_FOLDS = 5
FALSE_ALARMS = (0.1, 0.2)
LENGTHS = (128, 256, 512)
"""Tokens of the pairs that are timed."""

Chosen = Bool[np.ndarray, " n"]
Column = Float[np.ndarray, " n"]


def quality_of(rows: Answered, *, cache: Path, bert_folds: int, recipe: TrainingRecipe) -> dict[str, Any]:
    """Every figure of one set."""
    folds = grouped_folds(len(rows.texts), n_folds=N_FOLDS, seed=0, groups=rows.groups)
    vectors = _vectors(rows, cache)

    def held_out(fit: Callable[[Chosen, Chosen], Column], n_folds: int = N_FOLDS) -> Column:
        column = np.full(len(folds), np.nan)
        for fold in range(n_folds):
            column[folds == fold] = fit(folds != fold, folds == fold)
        return column

    scores = {
        "question": held_out(lambda train, test: _words(rows, rows.questions, train, test)),
        "length": np.array([float(len(parted(text)[1])) for text in rows.texts]),
        "words": held_out(lambda train, test: _words(rows, rows.texts, train, test)),
        "combined": held_out(lambda train, test: _combined(rows, vectors, train, test)),
    }
    figures = {column: _figures(rows, values) for column, values in scores.items()}
    if bert_folds:
        asked = folds < bert_folds
        bert = held_out(lambda train, test: _by_rank(_bert(rows, train, test, recipe)), bert_folds)
        same = np.full(len(folds), np.nan)
        for fold in range(bert_folds):
            same[folds == fold] = _by_rank(scores["combined"][folds == fold])
        figures |= {
            "combined, these folds": _figures(rows, same, asked),
            "bert": _figures(rows, bert, asked),
            "combined + bert": _figures(rows, same + bert, asked),
        }
    return {"n": len(rows.texts), "wrong": float(rows.wrong.mean()), "figures": figures}


def speed_of() -> dict[str, Any]:
    """Milliseconds of one pair by its length: the cross-encoder in torch and as it is served, and `combined`."""
    import torch

    from benchmarks.text_routers import untrained
    from models.networks.spec import describe

    torch.set_num_threads(1)
    figures: dict[str, Any] = {}
    for n_tokens in LENGTHS:
        text = pair_text("code " * (n_tokens // 2), "answer " * n_tokens)
        query = Queries([text], lambda texts: np.zeros((len(texts), 0)))
        in_torch = untrained(describe("bert", "minilm", recipe=TrainingRecipe(max_tokens=n_tokens)), keep="merged")
        served = router_from("bert", in_torch.to_files(), Reading("weak", "strong", 1))
        combined = _timed_combined(n_tokens)
        acts: dict[str, Callable[[], object]] = {
            "torch": partial(in_torch.score, query),
            "served": partial(served.score, query),
            "combined": partial(combined, text),
        }
        times, cpu = in_turn(acts), in_turn(acts, clock=time.process_time)
        figures[f"{n_tokens} tokens"] = {
            **{f"{name} ms": milliseconds(values) for name, values in times.items()},
            **{f"{name} ms of one core": milliseconds(values) for name, values in cpu.items()},
            "served, times faster than torch": ratio(cpu["torch"], cpu["served"]),
        }
    return figures


def _timed_combined(n_tokens: int) -> Callable[[str], object]:
    """What `combined` takes of one pair, its encoder included; fitted on a few made-up answers."""
    encoder = load_encoder(EncoderSpec(max_tokens=n_tokens // 2))
    texts = [pair_text(f"Question {i}?", "It may be so." if i % 2 else "It is so.") for i in range(40)]
    lean = np.where(np.arange(40) % 2 == 1, 1.0, -1.0)
    vectors = pair_vectors(encoder, texts)
    router = fit_pair(texts, vectors, lean, groups=np.arange(40), weights=np.ones(40)).router
    return lambda text: router.score(Queries([text], lambda texts: pair_vectors(encoder, texts)))


def _figures(rows: Answered, values: Column, chosen: Chosen | None = None) -> dict[str, Any]:
    chosen = np.ones(len(values), dtype=bool) if chosen is None else chosen
    wrong, values = rows.wrong[chosen], values[chosen]
    found: dict[str, Any] = {}
    for share in FALSE_ALARMS:
        tau = float(np.quantile(values[~wrong], 1 - share))
        detection = detection_of(values, wrong, tau, rng=np.random.default_rng(0), groups=rows.groups[chosen])
        assert detection.auroc is not None and detection.catch is not None, "both kinds of answers are there"
        found |= {"auroc": as_dict(detection.auroc), f"catch at {share:.0%}": as_dict(detection.catch)}
    return found


def _words(rows: Answered, texts: list[str], train: Chosen, test: Chosen) -> Column:
    router, _ = fit_words(
        [texts[i] for i in np.flatnonzero(train)], np.where(rows.wrong[train], 1.0, -1.0), groups=rows.groups[train]
    )
    return router.score_texts([texts[i] for i in np.flatnonzero(test)])


def _combined(rows: Answered, vectors: Float32[np.ndarray, "n 2d"], train: Chosen, test: Chosen) -> Column:
    lean = np.where(rows.wrong[train], 1.0, -1.0)
    texts = [rows.texts[i] for i in np.flatnonzero(train)]
    fit = fit_pair(texts, vectors[train], lean, groups=rows.groups[train], weights=np.ones(len(lean)))
    return fit.router.score(Queries([rows.texts[i] for i in np.flatnonzero(test)], lambda texts: vectors[test]))


def _bert(rows: Answered, train: Chosen, test: Chosen, recipe: TrainingRecipe) -> Column:
    from models.networks.spec import describe
    from models.text_training import TextLabels, TextTraining, fine_tune

    wrong = rows.wrong[train].astype(float)
    labels = TextLabels(
        [rows.texts[i] for i in np.flatnonzero(train)],
        np.stack([wrong, 1 - wrong, np.zeros_like(wrong)], axis=1),
        np.ones(len(wrong)),
        2 * wrong - 1,
        rows.groups[train],
    )
    with tempfile.TemporaryDirectory() as folder:
        tuned = fine_tune(
            describe("bert", "minilm", recipe=recipe),
            labels,
            TextTraining(recipe, Path(folder), dev_share=0.1),
            on_step=lambda report: say(f"  step {report.step} of {report.n_steps}, loss {report.loss:.3f}"),
        )
        return tuned.router.score_texts([rows.texts[i] for i in np.flatnonzero(test)])


def _vectors(rows: Answered, cache: Path) -> Float32[np.ndarray, "n 2d"]:
    return pair_vectors(_Kept(load_encoder(EncoderSpec()), cache), rows.texts)


class _Kept:
    """An encoder whose vectors are kept in a folder."""

    def __init__(self, encoder: Encoder, cache: Path) -> None:
        self._encoder, self._cache = encoder, cache
        self.spec, self.sha256, self.dimension, self.n_truncated = encoder.spec, encoder.sha256, encoder.dimension, 0

    def encode(self, texts: Sequence[str]) -> Float32[np.ndarray, "n d"]:
        """One vector a text."""
        return embed(texts, self._encoder, folder=self._cache)


def _by_rank(values: Column) -> Column:
    return np.asarray(rankdata(values) / len(values))


@click.command()
@data_option
@cache_option
@click.option(
    "--set", "names", multiple=True, type=click.Choice(tuple(SETS)), help="Sets.  [default: all, and the times]"
)
@click.option("--bert-folds", default=0, show_default=True, type=click.IntRange(0, N_FOLDS), help="Folds of bert.")
@click.option("--max-tokens", default=256, show_default=True, type=click.IntRange(16, 512), help="Of bert.")
@click.option("--json", "as_json", is_flag=True, help="One object with every figure.")
def main(
    data: Path,
    cache: Path | None,
    names: tuple[str, ...],
    bert_folds: int,
    max_tokens: int,
    as_json: bool,
) -> None:
    """Print how well each classifier tells wrong weak answers apart, and how long it takes."""
    recipe = TrainingRecipe(max_tokens=max_tokens)
    figures: dict[str, Any] = {"sets": {}}
    for name in names or tuple(SETS):
        say(name)
        figures["sets"][name] = quality_of(
            answered(data, name), cache=cache or cache_folder() / "embeddings", bert_folds=bert_folds, recipe=recipe
        )
        if not as_json:
            _print_set(name, figures["sets"][name])
    if not names:
        figures["speed"] = speed_of()
    if as_json:
        click.echo(json.dumps(figures))
    elif not names:
        click.echo("\n".join(lines_of(figures["speed"])))


def _print_set(name: str, found: dict[str, Any]) -> None:
    click.echo(f"\n{name}: {found['n']} answers, {found['wrong']:.1%} of them wrong")
    click.echo(f"{'':24}{'AUROC':24}{'caught at 10 %':24}caught at 20 %")
    for column, values in found["figures"].items():
        shown = (as_text(values[key]) for key in ("auroc", "catch at 10%", "catch at 20%"))
        click.echo(f"{column:24}" + "".join(f"{text:24}" for text in shown))


if __name__ == "__main__":
    main()
