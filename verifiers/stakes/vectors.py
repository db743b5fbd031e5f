"""Labelled requests, and what a policy makes of them: how many of high stakes it saw, and what it missed.

    critical:
      - Release the wire today.
      - {text: "How much?", facts: {amount_usd: 250000}, task: payment_release}
    low:
      - What does EBITDA mean?

A request is *missed* when its tier is lower than it should be, and *raised in vain* when one that should be low or
standard became high. A high one that became critical is neither.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import yaml
from pydantic import Field, JsonValue, RootModel, ValidationError

from core.errors import SettingsError
from core.records import Record, Stakes
from verifiers.stakes.deciding import StakesRequest, decide_stakes
from verifiers.stakes.policy import StakesPolicy


class Vector(Record):
    """One request, and what is known beside its text."""

    text: str = ""
    facts: Mapping[str, JsonValue] = {}
    task: str | None = None
    domain: str | None = None


class _VectorFile(RootModel[dict[Stakes, list[Annotated[str | Vector, Field(union_mode="left_to_right")]]]]):
    """Requests by the tier that they should get."""


class Labelled(NamedTuple):
    """A request, the tier that it should get, and where it stands: `finance.yaml critical 3`."""

    place: str
    vector: Vector
    tier: Stakes


class Told(NamedTuple):
    """What the policy said of one."""

    labelled: Labelled
    stakes: Stakes
    rules: tuple[str, ...]

    @property
    def is_missed(self) -> bool:
        """Whether its tier is too low."""
        return self.stakes < self.labelled.tier

    @property
    def is_in_vain(self) -> bool:
        """Whether it became high and should not."""
        return self.stakes.is_high and not self.labelled.tier.is_high


class Recall(NamedTuple):
    """How many of the requests of high and critical stakes became high or critical, with an exact lower limit."""

    n_high: int
    n_seen: int
    lower: float

    @property
    def share(self) -> float | None:
        """The recall on these requests; None without any."""
        return self.n_seen / self.n_high if self.n_high else None


def read_vectors(path: Path) -> list[Labelled]:
    """The labelled requests of a YAML file, in its order.

    Raises:
        SettingsError: there is no such file, or it has another form; every fault is named.
    """
    try:
        found = _VectorFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise SettingsError(f"There are no vectors at {path}. Correct `vectors` in the policy.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not YAML ({error}). Correct it.") from error
    except ValidationError as error:
        faults = "\n".join(f"  {'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise SettingsError(f"{path} holds no vectors:\n{faults}\nWrite lists of requests under tiers.") from error
    return [
        Labelled(f"{path.name} {tier} {number}", Vector(text=one) if isinstance(one, str) else one, tier)
        for tier, rows in found.root.items()
        for number, one in enumerate(rows, start=1)
    ]


def tell(policy: StakesPolicy, vectors: Sequence[Labelled]) -> list[Told]:
    """What the policy says of each."""
    told = []
    for labelled in vectors:
        one = labelled.vector
        decision = decide_stakes(
            policy, StakesRequest((one.text,), facts=dict(one.facts), task=one.task, domain=one.domain)
        )
        told.append(Told(labelled, decision.stakes, decision.rules))
    return told


def recall_of(told: Sequence[Told], *, delta: float) -> Recall:
    """The recall of high stakes, with the limit that is below the true one with probability at least 1 - delta.

    Requests count as drawn alike from what the policy will meet; written ones are not, and show no more than that
    rules do what their authors meant.
    """
    high = [one for one in told if one.labelled.tier.is_high]
    seen = sum(one.stakes.is_high for one in high)
    return Recall(len(high), seen, recall_lower(seen, len(high), delta=delta))


def recall_lower(seen: int, n: int, *, delta: float) -> float:
    """The exact (Clopper-Pearson) one-sided lower limit of a share; 0 without any row.

    >>> recall_lower(59, 59, delta=0.05) > 0.95 > recall_lower(58, 58, delta=0.05)     # 0.05 ** (1 / 59)
    True
    """
    from scipy.stats import beta

    return float(beta.ppf(delta, seen, n - seen + 1)) if seen else 0.0
