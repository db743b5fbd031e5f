"""How near the truth each calibration map comes: `python -m benchmarks.calibration [--data DIR] [--json]`.

| world | what maps its scores to the truth |
|---|---|
| over-confident | two numbers on the logit (Platt's form): scores twice as far from one half, and shifted |
| skewed | three numbers (beta's form): over-confident near 1, timid near 0 |
| stepped | neither: one rate below a score, another above |
| says nothing | nothing: scores do not depend on the event |
| mirage, medagents | with `--data`: a logistic regression on TF-IDF, out of fold, whose rows stand for all traffic |

Figures are means over draws of the calibration rows: expected calibration error (15 bins of equal mass), Brier score
and log-loss on rows that fitted nothing. `default less Platt` is the mean difference, with its 95 % interval over
draws; of a real set n rows are drawn and the rest measured. Four strata whose truth is shifted by -1.2, -0.4, 0.4 and
1.2 (or by nothing) show what maps by stratum are worth.
"""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import click
import numpy as np
from jaxtyping import Bool, Float

from assurance.calibration import fit_calibrator, with_strata
from assurance.calibration_maps import beta, isotonic, platt
from assurance.reliability import brier, expected_calibration_error
from assurance.venn_abers import midpoint, venn_abers
from benchmarks.certificates import harmful, of_set
from benchmarks.public_sets import say
from core.calibrator import Calibrator, sigmoid

N_LABELS = (100, 500, 2000)
N_FRESH = 20_000
SHIFTS = np.array([-1.2, -0.4, 0.4, 1.2])

Drawn = tuple[Float[np.ndarray, " n"], Bool[np.ndarray, " n"]]
World = Callable[[int, np.random.Generator], Drawn]
Map = Callable[[Float[np.ndarray, " n"]], Float[np.ndarray, " n"]]


def over_confident(n: int, rng: np.random.Generator) -> Drawn:
    """Platt's form."""
    z = rng.normal(-1.0, 1.2, size=n)
    return sigmoid(2.0 * z + 2.0), rng.random(n) < sigmoid(z)


def skewed(n: int, rng: np.random.Generator) -> Drawn:
    """Beta's form."""
    scores = sigmoid(rng.normal(0.8, 1.8, size=n))
    return scores, rng.random(n) < sigmoid(0.2 * np.log(scores) - 0.9 * np.log1p(-scores) - 2.4)


def stepped(n: int, rng: np.random.Generator) -> Drawn:
    """No smooth form."""
    scores = rng.random(n)
    return scores, rng.random(n) < np.where(scores < 0.6, 0.08, 0.5)


def says_nothing(n: int, rng: np.random.Generator) -> Drawn:
    """A router at chance."""
    return rng.random(n), rng.random(n) < 0.2


def maps(scores: Float[np.ndarray, " n"], events: Bool[np.ndarray, " n"]) -> dict[str, Map]:
    """Every map of the menu, fitted on the same labels."""
    limits = venn_abers(scores, events)
    return {
        "raw": lambda fresh: fresh,
        "Platt": platt(scores, events).apply,
        "beta": beta(scores, events).apply,
        "isotonic": isotonic(scores, events).apply,
        "Venn-Abers": lambda fresh: midpoint(*limits.at(fresh)),
        "default": fit_calibrator(scores, events).apply,
    }


def measured(draw: Callable[[np.random.Generator], tuple[Drawn, Drawn]], *, repeats: int, seed: int) -> dict[str, Any]:
    """Mean figures of every map over draws, and how much the default differs from Platt's."""
    rng = np.random.default_rng(seed)
    found: dict[str, list[tuple[float, float, float]]] = {}
    methods: dict[str, int] = {}
    for _ in range(repeats):
        (scores, events), (fresh, happened) = draw(rng)
        if not 0 < events.sum() < len(events):
            continue
        method = fit_calibrator(scores, events).method
        methods[method] = methods.get(method, 0) + 1
        for name, apply in maps(scores, events).items():
            found.setdefault(name, []).append(figures_of(apply(fresh), happened))
    columns = {name: np.array(rows) for name, rows in found.items()}
    difference = columns["default"] - columns["Platt"]
    return {
        "maps": {
            name: dict(zip(("ece", "brier", "log_loss"), rows.mean(axis=0).tolist(), strict=True))
            for name, rows in columns.items()
        },
        "default_less_platt": {name: interval(difference[:, i]) for i, name in enumerate(("ece", "brier", "log_loss"))},
        "default_is": methods,
    }


def figures_of(probabilities: Float[np.ndarray, " n"], events: Bool[np.ndarray, " n"]) -> tuple[float, float, float]:
    """ECE, Brier score and log-loss; a certainty that was wrong counts as one of 1 - 1e-9."""
    clipped = np.clip(probabilities, 1e-9, 1 - 1e-9)
    surprise = -np.where(events, np.log(clipped), np.log1p(-clipped)).mean()
    return expected_calibration_error(probabilities, events, n_bins=15), brier(probabilities, events), float(surprise)


