"""A frozen version in the forms that other tools read; deterministic, sorted by pair id, with a manifest of its hashes.

| verdict | outcomes | trl | kto | lmarena `winner` | routellm `label` |
|---|---|---|---|---|---|
| strong better | mean quality per model | chosen = strong | each by its own acceptability | its side | 0 strong |
| weak better | mean quality per model | chosen = weak | each by its own acceptability | its side | 2 weak |
| both acceptable | 1 and 1 | left out | both true | tie | 1 tie |
| neither acceptable | 0 and 0 | left out | both false | tie (bothbad) | left out: RouteLLM counts a tie as a weak win |
| cannot judge | left out | left out | left out | left out | left out |

`argilla`, `labelstudio` and `hf` keep the verdict as it is. Who speaks, each expert or all together: `voices`.
What a router learns from the rows: `models.targets`. Every export, and every one that was refused, is an event.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import sqlalchemy as sa

from core.access import Act, require
from core.errors import PreceptorError
from core.fingerprint import of_json
from core.ledger import Detail, append_in
from core.people import actor_of
from core.store import writing
from labeling.frozen.annotation_forms import as_argilla, as_labelstudio
from labeling.frozen.battles import as_lmarena
from labeling.frozen.dataset import Dataset
from labeling.frozen.export_rows import Export
from labeling.frozen.hf_folder import as_hf, hf_files
from labeling.frozen.lines import json_lines, manifest_text
from labeling.frozen.outcome_rows import outcome_rows
from labeling.frozen.preference_forms import as_kto, as_routellm, as_trl
from labeling.frozen.versions import open_version, version_row, withdrawn_items

Part = Literal["train", "audit", "all"]

OWN_FORM = "outcomes"
"""The form that stays in the house: any class of data may take it."""

NEVER_FOREIGN = ("limited", "identified")
"""Classes of data that never leave in another tool's form (45 CFR 164.514(e), 164.502)."""


@dataclass(frozen=True)
class ExportTerms:
    """In which form which rows are exported, in whose voice, and for whom.

    `per_rater` None means the form's usual: each expert for lmarena, argilla and labelstudio, else all together.
    """

    form: str = OWN_FORM
    part: Part = "train"
    per_rater: bool | None = None
    recipient: str = ""


@dataclass(frozen=True)
class Exported:
    """What left: one file's bytes (under the name ""), or a folder's by path."""

    files: Mapping[str, bytes]
    n_rows: int
    n_left_out: int
    manifest: str

    @property
    def text(self) -> str:
        """The one file's text.

        Raises:
            PreceptorError: the form is a folder.
        """
        if "" not in self.files:
            raise PreceptorError("This form is a folder and cannot be printed. Name a folder: --output FOLDER.")
        return self.files[""].decode()

    def write(self, output: Path) -> Path:
        """Write the file or folder, and its manifest beside it; returns the manifest's path."""
        for name, content in self.files.items():
            path = output / name if name else output
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        beside = output.with_name(f"{output.name}.manifest.json")
        beside.write_text(self.manifest, encoding="utf-8", newline="\n")
        return beside


def export(dataset: Dataset, form: str, *, per_rater: bool | None = None, part: Part = "train") -> Export:
    """The rows of a version in one of `FORMS`.

    Raises:
        DataError: the form needs to know the weak and the strong model, and the import did not say.
        PreceptorError: the form has rows for all experts together alone, and each expert's was asked for.
    """
    usual = form in PER_RATER
    if per_rater and form in TOGETHER_ALONE:
        raise PreceptorError(f"The form '{form}' has one row for all experts together. Leave out --per-rater.")
    return FORMS[form](part_of(dataset, part), per_rater=usual if per_rater is None else per_rater)


def part_of(dataset: Dataset, part: Part) -> Dataset:
    """The version with the pairs of that part alone, and what was said about them."""
    if part == "all":
        return dataset
    pairs = tuple(judged for judged in dataset.pairs if judged.is_audit is (part == "audit"))
    ids = {judged.pair.id for judged in pairs}
    return dataset.model_copy(
        update={
            "pairs": pairs,
            "judgements": tuple(one for one in dataset.judgements if one.pair_id in ids),
            "rulings": tuple(one for one in dataset.rulings if one.pair_id in ids),
        }
    )


