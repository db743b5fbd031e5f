"""Versions as records of other annotation tools: Argilla's records with responses, Label Studio's annotated tasks.

The first answer of the pair, in canonical order, is `response_1`, `answer1` and left; the sides that experts saw are in
the version's own judgements. Label Studio accepts no foreign names as `completed_by`, so the expert stands in a field.
"""

import uuid
from collections.abc import Sequence

from core.records import Verdict
from labeling.frozen.dataset import PART_OF_AUDIT, Dataset, JudgedPair
from labeling.frozen.export_rows import Export, ExportRow
from labeling.frozen.voices import Voice, voices_of

ARGILLA_VERDICTS = {
    Verdict.FIRST_BETTER: "response_1",
    Verdict.SECOND_BETTER: "response_2",
    Verdict.BOTH_ACCEPTABLE: "both_acceptable",
    Verdict.NEITHER_ACCEPTABLE: "neither_acceptable",
    Verdict.CANNOT_JUDGE: "cannot_judge",
}
"""Labels of the question `verdict` in Argilla."""

LABEL_STUDIO_CONFIG = """<View>
  <Text name="prompt" value="$prompt"/>
  <Pairwise name="comparison" toName="answer1,answer2"/>
  <Text name="answer1" value="$answer1"/>
  <Text name="answer2" value="$answer2"/>
  <Choices name="verdict" toName="prompt" choice="single" required="true">
    <Choice value="first_better"/>
    <Choice value="second_better"/>
    <Choice value="both_acceptable"/>
    <Choice value="neither_acceptable"/>
    <Choice value="cannot_judge"/>
  </Choices>
  <Choices name="first_acceptable" toName="answer1" choice="single">
    <Choice value="acceptable"/>
    <Choice value="not acceptable"/>
  </Choices>
  <Choices name="second_acceptable" toName="answer2" choice="single">
    <Choice value="acceptable"/>
    <Choice value="not acceptable"/>
  </Choices>
  <Rating name="strength" toName="prompt" maxRating="3"/>
  <TextArea name="reason" toName="prompt"/>
  <TextArea name="expert" toName="prompt" editable="false"/>
</View>
"""
"""The labeling interface for `as_labelstudio`'s tasks. A `Pairwise` holds no tie: `verdict` does."""


def as_argilla(dataset: Dataset, *, per_rater: bool) -> Export:
    """One record per pair with every expert's response; user ids are derived from pseudonyms and always the same."""
    spoken = _by_pair(voices_of(dataset, per_rater=per_rater))
    rows: list[ExportRow] = []
    for judged in dataset.pairs:
        voices = [voice for voice in spoken.get(judged.pair.id, []) if voice.verdict is not None]
        if not voices:
            continue
        responses = {
            "verdict": [_response(voice, ARGILLA_VERDICTS[voice.verdict]) for voice in voices if voice.verdict],
            "strength": [_response(voice, round(voice.strength)) for voice in voices if voice.strength is not None],
            "rationale": [_response(voice, voice.reason) for voice in voices if voice.reason],
        }
        rows.append(
            {
                "id": judged.pair.id,
                "fields": {
                    "prompt": judged.pair.query.text,
                    "response_1": judged.pair.first.text,
                    "response_2": judged.pair.second.text,
                },
                "metadata": _metadata(judged, dataset),
                "responses": {name: given for name, given in responses.items() if given},
            }
        )
    return Export(rows, len(dataset.pairs) - len(rows))


def as_labelstudio(dataset: Dataset, *, per_rater: bool) -> Export:
    """One task per pair with an annotation per expert, for the interface of `LABEL_STUDIO_CONFIG`."""
    spoken = _by_pair(voices_of(dataset, per_rater=per_rater))
    rows: list[ExportRow] = []
    for judged in dataset.pairs:
        voices = [voice for voice in spoken.get(judged.pair.id, []) if voice.verdict is not None]
        if not voices:
            continue
        rows.append(
            {
                "id": len(rows) + 1,
                "data": {
                    "prompt": judged.pair.query.text,
                    "answer1": judged.pair.first.text,
                    "answer2": judged.pair.second.text,
                    "pair_id": judged.pair.id,
                    **_metadata(judged, dataset),
                },
                "annotations": [_annotation(voice) for voice in voices],
            }
        )
    return Export(rows, len(dataset.pairs) - len(rows))


def argilla_user(who: str) -> str:
    """The user id that stands for a pseudonym in Argilla's responses: a UUID that hangs on nothing else."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"preceptor:{who}"))


def _response(voice: Voice, value: object) -> dict[str, object]:
    return {"value": value, "user_id": argilla_user(voice.who), "status": "submitted"}


def _annotation(voice: Voice) -> dict[str, object]:
    result = [_result("verdict", "prompt", "choices", {"choices": [str(voice.verdict)]})]
    if voice.verdict in (Verdict.FIRST_BETTER, Verdict.SECOND_BETTER):
        side = "left" if voice.verdict is Verdict.FIRST_BETTER else "right"
        result.insert(0, _result("comparison", "answer1,answer2", "pairwise", {"selected": side}))
    for name, answer, is_acceptable in zip(
        ("first_acceptable", "second_acceptable"), ("answer1", "answer2"), voice.acceptable, strict=True
    ):
        if is_acceptable is not None:
            word = "acceptable" if is_acceptable else "not acceptable"
            result.append(_result(name, answer, "choices", {"choices": [word]}))
    if voice.strength is not None:
        result.append(_result("strength", "prompt", "rating", {"rating": round(voice.strength)}))
    if voice.reason:
        result.append(_result("reason", "prompt", "textarea", {"text": [voice.reason]}))
    result.append(_result("expert", "prompt", "textarea", {"text": [voice.who]}))
    seconds = {} if voice.active_ms is None else {"lead_time": voice.active_ms / 1000}
    return {"result": result, "was_cancelled": False, "ground_truth": voice.who == "ruling", **seconds}


def _result(name: str, to: str, kind: str, value: object) -> dict[str, object]:
    return {"from_name": name, "to_name": to, "type": kind, "value": value}


def _metadata(judged: JudgedPair, dataset: Dataset) -> dict[str, object]:
    query = judged.pair.query
    return {
        "dataset": dataset.reference,
        "domain": query.domain,
        "stakes": str(query.stakes),
        "stratum": query.stratum_name,
        "split": PART_OF_AUDIT[judged.is_audit],
    }


def _by_pair(voices: Sequence[Voice]) -> dict[str, list[Voice]]:
    grouped: dict[str, list[Voice]] = {}
    for voice in voices:
        grouped.setdefault(voice.judged.pair.id, []).append(voice)
    return grouped
