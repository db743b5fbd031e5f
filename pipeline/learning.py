"""`preceptor learn-curve`: how quality grows with the number of labels, so that users see whether further ones pay.

Only rows that may be trained on are used: the target's train and calibrate parts, never its test rows. They are dealt
into folds; each fold is scored by routers that were adapted on growing, nested draws of the other folds' rows. Scores
are compared by their rank within a fold, so every row counts once and a shift between folds counts for nothing.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import rankdata

from assurance.learning_curve import LearningCurve, learning_curve
from core.errors import NotEnoughLabels
from core.settings import RunSettings
from models.router import Router
from models.selection import grouped_folds
from pipeline.engine import Watcher, plan, run_stages
from pipeline.figures import learning_curve_svg
from pipeline.fitting import How, adapt, fit_base
from pipeline.labels import Labels
from pipeline.results import rows_in, write_json
from pipeline.running import run_folder
from pipeline.stages import stages_of
from pipeline.training import labels_of

FOLDER = "learn-curve"
FOLDS = 5
DEFAULT_SIZES = (25, 50, 100, 200, 400, 800, 1600, 3200, 6400)
"""Doubling sizes; those beyond the rows at hand are left out, and all rows are added."""


def measure_learning_curve(
    settings: RunSettings, *, sizes: Sequence[int] | None, more: int, watcher: Watcher
) -> LearningCurve:
    """The learning curve of the YAML's router on its target, written beside the run's stages as well.

    Args:
        settings: the YAML.
        sizes: numbers of labels to train on; None: `DEFAULT_SIZES`.
        more: further labels to forecast for.
        watcher: told of progress.

    Raises:
        NotEnoughLabels: fewer than two sizes fit the rows.
        DataError: the files cannot be read.
    """
    folder = run_folder(settings)
    planned = {item.stage.name: item for item in plan(stages_of(settings), folder)}
    first = [planned[name] for name in ("prepare", "split", "embed")]
    run_stages(first, folder, watcher)
    rows = rows_in({item.stage.name: folder / item.stage.name for item in first})
    labels = labels_of(rows)
    elsewhere = labels.rows(rows.part("base"))
    scratch = folder / FOLDER / "scratch"
    how = How(settings, scratch / planned["train"].key[:16], watcher.on_progress, elsewhere=elsewhere)
    how.folder.mkdir(parents=True, exist_ok=True)
    watcher.on_start(FOLDER, "train on growing numbers of labels, score rows that were held out")
    target = labels.rows(rows.part("train") | rows.part("calibrate"))
    fold = grouped_folds(len(target), n_folds=FOLDS, seed=settings.split.seed, groups=target.groups)
    n_rows = int(min(np.sum(fold != k) for k in range(FOLDS)))
    chosen = _sizes(sizes, n_rows, family=settings.router.family)
    base = fit_base(settings.router.family, elsewhere, how)
    scores = np.zeros((len(chosen), len(target)))
    for k in range(FOLDS):
        held_out = np.flatnonzero(fold == k)
        part = how.named(f"fold-{k}")
        scores[:, held_out] = _fold_scores(
            base, target, part, order=_order(target, fold, k), sizes=chosen, test=held_out
        )
        watcher.on_progress("folds", k + 1, FOLDS)
    curve = learning_curve(
        chosen, scores, target.gap(*how.pair), more=more, rng=np.random.default_rng(0), groups=target.groups
    )
    write_json(folder / FOLDER / "curve.json", curve.model_dump(mode="json"))
    (folder / FOLDER / "curve.svg").write_text(learning_curve_svg(curve.sizes, curve.apgr), encoding="utf-8")
    shutil.rmtree(scratch)
    return curve


def curve_text(curve: LearningCurve, folder: Path) -> str:
    """The curve as a table, and the forecast as a sentence."""
    lines = ["labels  APGR on held-out rows   gain over the row above"]
    for size, value, gain in zip(curve.sizes, curve.apgr, ("", *curve.gains), strict=True):
        lines.append(f"{size:>6}  {value!s:<22}  {gain!s}".rstrip())
    forecast = curve.forecast
    told = "a gain that cannot be told from none" if forecast.low <= 0 else "a gain"
    lines += [
        "",
        f"{curve.more} more labels: {told}, about {forecast}, if the curve goes on as a - b / sqrt(n).",
        f"Look at  {folder / FOLDER / 'curve.svg'}",
    ]
    return "\n".join(lines)


def curve_json(curve: LearningCurve) -> str:
    """The same as one JSON object."""
    return json.dumps(curve.model_dump(mode="json"))


def _fold_scores(
    base: Router, target: Labels, how: How, *, order: Int[np.ndarray, " m"], sizes: Sequence[int], test: np.ndarray
) -> Float[np.ndarray, "s t"]:
    queries = target.rows(test).queries
    found = []
    for size in sizes:
        rows = target.rows(np.sort(order[:size]))
        raw = adapt(how.settings.router.family, base, rows, how.named(f"labels-{size}")).score(queries)
        raw = np.where(np.isfinite(raw), raw, 1.0)  # what cannot be scored goes to the strong model
        found.append(rankdata(raw) / (len(test) + 1.0))
    return np.stack(found)


def _order(target: Labels, fold: Int[np.ndarray, " n"], k: int) -> Int[np.ndarray, " m"]:
    """The rows outside fold k, in the random order in which they are labelled; groups stay together."""
    outside = np.flatnonzero(fold != k)
    rank = np.random.default_rng(k).permutation(int(target.groups.max()) + 1)[target.groups[outside]]
    return np.asarray(outside[np.argsort(rank, kind="stable")])


def _sizes(asked: Sequence[int] | None, n_rows: int, *, family: str) -> tuple[int, ...]:
    """The numbers of labels to train on. A stack's members see three quarters of them, and need 20."""
    usual = DEFAULT_SIZES[1:] if family == "stacked" else DEFAULT_SIZES
    sizes = tuple(sorted(set(asked) if asked else {size for size in usual if size < n_rows} | {n_rows}))
    if sizes[-1] > n_rows:
        raise NotEnoughLabels(
            f"{sizes[-1]} labels were asked for; with a fifth of the rows held out {n_rows} are left to train on. "
            "Label more pairs, or ask for smaller --size."
        )
    if len(sizes) < 2:
        raise NotEnoughLabels(
            f"A learning curve needs at least two numbers of labels; there is {sizes[0]} alone. "
            "Give --size twice, or label more pairs."
        )
    return sizes
