"""A frozen version in the forms that other tools read; deterministic, sorted by pair id.

| verdict | outcomes | trl (preference) | lmarena `winner` | routellm `label` |
|---|---|---|---|---|
| strong better | mean quality per model | chosen = strong | its side | 0 strong |
| weak better | mean quality per model | chosen = weak | its side | 2 weak |
| both acceptable | 1 and 1 | left out | tie | 1 tie |
| neither acceptable | 0 and 0 | left out | tie (bothbad) | left out: RouteLLM counts a tie as a weak win |
| cannot judge, or no majority | left out (majority not needed) | left out | left out (each vote is a row) | left out |

`lmarena` has a row per judgement, the others a row per pair or query. Those say `n_experts`, the number of experts who
could judge, and `inclusion_probability` where the import knew it. What a router learns from them: `models.targets`.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from core.errors import DataError
from core.fingerprint import of_text
from core.ledger import Detail, Ledger
from core.records import Message, Pair, Verdict
from labeling.frozen.dataset_files import Dataset, JudgedPair, outcome_rows
from labeling.frozen.freezing import open_version
from labeling.quality.consensus import Consensus, consensus_of

ExportRow = Mapping[str, object]


class Export(NamedTuple):
    """Rows in a foreign form, and how many pairs (or judgements) have no place in it."""

    rows: list[ExportRow]
    n_left_out: int


def export(dataset: Dataset, form: str) -> Export:
    """The rows of a version in one of `FORMS`.

    Raises:
        DataError: the form needs to know the weak and the strong model, and the import did not say.
    """
    return FORMS[form](dataset)


def export_version(
    engine: sa.Engine, reference: str, form: str, *, folder: Path, by: str, now: datetime | None = None
) -> tuple[str, int, int]:
    """JSON lines of version NAME@N in a form, their number, and how many had no place; the ledger says who took them.

    Raises:
        PreceptorError: there is no such version.
        DataError: its folder was altered, or the form does not suit it.
    """
    dataset = open_version(engine, reference, folder)
    rows, n_left_out = export(dataset, form)
    text = "".join(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n" for row in rows)
    details: dict[str, Detail] = {"format": form, "rows": len(rows), "sha256": of_text(text)}
    Ledger(engine).append(by, "dataset.export", reference, details, now=now)
    return text, len(rows), n_left_out


def as_outcomes(dataset: Dataset) -> Export:
    """Preceptor's own form, for `preceptor run`."""
    rows = outcome_rows(dataset)
    n_queries = len({judged.pair.query.id for judged in dataset.pairs})
    return Export([*rows], n_queries - len(rows))


def as_trl(dataset: Dataset) -> Export:
    """TRL's conversational preference form; `weight` is the share of experts behind the verdict times the row's own."""
    rows: list[ExportRow] = []
    for judged, joint in _with_consensus(dataset):
        if joint is None or joint.verdict not in (Verdict.FIRST_BETTER, Verdict.SECOND_BETTER):
            continue
        pair = judged.pair
        first_won = joint.verdict is Verdict.FIRST_BETTER
        chosen, rejected = (pair.first, pair.second) if first_won else (pair.second, pair.first)
        rows.append(
            {
                "prompt": _turns(pair),
                "chosen": [{"role": "assistant", "content": chosen.text}],
                "rejected": [{"role": "assistant", "content": rejected.text}],
                "weight": joint.share * judged.weight,
                "pair_id": pair.id,
                "dataset": dataset.reference,
                **_provenance(judged, joint),
            }
        )
    return Export(rows, len(dataset.pairs) - len(rows))


def as_lmarena(dataset: Dataset) -> Export:
    """LMArena battles: one row per judgement, the expert by pseudonym; `question_id` is the judgement's id."""
    winners = {
        Verdict.FIRST_BETTER: "model_a",
        Verdict.SECOND_BETTER: "model_b",
        Verdict.BOTH_ACCEPTABLE: "tie",
        Verdict.NEITHER_ACCEPTABLE: "tie (bothbad)",
    }
    pairs = {judged.pair.id: judged.pair for judged in dataset.pairs}
    rows: list[ExportRow] = [
        {
            "question_id": judgement.id,
            "model_a": pair.first.model,
            "model_b": pair.second.model,
            "winner": winners[judgement.verdict],
            "judge": judgement.expert,
            "conversation_a": [*_turns(pair), {"role": "assistant", "content": pair.first.text}],
            "conversation_b": [*_turns(pair), {"role": "assistant", "content": pair.second.text}],
            "turn": sum(message.role == "user" for message in pair.query.messages),
            "anony": True,
            "tstamp": judgement.at.timestamp(),
        }
        for judgement in dataset.judgements
        if judgement.verdict in winners
        for pair in [pairs[judgement.pair_id]]
    ]
    return Export(rows, len(dataset.judgements) - len(rows))


def as_routellm(dataset: Dataset) -> Export:
    """RouteLLM's three classes (0 strong, 1 tie, 2 weak), and where such a query should be routed.

    `route` is the cheapest acceptable answer: weak, else strong, else human.
    """
    faults = [f"pair {judged.pair.id}: no weak and strong model" for judged in dataset.pairs if judged.weak is None]
    if faults:
        raise DataError(faults, "Import with --weak MODEL --strong MODEL, so that the classes have a meaning.")
    rows: list[ExportRow] = []
    for judged, joint in _with_consensus(dataset):
        if joint is None or joint.verdict in (None, Verdict.NEITHER_ACCEPTABLE):
            continue
        strong_is_first = judged.pair.first.model == judged.strong
        weak_quality = joint.second_quality if strong_is_first else joint.first_quality
        strong_quality = joint.first_quality if strong_is_first else joint.second_quality
        strong_won = joint.verdict is (Verdict.FIRST_BETTER if strong_is_first else Verdict.SECOND_BETTER)
        label = 1 if joint.verdict is Verdict.BOTH_ACCEPTABLE else 0 if strong_won else 2
        rows.append(
            {
                "pair_id": judged.pair.id,
                "prompt": judged.pair.query.text,
                "label": label,
                "route": "weak" if weak_quality > 0.5 else "strong" if strong_quality > 0.5 else "human",
                "weak": judged.weak,
                "strong": judged.strong,
                "weight": joint.share * judged.weight,
                "dataset": dataset.reference,
                **_provenance(judged, joint),
            }
        )
    return Export(rows, len(dataset.pairs) - len(rows))


FORMS: Mapping[str, Callable[[Dataset], Export]] = {
    "outcomes": as_outcomes,
    "trl": as_trl,
    "lmarena": as_lmarena,
    "routellm": as_routellm,
}
"""The forms by name."""


def _with_consensus(dataset: Dataset) -> list[tuple[JudgedPair, Consensus | None]]:
    by_pair = dataset.judgements_by_pair()
    return [(judged, consensus_of(by_pair.get(judged.pair.id, []))) for judged in dataset.pairs]


def _provenance(judged: JudgedPair, joint: Consensus) -> dict[str, object]:
    """How many experts stand behind a row, and the chance that its query had of being chosen, where it is known."""
    chance = {name: value for name, value in judged.sampling.items() if name != "weight"}
    return {"n_experts": joint.n_experts, **chance}


def _turns(pair: Pair) -> list[dict[str, str]]:
    messages: tuple[Message, ...] = pair.query.messages
    return [{"role": message.role, "content": message.content} for message in messages]
