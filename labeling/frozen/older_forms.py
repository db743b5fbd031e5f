"""The files of versions that earlier releases froze, in formats 1 and 2: the same bytes again, for ever.

Nothing is frozen in these formats any more, so nothing here changes.
"""

from collections import Counter
from collections.abc import Mapping

from core.fingerprint import of_text
from core.records import Verdict
from labeling.frozen.dataset import Dataset
from labeling.frozen.lines import json_lines, manifest_text
from labeling.frozen.outcome_rows import outcome_rows
from labeling.quality.overview import agreement_of

OLDER_FORMS = (2, 1)

_JUDGEMENT = {
    "id",
    "pair_id",
    "expert",
    "verdict",
    "first_acceptable",
    "second_acceptable",
    "swapped",
    "reason",
    "active_ms",
    "at",
}


def older_files(dataset: Dataset, *, form: int) -> dict[str, str]:
    """Every file of a version of format 1 or 2, with its manifest, by name."""
    files = {
        "judgements.jsonl": json_lines(one.model_dump(mode="json", include=_JUDGEMENT) for one in dataset.judgements),
        "pairs.jsonl": json_lines(
            judged.model_dump(mode="json", include={"pair", "weak", "strong"}) | judged.sampling
            for judged in dataset.pairs
        ),
        "outcomes.jsonl": json_lines(outcome_rows(dataset, of_audit=None, form=form)),
        "datasheet.md": _datasheet(dataset),
    }
    hashes = {name: of_text(text) for name, text in sorted(files.items())}
    manifest = {"format": form, **dataset.lineage(), "counts": older_counts(dataset), "files": hashes}
    return {**files, "MANIFEST.json": manifest_text(manifest)}


def older_counts(dataset: Dataset) -> Mapping[str, int]:
    """The numbers that the manifest and the datasheet show."""
    verdicts = Counter(judgement.verdict for judgement in dataset.judgements)
    by_pair = dataset.judgements_by_pair()
    return {
        "pairs": len(dataset.pairs),
        "judgements": len(dataset.judgements),
        "experts": len({judgement.expert for judgement in dataset.judgements}),
        "pairs_judged_twice": sum(1 for judgements in by_pair.values() if len(judgements) > 1),
        "outcomes": len(outcome_rows(dataset, of_audit=None)),
        **{str(verdict): verdicts[verdict] for verdict in Verdict},
    }


def _datasheet(dataset: Dataset) -> str:
    n = older_counts(dataset)
    agreed = agreement_of(dataset.judgements)
    swapped = sum(judgement.swapped for judgement in dataset.judgements)
    marked = sum(judgement.first_acceptable is not None for judgement in dataset.judgements)
    strata = Counter(judged.pair.query.stratum_name for judged in dataset.pairs)
    # These sentences are part of the bytes; those of `assurance` may be worded anew some day.
    why = "Every label is the same, so chance alone explains the agreement and alpha has no value."
    if agreed.raw is None:
        why = "No item was judged by two experts. Have some items judged twice."
    alpha = f"{agreed.alpha:.3f}" if agreed.alpha is not None else f"undefined. {why}"
    raw = f"{agreed.raw:.3f}" if agreed.raw is not None else "undefined"
    return "\n".join(
        [
            f"# {dataset.reference}",
            "",
            f"Frozen {dataset.frozen_at} by {dataset.frozen_by}, at event {dataset.ledger_seq} of the ledger.",
            f"Parent: {dataset.parent or 'none'}. Content: sha256 {dataset.content_sha256}.",
            "",
            "## What it holds",
            "",
            f"- {n['pairs']} pairs, {n['judgements']} judgements of {n['experts']} experts, who appear by pseudonym.",
            f"- {n['outcomes']} outcomes (`outcomes.jsonl`, source: expert).",
            f"- {n['cannot_judge']} judgements say *cannot judge*; they are kept here and left out of the outcomes.",
            "",
            "| verdict | judgements |",
            "|---|---|",
            *(f"| {verdict} | {n[str(verdict)]} |" for verdict in Verdict),
            "",
            "| stratum | pairs |",
            "|---|---|",
            *(f"| {stratum} | {number} |" for stratum, number in sorted(strata.items())),
            "",
            "## How it was judged",
            "",
            "- Blind: the screen never received the models' names.",
            f"- Sides were counterbalanced; the second answer stood left in {swapped} of {n['judgements']} judgements.",
            f"- {marked} of {n['judgements']} judgements mark the first answer acceptable or not; "
            "where a mark is missing, the verdict speaks.",
            f"- {n['pairs_judged_twice']} pairs were judged by two experts or more: raw agreement {raw}, "
            f"Krippendorff's alpha (nominal) {alpha}",
            "- Quality of an answer: mean over experts of 1 (acceptable) or 0.",
            "",
            "## What it is not",
            "",
            "- Texts were screened for identifiers by patterns. That is not a de-identification.",
            "- The pairs are those that were imported and reached; no claim is made about other queries.",
            "",
        ]
    )
