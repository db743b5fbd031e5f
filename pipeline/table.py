"""The outcome table: outcomes as columns, the form in which a run computes.

Rows keep the order of the files. Quality and cost are matrices over the models; NaN means not known.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from core.errors import DataError
from core.records import Outcome

T = TypeVar("T")


@dataclass(frozen=True)
class OutcomeTable:
    """Columns of n outcomes over m models."""

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    domains: tuple[str, ...]
    strata: tuple[str, ...]
    groups: tuple[str | None, ...]
    topics: tuple[str | None, ...]
    sources: tuple[str, ...]
    """Who said how good the row's answers are: expert, reference or judge."""
    models: tuple[str, ...]
    quality: Float[np.ndarray, "n m"]
    cost_usd: Float[np.ndarray, "n m"]
    weight: Float[np.ndarray, " n"]
    """How much the row counts, > 0, as the file says; 1 where it does not."""
    inclusion_probability: Float[np.ndarray, " n"]
    """The chance that the row had of being chosen, in (0, 1]; NaN where it is not known."""

    def __len__(self) -> int:
        return len(self.ids)

    def column(self, model: str) -> int:
        """The column of a model.

        Raises:
            DataError: no row has an outcome of that model.
        """
        if model not in self.models:
            raise DataError(
                [f"no outcome of model '{model}'; the rows have {', '.join(self.models)}"],
                "Name two of these as weak and strong.",
            )
        return self.models.index(model)

    def rows(self, chosen: Bool[np.ndarray, " n"] | Int[np.ndarray, " k"]) -> "OutcomeTable":
        """The chosen rows, in order, with all models."""
        index = np.flatnonzero(chosen) if chosen.dtype == bool else chosen

        return OutcomeTable(
            _pick(self.ids, index),
            _pick(self.texts, index),
            _pick(self.domains, index),
            _pick(self.strata, index),
            _pick(self.groups, index),
            _pick(self.topics, index),
            _pick(self.sources, index),
            self.models,
            self.quality[index],
            self.cost_usd[index],
            self.weight[index],
            self.inclusion_probability[index],
        )

    def has_pair(self, weak: str, strong: str) -> Bool[np.ndarray, " n"]:
        """Which rows know the quality of both models."""
        known = ~np.isnan(self.quality[:, [self.column(weak), self.column(strong)]])
        return np.asarray(known.all(axis=1))

    def pair_quality(self, weak: str, strong: str) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
        """Quality of the weak and of the strong model per row; NaN where not known."""
        return self.quality[:, self.column(weak)], self.quality[:, self.column(strong)]


def table_of(outcomes: Sequence[Outcome]) -> OutcomeTable:
    """Outcomes as columns; models in the order in which they first appear.

    >>> from core.records import Graded, Message, Query
    >>> query = Query(id="1", messages=(Message(role="user", content="Code this."),))
    >>> table_of([Outcome(query=query, results={"cheap": Graded(quality=1.0)})]).quality.tolist()
    [[1.0]]
    """
    models = tuple(dict.fromkeys(model for outcome in outcomes for model in outcome.results))
    column = {model: j for j, model in enumerate(models)}
    quality = np.full((len(outcomes), len(models)), np.nan)
    cost = np.full((len(outcomes), len(models)), np.nan)
    for i, outcome in enumerate(outcomes):
        for model, graded in outcome.results.items():
            quality[i, column[model]] = graded.quality
            if graded.cost_usd is not None:
                cost[i, column[model]] = graded.cost_usd
    queries = [outcome.query for outcome in outcomes]
    return OutcomeTable(
        tuple(query.id for query in queries),
        tuple(query.routing_text for query in queries),
        tuple(query.domain for query in queries),
        tuple(query.stratum_name for query in queries),
        tuple(query.group for query in queries),
        tuple(query.topic for query in queries),
        tuple(str(outcome.source) for outcome in outcomes),
        models,
        quality,
        cost,
        np.array([outcome.weight for outcome in outcomes], dtype=np.float64),
        np.array([outcome.inclusion_probability or np.nan for outcome in outcomes], dtype=np.float64),
    )


def save_table(table: OutcomeTable, folder: Path) -> None:
    """Write rows.jsonl (text columns) and values.safetensors (matrices) into `folder`."""
    with (folder / "rows.jsonl").open("w", encoding="utf-8") as file:
        columns = (table.ids, table.texts, table.domains, table.strata, table.groups, table.topics, table.sources)
        for values in zip(*columns, strict=True):
            file.write(json.dumps(dict(zip(_TEXT_COLUMNS, values, strict=True)), ensure_ascii=False) + "\n")
    save_file(
        {name: np.ascontiguousarray(getattr(table, name)) for name in _NUMBER_COLUMNS},
        folder / "values.safetensors",
        metadata={"models": json.dumps(table.models)},
    )


def load_table(folder: Path) -> OutcomeTable:
    """The table that `save_table` wrote into `folder`; one written before rows had weights weighs all rows alike."""
    with (folder / "rows.jsonl").open(encoding="utf-8") as file:
        rows: list[Mapping[str, str]] = [json.loads(line) for line in file]
    values = load_file(folder / "values.safetensors")
    columns = {name: tuple(row[name] for row in rows) for name in _TEXT_COLUMNS}
    n = len(rows)
    return OutcomeTable(
        **columns,
        models=_models(folder / "values.safetensors"),
        quality=values["quality"],
        cost_usd=values["cost_usd"],
        weight=values.get("weight", np.ones(n)),
        inclusion_probability=values.get("inclusion_probability", np.full(n, np.nan)),
    )


def _pick(column: tuple[T, ...], index: Int[np.ndarray, " k"]) -> tuple[T, ...]:
    return tuple(column[i] for i in index)


def _models(path: Path) -> tuple[str, ...]:
    with safe_open(path, framework="numpy") as file:
        return tuple(json.loads(file.metadata()["models"]))


_TEXT_COLUMNS = ("ids", "texts", "domains", "strata", "groups", "topics", "sources")

_NUMBER_COLUMNS = ("quality", "cost_usd", "weight", "inclusion_probability")
