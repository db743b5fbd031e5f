"""A frozen version as outcomes: per query, how good each model's answer was, in the form that `preceptor run` reads.

A ruling stands above the experts; without one they are averaged. Queries that nobody could judge are left out.
"""

from collections import defaultdict
from statistics import fmean

from core.records import Answer, Query, Source
from labeling.frozen.dataset import FORMAT, Dataset, JudgedPair


def outcome_rows(dataset: Dataset, *, of_audit: bool | None = False, form: int = FORMAT) -> list[dict[str, object]]:
    """One outcome per query: each model's mean quality over experts, or the ruling's.

    `n_experts` is the number of experts who could judge the query; weight and inclusion probability stand where known.

    Args:
        dataset: the version.
        of_audit: rows of the audit split, or of the others; None: all rows.
        form: the format of the version's files.
    """
    by_pair, ruling_of = dataset.judgements_by_pair(), dataset.ruling_by_pair()
    grades: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    answers: dict[str, dict[str, Answer]] = defaultdict(dict)
    queries: dict[str, Query] = {}
    experts: dict[str, set[str]] = defaultdict(set)
    row_of: dict[str, JudgedPair] = {}
    for judged in dataset.pairs:
        pair = judged.pair
        if of_audit is not None and judged.is_audit is not of_audit:
            continue
        said = [(judgement.expert, judgement.qualities) for judgement in by_pair.get(pair.id, [])]
        able = [(expert, grade) for expert, grade in said if grade is not None]
        ruling = ruling_of.get(pair.id)
        given = [grade for _, grade in able]
        if ruling is not None:
            final = ruling.qualities
            given = [] if final is None else [final]
        if not given:
            continue
        queries[pair.query.id], row_of[pair.query.id] = pair.query, judged
        experts[pair.query.id] |= {expert for expert, _ in able}
        for grade in given:
            for answer, quality in zip((pair.first, pair.second), grade, strict=True):
                grades[pair.query.id][answer.model].append(quality)
                answers[pair.query.id][answer.model] = answer
    rows: list[dict[str, object]] = []
    for item_id, query in sorted(queries.items()):
        results: dict[str, object] = {}
        for model, answer in sorted(answers[item_id].items()):
            optional = {} if answer.cost_usd is None else {"cost_usd": answer.cost_usd}
            results[model] = {"quality": fmean(grades[item_id][model]), "text": answer.text, **optional}
        fields = query.model_dump(mode="json", exclude={"messages"}, exclude_none=True)
        messages = [message.model_dump() for message in query.messages]
        known = {"n_experts": len(experts[item_id])} if form > 1 else {}
        row = {**fields, "query": messages, "source": str(Source.EXPERT), "results": results}
        rows.append({**row, **known, **row_of[item_id].sampling})
    return rows
