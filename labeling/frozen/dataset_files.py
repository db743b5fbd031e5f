"""The files of a frozen dataset version: their exact bytes, and reading them back only when they are unaltered.

| file | one line is |
|---|---|
| judgements.jsonl | a judgement, in canonical order, the expert by pseudonym |
| rulings.jsonl | an adjudication, which stands above the experts |
| pairs.jsonl | a judged pair: query, answers, which model is weak, how it was chosen, whether it is for audit |
| consensus.jsonl | what the judgements of a pair say together |
| outcomes.jsonl | per query, each model's quality: what `preceptor run` learns from |
| audit.jsonl | the same for the audit split, which no training reads |
| datasheet.md | what the version holds and how it was made, for people |
| MANIFEST.json | name, lineage, counts, what was known, and the hash of every other file |

Versions of formats 1 and 2 hold judgements, pairs, outcomes, datasheet and manifest alone (`older_forms`).
"""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from core.errors import DataError
from core.fingerprint import of_file, of_folder, of_text
from core.records import Judgement, Verdict
from labeling.frozen.dataset import FORMAT, About, Dataset, JudgedPair
from labeling.frozen.datasheet import datasheet
from labeling.frozen.lines import json_lines, manifest_text, read_lines
from labeling.frozen.older_forms import OLDER_FORMS, older_counts, older_files
from labeling.frozen.outcome_rows import outcome_rows
from labeling.quality.consensus import JointConsensus
from labeling.quality.rulings import Ruling

MANIFEST = "MANIFEST.json"


def render(dataset: Dataset, *, form: int = FORMAT) -> dict[str, str]:
    """All files of a version with its manifest, by name, in the format of that number: always the same bytes."""
    return older_files(dataset, form=form) if form in OLDER_FORMS else completed(dataset, rows_of(dataset))


def rows_of(dataset: Dataset) -> dict[str, str]:
    """The files that hold rows: those that do not depend on who freezes the version, when, and who signs it."""
    audit, train = (json_lines(outcome_rows(dataset, of_audit=of_audit)) for of_audit in (True, False))
    return {
        "judgements.jsonl": json_lines(judgement.model_dump(mode="json") for judgement in dataset.judgements),
        "rulings.jsonl": json_lines(ruling.model_dump(mode="json") for ruling in dataset.rulings),
        "pairs.jsonl": json_lines(_pair_row(judged) for judged in dataset.pairs),
        "consensus.jsonl": json_lines(
            {"pair_id": judged.pair.id, **judged.consensus.model_dump(mode="json")}
            for judged in dataset.pairs
            if judged.consensus is not None
        ),
        "outcomes.jsonl": train,
        "audit.jsonl": audit,
    }


def completed(dataset: Dataset, rows: Mapping[str, str]) -> dict[str, str]:
    """The files with rows, the datasheet, and the manifest over all of them."""
    n = counts(dataset)
    files = {**rows, "datasheet.md": datasheet(dataset, n)}
    about = None if dataset.about is None else dataset.about.model_dump(mode="json")
    hashes = {name: of_text(text) for name, text in sorted(files.items())}
    manifest = {"format": FORMAT, **dataset.lineage(), "about": about, "counts": n, "files": hashes}
    return {**files, MANIFEST: manifest_text(manifest)}


def counts(dataset: Dataset) -> dict[str, int]:
    """The numbers that the manifest and the datasheet show."""
    if dataset.format in OLDER_FORMS:
        return dict(older_counts(dataset))
    verdicts = Counter(judgement.verdict for judgement in dataset.judgements)
    per_pair = Counter(judgement.pair_id for judgement in dataset.judgements)
    return {
        "pairs": len(dataset.pairs),
        "judgements": len(dataset.judgements),
        "experts": len({judgement.expert for judgement in dataset.judgements}),
        "pairs_judged_twice": sum(1 for n in per_pair.values() if n > 1),
        "rulings": len(dataset.rulings),
        "outcomes": _n_outcomes(dataset, of_audit=False),
        "audit_outcomes": _n_outcomes(dataset, of_audit=True),
        **{str(verdict): verdicts[verdict] for verdict in Verdict},
    }


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
    try:
        return _read(folder, manifest)
    except (ValidationError, KeyError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else f"no {error}"
        raise DataError([f"{folder}: {reason}"], "Read it with the release that froze it.") from error


def _read(folder: Path, manifest: Mapping[str, Any]) -> Dataset:
    names = ("name", "version", "frozen_at", "frozen_by", "content_sha256", "parent", "ledger_seq", "ledger_hash")
    known = manifest["files"]
    pairs = [JudgedPair.model_validate(row) for row in read_lines(folder / "pairs.jsonl")]
    if "consensus.jsonl" in known:
        rows: list[Any] = read_lines(folder / "consensus.jsonl")
        joint = {row.pop("pair_id"): JointConsensus.model_validate(row) for row in rows}
        pairs = [judged.model_copy(update={"consensus": joint.get(judged.pair.id)}) for judged in pairs]
    rulings = read_lines(folder / "rulings.jsonl") if "rulings.jsonl" in known else []
    return Dataset(
        format=manifest["format"],
        **{name: manifest[name] for name in names},
        about=None if manifest.get("about") is None else About.model_validate(manifest["about"]),
        pairs=tuple(pairs),
        judgements=tuple(Judgement.model_validate(row) for row in read_lines(folder / "judgements.jsonl")),
        rulings=tuple(Ruling.model_validate(row) for row in rulings),
    )


def _pair_row(judged: JudgedPair) -> dict[str, object]:
    fields = judged.model_dump(mode="json", include={"pair", "weak", "strong", "stream", "is_audit"})
    return {**fields, **judged.sampling}


def _n_outcomes(dataset: Dataset, *, of_audit: bool) -> int:
    rulings = dataset.ruling_by_pair()
    said = {judgement.pair_id for judgement in dataset.judgements if judgement.qualities is not None}
    told = (said - rulings.keys()) | {pair_id for pair_id, one in rulings.items() if one.qualities is not None}
    return len({one.pair.query.id for one in dataset.pairs if one.is_audit is of_audit and one.pair.id in told})
