"""The files of a frozen dataset version: their exact bytes, and reading them back only when they are unaltered.

| file | one line is |
|---|---|
| judgements.jsonl | a judgement, in canonical order, the expert by pseudonym |
| pairs.jsonl | a judged pair: query, both answers, which model is weak and strong where known |
| outcomes.jsonl | per query, each model's quality: the form that `preceptor run` reads |
| datasheet.md | what the version holds, for people |
| MANIFEST.json | name, lineage, counts and the hash of every other file |
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import fmean

from pydantic import ValidationError

from core.errors import DataError
from core.fingerprint import of_file, of_folder
from core.records import Answer, InclusionProbability, Judgement, Pair, Record, Source, Verdict, Weight
from labeling.quality.consensus import qualities
from labeling.quality.overview import agreement_of

FORMAT = 2
"""Rises when the files' bytes change; versions frozen in an older format are written again in that one.

1: as 2, but outcomes without `n_experts`.
"""

MANIFEST = "MANIFEST.json"


class JudgedPair(Record):
    """A pair, which of its models is which, and how its query was chosen."""

    pair: Pair
    weak: str | None = None
    strong: str | None = None
    weight: Weight = 1.0
    inclusion_probability: InclusionProbability | None = None

    @property
    def sampling(self) -> dict[str, float]:
        """Weight and inclusion probability, each where it was given."""
        given = {} if self.weight == 1 else {"weight": self.weight}
        known = self.inclusion_probability
        return given if known is None else {**given, "inclusion_probability": known}


class Dataset(Record):
    """A version's content and lineage."""

    name: str
    version: int
    frozen_at: str
    frozen_by: str
    content_sha256: str
    parent: str | None
    ledger_seq: int
    ledger_hash: str
    pairs: tuple[JudgedPair, ...]
    judgements: tuple[Judgement, ...]

    @property
    def reference(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"

    def judgements_by_pair(self) -> dict[str, list[Judgement]]:
        """Judgements of each pair id."""
        grouped: dict[str, list[Judgement]] = defaultdict(list)
        for judgement in self.judgements:
            grouped[judgement.pair_id].append(judgement)
        return grouped


def files_of(dataset: Dataset, *, form: int = FORMAT) -> dict[str, str]:
    """Every file of the version, by name: the same version gives the same bytes."""
    names = ("pair", "weak", "strong")
    return {
        "judgements.jsonl": _lines(judgement.model_dump(mode="json") for judgement in dataset.judgements),
        "pairs.jsonl": _lines(
            judged.model_dump(mode="json", include=set(names)) | judged.sampling for judged in dataset.pairs
        ),
        "outcomes.jsonl": _lines(outcome_rows(dataset, form=form)),
        "datasheet.md": datasheet(dataset),
    }


def manifest_of(dataset: Dataset, hashes: Mapping[str, str], *, form: int = FORMAT) -> str:
    """The manifest's text."""
    manifest = {
        "format": form,
        **dataset.model_dump(mode="json", exclude={"pairs", "judgements"}),
        "counts": counts(dataset),
        "files": dict(sorted(hashes.items())),
    }
    return json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"


def read_dataset(folder: Path, *, manifest_sha256: str) -> Dataset:
    """The version in `folder`, after every byte was checked against the store's record of it.

    Raises:
        DataError: a file was altered, is missing or was added.
    """
    next_step = f"Move {folder} away; the same command then writes it again from the store."
    path = folder / MANIFEST
    if not path.is_file() or of_file(path) != manifest_sha256:
        raise DataError([f"{path}: not the manifest that was frozen"], next_step)
    manifest = json.loads(path.read_text(encoding="utf-8"))
    expected: dict[str, str] = manifest["files"]
    found = {name: sha256 for name, sha256 in of_folder(folder).items() if name != MANIFEST}
    faults = [f"{folder / name}: missing" for name in sorted(expected.keys() - found.keys())]
    faults += [f"{folder / name}: not part of the version" for name in sorted(found.keys() - expected.keys())]
    faults += [f"{folder / name}: altered" for name in expected.keys() & found.keys() if expected[name] != found[name]]
    if faults:
        raise DataError(faults, next_step)
    fields = {name: manifest[name] for name in Dataset.model_fields if name not in ("pairs", "judgements")}
    try:
        return Dataset(
            **fields,
            pairs=tuple(JudgedPair.model_validate(row) for row in _rows(folder / "pairs.jsonl")),
            judgements=tuple(Judgement.model_validate(row) for row in _rows(folder / "judgements.jsonl")),
        )
    except ValidationError as error:
        raise DataError([f"{folder}: {error.errors()[0]['msg']}"], "Read it with the release that froze it.") from error


def outcome_rows(dataset: Dataset, *, form: int = FORMAT) -> list[dict[str, object]]:
    """One outcome per query: each model's mean quality over experts; queries nobody could judge are left out.

    `n_experts` is the number of experts who could judge the query; weight and inclusion probability stand where known.
    """
    grades: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    answers: dict[str, dict[str, Answer]] = defaultdict(dict)
    queries = {}
    experts: dict[str, set[str]] = defaultdict(set)
    sampling: dict[str, dict[str, float]] = {}
    by_pair = dataset.judgements_by_pair()
    for judged in dataset.pairs:
        pair = judged.pair
        for judgement in by_pair.get(pair.id, []):
            grade = qualities(judgement)
            if grade is None:
                continue
            queries[pair.query.id] = pair.query
            experts[pair.query.id].add(judgement.expert)
            sampling[pair.query.id] = judged.sampling
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
        rows.append({**row, **known, **sampling[item_id]})
    return rows


def counts(dataset: Dataset) -> dict[str, int]:
    """The numbers that the manifest and the datasheet show."""
    verdicts = Counter(judgement.verdict for judgement in dataset.judgements)
    by_pair = dataset.judgements_by_pair()
    return {
        "pairs": len(dataset.pairs),
        "judgements": len(dataset.judgements),
        "experts": len({judgement.expert for judgement in dataset.judgements}),
        "pairs_judged_twice": sum(1 for judgements in by_pair.values() if len(judgements) > 1),
        "outcomes": len(outcome_rows(dataset)),
        **{str(verdict): verdicts[verdict] for verdict in Verdict},
    }


def datasheet(dataset: Dataset) -> str:
    """What the version holds, how it was made and what it is not, in Markdown."""
    n = counts(dataset)
    agreed = agreement_of(dataset.judgements)
    swapped = sum(judgement.swapped for judgement in dataset.judgements)
    marked = sum(judgement.first_acceptable is not None for judgement in dataset.judgements)
    strata = Counter(judged.pair.query.stratum_name for judged in dataset.pairs)
    alpha = f"{agreed.alpha:.3f}" if agreed.alpha is not None else f"undefined. {agreed.reason}"
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


def _lines(rows: Iterable[Mapping[str, object]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n" for row in rows)


def _rows(path: Path) -> list[object]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