def export_version(
    engine: sa.Engine, reference: str, terms: ExportTerms, *, folder: Path, by: str, now: datetime
) -> Exported:
    """Version NAME@N in a form; the ledger says who took it, for whom, and the hash of what left.

    Raises:
        AccessDenied: `by` may not export.
        PreceptorError: there is no such version, or its class of data may not leave in this form.
        DataError: its folder was altered, its texts were withdrawn since, or the form does not suit it.
    """
    with engine.connect() as connection:
        require(Act.EXPORT, actor_of(connection, by, now=now, at_command_line=True))
        manifest_sha256 = version_row(connection, reference).manifest_sha256
        withdrawn = withdrawn_items(connection, reference)
    dataset = open_version(engine, reference, folder)
    form = terms.form
    said: dict[str, Detail] = {"format": form, "part": terms.part, "recipient": terms.recipient or None}
    if refusal := _refusal(dataset, form, n_withdrawn=len(withdrawn)):
        _note(engine, by, "dataset.export_refused", reference, said, now=now)
        raise PreceptorError(refusal)
    chosen = part_of(dataset, terms.part)
    rows, n_left_out = export(chosen, form, per_rater=terms.per_rater, part="all")
    files = _FILES.get(form, _lines)(chosen, rows)
    hashes = {name or form: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    manifest = {
        "dataset": reference,
        "manifest_sha256": manifest_sha256,
        "format": form,
        "part": terms.part,
        "per_rater": form in PER_RATER if terms.per_rater is None else terms.per_rater,
        "rows": len(rows),
        "left_out": n_left_out,
        "data_class": dataset.data_class,
        "rows_sha256": of_json([dict(row) for row in rows]),
        "files": hashes,
    }
    said |= {"rows": len(rows), "sha256": of_json(hashes)}
    _note(engine, by, "dataset.export", reference, said, now=now)
    return Exported(files, len(rows), n_left_out, manifest_text(manifest))


def as_outcomes(dataset: Dataset, *, per_rater: bool = False) -> Export:
    """Preceptor's own form, for `preceptor run`."""
    rows = outcome_rows(dataset, of_audit=None)
    n_queries = len({judged.pair.query.id for judged in dataset.pairs})
    return Export([*rows], n_queries - len(rows))


FORMS: Mapping[str, Callable[..., Export]] = {
    OWN_FORM: as_outcomes,
    "trl": as_trl,
    "kto": as_kto,
    "lmarena": as_lmarena,
    "argilla": as_argilla,
    "labelstudio": as_labelstudio,
    "routellm": as_routellm,
    "hf": as_hf,
}
"""The forms by name."""

PER_RATER = frozenset({"lmarena", "argilla", "labelstudio"})
"""Forms in which every expert speaks for themselves unless asked otherwise."""

TOGETHER_ALONE = frozenset({OWN_FORM, "routellm"})
"""Forms in which the experts speak together alone."""


def _refusal(dataset: Dataset, form: str, *, n_withdrawn: int) -> str | None:
    if form != OWN_FORM and dataset.data_class in NEVER_FOREIGN:
        return (
            f"{dataset.reference} holds texts of the class '{dataset.data_class}', which never leave in another "
            f"tool's form. Train from its own form: --format {OWN_FORM}."
        )
    if n_withdrawn:
        return (
            f"The texts of {n_withdrawn} items of {dataset.reference} were masked or withdrawn since it was frozen, "
            f"so it is not exported. Freeze a new version: preceptor label freeze {dataset.name}."
        )
    return None


def _note(
    engine: sa.Engine, by: str, action: str, reference: str, details: Mapping[str, Detail], *, now: datetime
) -> None:
    with writing(engine) as connection:
        append_in(connection, by, action, reference, details, now=now)


def _lines(dataset: Dataset, rows: "list[Mapping[str, object]]") -> dict[str, bytes]:
    return {"": json_lines(rows).encode()}


def _array(dataset: Dataset, rows: "list[Mapping[str, object]]") -> dict[str, bytes]:
    """One JSON array: Label Studio imports no JSON lines."""
    text = ",\n".join(json.dumps(row, ensure_ascii=False, sort_keys=True) for row in rows)
    return {"": f"[\n{text}\n]\n".encode()}


_FILES: Mapping[str, Callable[..., dict[str, bytes]]] = {"labelstudio": _array, "hf": hf_files}
