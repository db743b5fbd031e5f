"""Versions as rows that trainers read: TRL's preference and unpaired (KTO) forms, and RouteLLM's three classes.

*Neither acceptable* is never a tie here: RouteLLM would count it as a win of the weak model.
"""

from core.errors import DataError
from core.records import Answer, Pair, Verdict
from labeling.frozen.dataset import Dataset
from labeling.frozen.export_rows import Export, ExportRow
from labeling.frozen.voices import Voice, voices_of


def as_trl(dataset: Dataset, *, per_rater: bool) -> Export:
    """TRL's conversational preference form; `weight` is the share of experts behind the verdict times the row's own.

    `margin` is how much better the chosen answer is, 1 to 3. TRL wants it in every row or in none, so it stands only
    where every row has one; `strength` says the same per row.
    """
    rows: list[dict[str, object]] = []
    for voice in voices_of(dataset, per_rater=per_rater):
        if voice.verdict not in (Verdict.FIRST_BETTER, Verdict.SECOND_BETTER):
            continue
        pair = voice.judged.pair
        first_won = voice.verdict is Verdict.FIRST_BETTER
        chosen, rejected = (pair.first, pair.second) if first_won else (pair.second, pair.first)
        rows.append(
            {
                "prompt": turns(pair),
                "chosen": _said(chosen),
                "rejected": _said(rejected),
                "strength": voice.strength,
                **_about(voice, dataset, per_rater=per_rater),
            }
        )
    if rows and all(row["strength"] is not None for row in rows):
        rows = [{**row, "margin": row["strength"]} for row in rows]
    return Export([*rows], _n_voices(dataset, per_rater=per_rater) - len(rows))


def as_kto(dataset: Dataset, *, per_rater: bool) -> Export:
    """TRL's unpaired form: one row per answer, labelled by whether it is acceptable, whatever the other one is."""
    rows: list[ExportRow] = []
    for voice in voices_of(dataset, per_rater=per_rater):
        pair = voice.judged.pair
        for name, answer, is_acceptable in zip(
            ("first", "second"), (pair.first, pair.second), voice.acceptable, strict=True
        ):
            if is_acceptable is None:
                continue
            rows.append(
                {
                    "prompt": turns(pair),
                    "completion": _said(answer),
                    "label": is_acceptable,
                    "answer": name,
                    **_about(voice, dataset, per_rater=per_rater),
                }
            )
    return Export(rows, 2 * _n_voices(dataset, per_rater=per_rater) - len(rows))


def as_routellm(dataset: Dataset, *, per_rater: bool = False) -> Export:
    """RouteLLM's three classes (0 strong, 1 tie, 2 weak), and where such a query should be routed.

    `route` is the cheapest acceptable answer: weak, else strong, else human.

    Raises:
        DataError: a pair does not know which of its models is weak.
    """
    faults = [f"pair {judged.pair.id}: no weak and strong model" for judged in dataset.pairs if judged.weak is None]
    if faults:
        raise DataError(faults, "Import with --weak MODEL --strong MODEL, so that the classes have a meaning.")
    rows: list[ExportRow] = []
    for voice in voices_of(dataset, per_rater=per_rater):
        if voice.verdict in (None, Verdict.NEITHER_ACCEPTABLE, Verdict.CANNOT_JUDGE):
            continue
        judged = voice.judged
        strong_is_first = judged.pair.first.model == judged.strong
        qualities = (voice.first_quality or 0.0, voice.second_quality or 0.0)
        strong_quality, weak_quality = qualities if strong_is_first else qualities[::-1]
        strong_won = voice.verdict is (Verdict.FIRST_BETTER if strong_is_first else Verdict.SECOND_BETTER)
        label = 1 if voice.verdict is Verdict.BOTH_ACCEPTABLE else 0 if strong_won else 2
        rows.append(
            {
                "prompt": judged.pair.query.text,
                "label": label,
                "route": "weak" if weak_quality > 0.5 else "strong" if strong_quality > 0.5 else "human",
                "weak": judged.weak,
                "strong": judged.strong,
                **_about(voice, dataset, per_rater=per_rater),
            }
        )
    return Export(rows, _n_voices(dataset, per_rater=per_rater) - len(rows))


def turns(pair: Pair) -> list[dict[str, str]]:
    """The query as a list of {role, content}."""
    return [{"role": message.role, "content": message.content} for message in pair.query.messages]


def _said(answer: Answer) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": answer.text}]


def _about(voice: Voice, dataset: Dataset, *, per_rater: bool) -> dict[str, object]:
    """Where a row comes from, how much it counts, and the chance that its query had of being chosen, where known."""
    judged = voice.judged
    chance = {name: value for name, value in judged.sampling.items() if name != "weight"}
    who = {"judge": voice.who, "judgement_id": voice.id} if per_rater else {}
    return {
        "pair_id": judged.pair.id,
        "dataset": dataset.reference,
        "weight": voice.share * judged.weight,
        "n_experts": voice.n_experts,
        **who,
        **chance,
    }


def _n_voices(dataset: Dataset, *, per_rater: bool) -> int:
    return len(dataset.judgements) if per_rater else len(dataset.pairs)
