"""How many planted faults the deterministic checks catch, and how often they stop an untouched answer.

    python -m benchmarks.seeded_faults [--n 200] [--seed 0] [--pack legal] [--json]

Each fault is planted into a right answer, and the whole pack rechecks both, without any model. *Caught*: the pack's
outcome on the faulty answer is anything but pass, so that it would not leave at high stakes. *False alarm*: it is
anything but pass on the untouched one. Intervals are exact (Clopper-Pearson), 95 %. Answers are written by
`benchmarks/faults`; figures on them say what the checks can see, not how often a model errs in these ways.
"""

import json
import os
from collections import Counter
from dataclasses import dataclass, field

os.environ.setdefault("OMP_NUM_THREADS", "1")

import click
import numpy as np

from assurance.bounds import binomial_interval
from benchmarks.faults import coding, figures, wording
from benchmarks.faults.seeded import Seeded
from verifiers.chain import Check, CheckOutcome, run_chain
from verifiers.packs import checks_of

LEAST_CAUGHT, MOST_ALARMS = 0.95, 0.01
"""What each kind must reach, and each pack may not exceed."""


@dataclass
class Tally:
    """One kind of fault, or one pack: how many answers, how many that did not pass, and why."""

    n: int = 0
    n_not_passed: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, checks: tuple[Check, ...], case: object) -> None:
        """Recheck one answer."""
        verdict = run_chain(checks, case)  # type: ignore[arg-type]
        self.n += 1
        if verdict.outcome is not CheckOutcome.PASS:
            self.n_not_passed += 1
            self.reasons.update(verdict.reasons)

    @property
    def figures(self) -> dict[str, object]:
        """Share with its exact interval, and the commonest reasons."""
        share = binomial_interval(self.n_not_passed, self.n)
        common = dict(self.reasons.most_common(5))
        return {"n": self.n, "share": share.estimate, "low": share.low, "high": share.high, "reasons": common}


@dataclass(frozen=True)
class Result:
    """Faults caught by kind, and untouched answers stopped by pack."""

    caught: dict[str, Tally]
    alarms: dict[str, Tally]

    @property
    def faults(self) -> list[str]:
        """What does not reach the bars."""
        return [
            *(f"{kind} caught" for kind, one in self.caught.items() if one.n_not_passed / one.n < LEAST_CAUGHT),
            *(f"{pack} alarms" for pack, one in self.alarms.items() if one.n_not_passed / one.n > MOST_ALARMS),
        ]


def planted(rng: np.random.Generator, n: int, pack: str | None = None) -> list[Seeded]:
    """`n` faults of every kind, of one pack or of all."""
    found = [*coding.seeded(rng, n), *figures.seeded(rng, n), *wording.seeded(rng, n)]
    return [one for one in found if pack in (None, one.pack)]


def measured(faults: list[Seeded]) -> Result:
    """Each fault and its untouched twin, through the whole pack."""
    checks = {pack: checks_of(pack) for pack in sorted({one.pack for one in faults})}
    caught: dict[str, Tally] = {}
    alarms: dict[str, Tally] = {}
    for one in faults:
        caught.setdefault(one.fault, Tally()).add(checks[one.pack], one.faulty)
        alarms.setdefault(one.pack, Tally()).add(checks[one.pack], one.clean)
    return Result(caught, alarms)


@click.command()
@click.option("--n", default=200, show_default=True, help="Planted faults of each kind.")
@click.option("--seed", default=0, show_default=True, help="Seed of the answers and faults.")
@click.option("--pack", help="One pack alone.")
@click.option("--json", "as_json", is_flag=True, help="One object with every figure.")
def main(n: int, seed: int, pack: str | None, *, as_json: bool) -> None:
    """Measure and print."""
    result = measured(planted(np.random.default_rng(seed), n, pack))
    caught = {kind: tally.figures for kind, tally in result.caught.items()}
    alarms = {name: tally.figures for name, tally in result.alarms.items()}
    if as_json:
        bars = {"least_caught": LEAST_CAUGHT, "most_alarms": MOST_ALARMS, "missed": result.faults}
        click.echo(json.dumps({"n": n, "seed": seed, "caught": caught, "alarms": alarms, "bars": bars}))
        return
    for title, rows in (("caught", caught), ("false alarms", alarms)):
        click.echo(title)
        for name, row in rows.items():
            reasons = ", ".join(f"{reason} {count}" for reason, count in dict(row["reasons"]).items())  # type: ignore[call-overload]
            click.echo(
                f"  {name:<28} {row['share']:6.1%} [{row['low']:.1%}, {row['high']:.1%}] of {row['n']:>5}  {reasons}"
            )
    click.echo(f"Below the bars: {', '.join(result.faults) or 'none'}")


if __name__ == "__main__":
    main()