def by_stratum(n_each: int, shifts: Float[np.ndarray, " s"], *, repeats: int) -> dict[str, Any]:
    """Brier scores of one map, of maps drawn toward it, and of each stratum's own; and the gains over one map."""
    rng = np.random.default_rng(n_each)

    def drawn(n: int) -> tuple[Float[np.ndarray, " n"], Bool[np.ndarray, " n"], list[str]]:
        z = rng.normal(-0.5, 1.2, size=n * len(shifts))
        stratum = np.repeat(np.arange(len(shifts)), n)
        names = [f"s{i}/high" for i in stratum]
        return sigmoid(2.0 * z + 1.0), rng.random(len(z)) < sigmoid(z + shifts[stratum]), names

    rows = []
    fresh, happened, where = drawn(N_FRESH // len(shifts))
    for _ in range(repeats):
        scores, events, strata = drawn(n_each)
        one = fit_calibrator(scores, events)
        probabilities = {
            "one": one.apply(fresh),
            "drawn": with_strata(one, scores, events, strata).apply(fresh, where),
            "own": _own_maps(scores, events, strata).apply(fresh, where),
        }
        rows.append([brier(column, happened) for column in probabilities.values()])
    found = np.array(rows)
    return {
        "brier": dict(zip(("one", "drawn", "own"), found.mean(axis=0).tolist(), strict=True)),
        "drawn_less_one": interval(found[:, 1] - found[:, 0]),
        "drawn_less_own": interval(found[:, 1] - found[:, 2]),
    }


def interval(values: Float[np.ndarray, " r"]) -> dict[str, float]:
    """A mean with its 95 % interval over draws."""
    margin = 1.96 * float(values.std(ddof=1)) / np.sqrt(len(values))
    mean = float(values.mean())
    return {"estimate": mean, "low": mean - margin, "high": mean + margin}


def measure(folder: Path | None, repeats: int) -> dict[str, Any]:
    """Every figure, by world and number of labels."""
    worlds: dict[str, World] = {"over-confident": over_confident, "skewed": skewed, "stepped": stepped}
    worlds |= {"says nothing": says_nothing}
    found: dict[str, dict[str, Any]] = {}
    for name, world in worlds.items():
        say(name)
        found[name] = {
            str(n): measured(
                lambda rng, n=n, world=world: (world(n, rng), world(N_FRESH, rng)), repeats=repeats, seed=n
            )  # type: ignore[misc]
            for n in N_LABELS
        }
    for name in ("mirage", "medagents") if folder is not None else ():
        assert folder is not None
        rows = of_set(folder, name).rows
        scores, events = rows.probability, harmful(rows) > 0

        def split(rng: np.random.Generator, n: int, scores: Any = scores, events: Any = events) -> tuple[Drawn, Drawn]:  # noqa: ANN401
            order = rng.permutation(len(scores))
            return (scores[order[:n]], events[order[:n]]), (scores[order[n:]], events[order[n:]])

        sizes = [n for n in N_LABELS if n <= 0.7 * len(scores)]
        found[name] = {
            str(n): measured(lambda rng, n=n, split=split: split(rng, n), repeats=repeats, seed=n)  # type: ignore[misc]
            for n in sizes
        }
    strata = {
        f"{label}, {n} labels each": by_stratum(n, shifts, repeats=repeats)
        for label, shifts in (("strata apart", SHIFTS), ("strata alike", 0.0 * SHIFTS))
        for n in (50, 150, 500)
    }
    return {"worlds": found, "strata": strata}


def table(figures: Mapping[str, Any]) -> str:
    """The figures as lines."""
    lines = [f"{'world':<16}{'labels':>7}  {'map':<12}{'ECE':>7}{'Brier':>8}{'log-loss':>10}"]
    for world, sizes in figures["worlds"].items():
        for n, one in sizes.items():
            for name, row in one["maps"].items():
                said = f"  ({', '.join(one['default_is'])})" if name == "default" else ""
                lines.append(
                    f"{world:<16}{n:>7}  {name:<12}{row['ece']:>7.3f}{row['brier']:>8.4f}{row['log_loss']:>10.3f}{said}"
                )
            less = one["default_less_platt"]["brier"]
            lines.append(f"{'':<16}{'':>7}  default less Platt, Brier: {_signed(less)}")
    lines += ["", f"{'strata':<32}{'one map':>9}{'drawn':>9}{'own':>9}   drawn less one"]
    for name, one in figures["strata"].items():
        columns = "".join(f"{one['brier'][kind]:>9.4f}" for kind in ("one", "drawn", "own"))
        lines.append(f"{name:<32}{columns}   {_signed(one['drawn_less_one'])}")
    return "\n".join(lines)


def _own_maps(scores: Float[np.ndarray, " n"], events: Bool[np.ndarray, " n"], strata: list[str]) -> Calibrator:
    """Each stratum fitted alone."""
    named = np.array(strata)
    inside = {name: named == name for name in sorted(set(strata))}
    both = {name: rows for name, rows in inside.items() if 0 < events[rows].sum() < rows.sum()}
    own = {name: fit_calibrator(scores[rows], events[rows]) for name, rows in both.items()}
    return fit_calibrator(scores, events).model_copy(update={"strata": own})


def _signed(one: Mapping[str, float]) -> str:
    return f"{one['estimate']:+.5f} [{one['low']:+.5f}, {one['high']:+.5f}]"


@click.command()
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=lambda: os.environ.get("PRECEPTOR_DATA"),
    help="Folder that holds the public sets; without it worlds alone are measured.",
)
@click.option("--repeats", default=40, show_default=True, type=click.IntRange(5), help="Draws a line.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object with every figure.")
def main(data: Path | None, repeats: int, as_json: bool) -> None:
    """How near the truth each calibration map comes, on simulated worlds and on real outcomes."""
    figures = measure(data, repeats)
    click.echo(json.dumps(figures) if as_json else table(figures))


if __name__ == "__main__":
    main()
