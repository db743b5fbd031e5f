"""Small frozen versions, made without a store: pairs of a strong and a weak answer, judged as a test says."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from core.records import Answer, Judgement, Pair, Verdict, messages_of
from core.records import Query as Asked
from labeling.frozen.dataset import About, Dataset, JudgedPair
from labeling.frozen.standing import with_consensus
from labeling.quality.rulings import ErrorClass, Ruling

WEAK, STRONG = "lexical-coder", "minilm-coder"
NINE = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
FIRST, SECOND = Verdict.FIRST_BETTER, Verdict.SECOND_BETTER
BOTH, NEITHER, CANNOT = Verdict.BOTH_ACCEPTABLE, Verdict.NEITHER_ACCEPTABLE, Verdict.CANNOT_JUDGE
MARKS = {BOTH: (True, True), NEITHER: (False, False)}


def judgement(pair: int, expert: str, verdict: Verdict, **fields: Any) -> Judgement:
    """What an expert said of pair number so and so; both and neither mark both answers, as the screen does."""
    first, second = MARKS.get(verdict, (None, None))
    reason = "no record" if verdict is CANNOT else ""
    given = {"first_acceptable": first, "second_acceptable": second, "reason": reason, **fields}
    return Judgement(
        id=f"j-{pair:03}-{expert}",
        pair_id=f"p-{pair:03}",
        expert=expert,
        verdict=verdict,
        at=NINE,
        **{**given, **fields},
    )


def ruling(pair: int, verdict: Verdict, **fields: Any) -> Ruling:
    """The last word on a pair."""
    first, second = MARKS.get(verdict, (None, None))
    given = {"first_acceptable": first, "second_acceptable": second, "reason": "The record says so.", **fields}
    return Ruling(
        id=f"r-{pair:03}",
        pair_id=f"p-{pair:03}",
        edition=1,
        by="expert_senior",
        verdict=verdict,
        error_class=ErrorClass.SLIP,
        guideline_version=None,
        at=NINE.isoformat(),
        **given,
    )


def pair_of(number: int, **fields: Any) -> JudgedPair:
    """A pair of which the strong model's answer is the first one."""
    query = Asked(
        id=f"q-{number:03}", messages=messages_of(f"Code diagnosis {number}: ménière’s disease."), domain="ear"
    )
    first = Answer(query_id=query.id, model=STRONG, text=f"**H81.0{number}**, Ménière's disease.", cost_usd=0.02)
    second = Answer(query_id=query.id, model=WEAK, text=f"H81.0{number}", cost_usd=0.001)
    pair = Pair(id=f"p-{number:03}", query=query, first=first, second=second)
    return JudgedPair(**{"pair": pair, "weak": WEAK, "strong": STRONG, **fields})


def version(
    judgements: Sequence[Judgement],
    *,
    rulings: Sequence[Ruling] = (),
    about: About | None = None,
    **pair_fields: dict[int, dict[str, Any]],
) -> Dataset:
    """A version of these judgements; `p3={"is_audit": True}` says more of pair 3."""
    numbers = sorted({int(one.pair_id[2:]) for one in judgements})
    pairs = [pair_of(number, **pair_fields.get(f"p{number}", {})) for number in numbers]
    return Dataset(
        name="ear",
        version=1,
        frozen_at="2026-11-24T10:00:00.000+00:00",
        frozen_by="lead",
        content_sha256="0" * 64,
        parent=None,
        ledger_seq=7,
        ledger_hash="1" * 64,
        about=about or About(data_class="deidentified", intended_use="Testing."),
        pairs=tuple(with_consensus(pairs, judgements, rulings)),
        judgements=tuple(sorted(judgements, key=lambda one: (one.pair_id, one.id))),
        rulings=tuple(rulings),
    )


def six() -> Dataset:
    """Six pairs, one of each kind: strong, weak, both, neither, cannot, and strong with a weak one that will do."""
    return version(
        [
            judgement(1, "ann", FIRST, strength=2),
            judgement(2, "ann", SECOND, strength=1),
            judgement(3, "ann", BOTH),
            judgement(4, "ann", NEITHER),
            judgement(5, "ann", CANNOT),
            judgement(6, "ann", FIRST, strength=3, first_acceptable=True, second_acceptable=True),
        ]
    )
