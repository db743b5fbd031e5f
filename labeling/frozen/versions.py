"""Frozen versions as the store and their folders have them: opened, checked, written again when a folder is lost."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from core.errors import DataError, LedgerError, PreceptorError
from core.fingerprint import of_text
from core.items import may_be_shown
from core.signatures import SIGNATURES, Signature, SignedRecord, signature_fault
from labeling.frozen.dataset import FORMAT, About, Dataset
from labeling.frozen.dataset_files import MANIFEST, read_dataset, render
from labeling.frozen.older_forms import OLDER_FORMS
from labeling.frozen.standing import pairs_where, pseudonyms_of, rulings_where, under_pseudonym, unplaced
from labeling.judging.submitting import judgements_where
from labeling.quality.consensus import JointConsensus
from labeling.tables import (
    ADJUDICATIONS,
    DATASET_PAIRS,
    DATASET_ROWS,
    DATASET_RULINGS,
    DATASETS,
    ITEMS,
    JUDGEMENTS,
    PAIRS,
    REDACTIONS,
    SAMPLING,
)


def open_version(engine: sa.Engine, reference: str, folder: Path) -> Dataset:
    """The version NAME@N, read from its folder below `folder`, which is written from the store when it is not there.

    Raises:
        PreceptorError: there is no such version.
        LedgerError: its signature does not stand.
        DataError: the folder was altered, or texts were masked since, so that it cannot be written again.
    """
    with engine.connect() as connection:
        row = version_row(connection, reference)
        check_signature(connection, row)
        target = folder / reference
        if not target.exists():
            write_folder(_files_again(connection, row), target)
    return read_dataset(target, manifest_sha256=row.manifest_sha256)


def version_row(connection: sa.Connection, reference: str) -> sa.Row[Any]:
    """The store's row of the version NAME@N.

    Raises:
        PreceptorError: there is no such version.
    """
    name, _, number = reference.rpartition("@")
    query = sa.select(DATASETS).where(DATASETS.c.name == name)
    found = {str(row.version): row for row in connection.execute(query)}.get(number)
    if found is None:
        known = connection.execute(
            sa.select(DATASETS.c.name, DATASETS.c.version).order_by(DATASETS.c.name, DATASETS.c.version)
        ).all()
        names = ", ".join(f"{row.name}@{row.version}" for row in known) or "none yet"
        raise PreceptorError(f"There is no dataset version '{reference}'. The versions are: {names}.")
    return found


def latest_version(connection: sa.Connection, name: str) -> sa.Row[Any] | None:
    """The store's row of the newest version of that name; None when there is none."""
    query = sa.select(DATASETS).where(DATASETS.c.name == name).order_by(DATASETS.c.version.desc()).limit(1)
    return connection.execute(query).first()


def all_versions(connection: sa.Connection) -> list[sa.Row[Any]]:
    """The store's rows of all versions, the newest first."""
    return list(connection.execute(sa.select(DATASETS).order_by(DATASETS.c.ledger_seq.desc())))


def signature_of(connection: sa.Connection, row: sa.Row[Any]) -> Signature | None:
    """The signature under a version; None when it has none."""
    found = connection.execute(sa.select(SIGNATURES).where(SIGNATURES.c.id == row.signature_id)).first()
    return None if found is None else Signature(**found._mapping)


def check_signature(connection: sa.Connection, row: sa.Row[Any]) -> None:
    """Refuse a version whose signature was edited, moved or taken away.

    Raises:
        LedgerError: the signature does not stand under the manifest.
    """
    about = None if row.about is None else About.model_validate_json(row.about)
    named = None if about is None else about.signed
    if named is None and row.signature_id is None:
        return
    reference = f"{row.name}@{row.version}"
    signature = signature_of(connection, row)
    fault: str | None = None
    if signature is None:
        fault = f"The signature that {reference} names is not in the store."
    elif named is None or (signature.person, signature.meaning, signature.method, signature.at) != (
        named.person,
        named.meaning,
        named.method,
        named.at,
    ):
        fault = f"{reference} shows another signature than the one that the store has."
    else:
        fault = signature_fault(connection, signature, SignedRecord("dataset", reference, row.manifest_sha256))
    if fault is not None:
        raise LedgerError(f"{fault} Find out who wrote to the store, and restore it from a backup.")


def withdrawn_items(connection: sa.Connection, reference: str) -> list[str]:
    """Ids of the version's items whose texts were masked, held back or excluded after it was frozen."""
    row = version_row(connection, reference)
    members = sa.select(PAIRS.c.item_id).join(JUDGEMENTS, JUDGEMENTS.c.pair_id == PAIRS.c.id)
    members = members.join(DATASET_ROWS, DATASET_ROWS.c.judgement_id == JUDGEMENTS.c.id).where(_of(DATASET_ROWS, row))
    masked = sa.select(REDACTIONS.c.item_id).where(REDACTIONS.c.at > row.frozen_at)
    query = sa.select(ITEMS.c.id).where(ITEMS.c.id.in_(members), sa.or_(~may_be_shown(), ITEMS.c.id.in_(masked)))
    return list(connection.execute(query.order_by(ITEMS.c.id)).scalars())


def write_folder(files: Mapping[str, str], target: Path) -> bool:
    """Write a version's folder whole or not at all; False when it is there already."""
    if target.exists():
        return False
    unfinished = target.with_name(f".{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for name, text in files.items():
        (unfinished / name).write_text(text, encoding="utf-8", newline="\n")
    unfinished.rename(target)
    return True


def _files_again(connection: sa.Connection, row: sa.Row[Any]) -> Mapping[str, str]:
    dataset = _dataset(connection, row)
    forms = OLDER_FORMS if row.about is None else (FORMAT,)
    for form in forms:
        files = render(dataset, form=form)
        if of_text(files[MANIFEST]) == row.manifest_sha256:
            return files
    next_step = "Restore the store from a backup, or read the folder with the release that froze it."
    fault = f"{dataset.reference}: the store no longer gives the content that was frozen"
    if withdrawn := withdrawn_items(connection, dataset.reference):
        fault = f"{dataset.reference}: the texts of {len(withdrawn)} items were masked or withdrawn since it was frozen"
        next_step = f"Freeze a new version: preceptor label freeze {row.name}"
    raise DataError([fault], next_step)


def _dataset(connection: sa.Connection, row: sa.Row[Any]) -> Dataset:
    members = sa.select(DATASET_ROWS.c.judgement_id).where(_of(DATASET_ROWS, row))
    pseudonyms = pseudonyms_of(connection)
    judgements = under_pseudonym(judgements_where(connection, JUDGEMENTS.c.id.in_(members)), pseudonyms)
    ids = sa.select(JUDGEMENTS.c.pair_id).where(JUDGEMENTS.c.id.in_(members))
    chosen = _chosen_before_3(connection, ids) if row.about is None else _chosen_then(connection, row)
    rulings = sa.select(DATASET_RULINGS.c.adjudication_id).where(_of(DATASET_RULINGS, row))
    content = unplaced(
        judgements,
        pairs_where(connection, ids, chosen),
        rulings_where(connection, ADJUDICATIONS.c.id.in_(rulings), pseudonyms),
        about=None if row.about is None else About.model_validate_json(row.about),
    )
    return content.model_copy(
        update={
            "format": FORMAT if row.about is not None else OLDER_FORMS[0],
            "name": row.name,
            "version": row.version,
            "frozen_at": row.frozen_at,
            "frozen_by": row.frozen_by,
            "content_sha256": row.content_sha256,
            "parent": f"{row.name}@{row.version - 1}" if row.version > 1 else None,
            "ledger_seq": row.ledger_seq,
            "ledger_hash": row.ledger_hash,
        }
    )


def _chosen_then(connection: sa.Connection, row: sa.Row[Any]) -> dict[str, dict[str, Any]]:
    """How each pair came in, and its consensus, as the version has it."""
    return {
        one.pair_id: {
            "stream": one.stream,
            "is_audit": one.is_audit,
            "weight": one.weight,
            "inclusion_probability": one.inclusion_probability,
            "consensus": None if one.consensus is None else JointConsensus.model_validate_json(one.consensus),
        }
        for one in connection.execute(sa.select(DATASET_PAIRS).where(_of(DATASET_PAIRS, row)))
    }


def _chosen_before_3(connection: sa.Connection, ids: sa.Select[Any]) -> dict[str, dict[str, Any]]:
    query = sa.select(PAIRS.c.id, SAMPLING.c.weight, SAMPLING.c.inclusion_probability)
    query = query.join(SAMPLING, SAMPLING.c.item_id == PAIRS.c.item_id).where(PAIRS.c.id.in_(ids))
    return {
        row.id: {"weight": row.weight, "inclusion_probability": row.inclusion_probability}
        for row in connection.execute(query)
    }


def _of(table: sa.Table, row: sa.Row[Any]) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.name == row.name, table.c.version == row.version)
