"""Freezing: the judgements that stand now become an immutable dataset version, NAME@N.

The store records what is in a version; the folder is written from it and can be written again, byte for byte.
A judgement that does not match its event in the ledger is not frozen.
"""

import re
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from core.errors import DataError, LedgerError, NotEnoughLabels, PreceptorError
from core.fingerprint import canonical_json, of_json, of_text
from core.items import query_of
from core.ledger import EVENTS, Detail, Ledger, append_in
from core.people_tables import PEOPLE
from core.records import Answer, Judgement, Pair
from core.store import writing
from labeling.frozen.dataset_files import FORMAT, MANIFEST, Dataset, JudgedPair, files_of, manifest_of, read_dataset
from labeling.judging.submitting import judgements_where, ledger_details
from labeling.tables import ANSWERS, DATASET_ROWS, DATASETS, ITEMS, JUDGEMENTS, PAIRS, SAMPLING, counts
from web.sessions import timestamp

NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def freeze(engine: sa.Engine, name: str, folder: Path, *, by: str, now: datetime) -> tuple[Dataset, bool]:
    """Freeze the judgements that stand, write the version below `folder`, and say whether it is new.

    When nothing changed since the last version of that name, that version is returned.

    Raises:
        NotEnoughLabels: nothing is judged.
        LedgerError: the ledger, or a judgement against it, does not verify.
        PreceptorError: the name cannot name a folder.
    """
    if not NAME_PATTERN.fullmatch(name):
        raise PreceptorError(f"'{name}' cannot name a dataset. Use letters, digits, dot, dash and underscore.")
    Ledger(engine).verify()
    with writing(engine) as connection:
        last_seq = connection.execute(sa.select(sa.func.max(EVENTS.c.seq))).scalar() or 0
        rows = judgements_where(connection, counts())
        if not rows:
            raise NotEnoughLabels("No judgement stands, so there is nothing to freeze. Run `preceptor label serve`.")
        _check_against_ledger(connection, rows, last_seq=last_seq)
        content = of_json([row.id for row in rows])
        latest = connection.execute(
            sa.select(DATASETS).where(DATASETS.c.name == name).order_by(DATASETS.c.version.desc()).limit(1)
        ).first()
        is_new = latest is None or latest.content_sha256 != content
        if latest is None or is_new:
            version = latest.version + 1 if latest else 1
            _record(connection, (name, version), rows, content=content, by=by, now=now)
        else:
            version = latest.version
    return open_version(engine, f"{name}@{version}", folder), is_new


def open_version(engine: sa.Engine, reference: str, folder: Path) -> Dataset:
    """The version NAME@N, read from its folder below `folder`, which is written from the store when it is not there.

    Raises:
        PreceptorError: there is no such version.
        DataError: the folder was altered.
    """
    name, _, number = reference.rpartition("@")
    with engine.connect() as connection:
        query = sa.select(DATASETS).where(DATASETS.c.name == name)
        versions = {str(row.version): row for row in connection.execute(query)}
        if number not in versions:
            known = connection.execute(sa.select(DATASETS.c.name, DATASETS.c.version).order_by(DATASETS.c.name)).all()
            names = ", ".join(f"{row.name}@{row.version}" for row in known) or "none yet"
            raise PreceptorError(f"There is no dataset version '{reference}'. The versions are: {names}.")
        row = versions[number]
        target = folder / reference
        if not target.exists():
            _write_folder(_dataset(connection, row), target, manifest_sha256=row.manifest_sha256)
    return read_dataset(target, manifest_sha256=row.manifest_sha256)


def render(dataset: Dataset, *, form: int = FORMAT) -> dict[str, str]:
    """All files of a version with its manifest, by name, in the format of that number."""
    files = files_of(dataset, form=form)
    files[MANIFEST] = manifest_of(dataset, {name: of_text(text) for name, text in files.items()}, form=form)
    return files


def _check_against_ledger(connection: sa.Connection, rows: Sequence[Judgement], *, last_seq: int) -> None:
    """Refuse when the standing judgements are not exactly those that the ledger tells of.

    `last_seq` was read before `rows`: what the ledger told by then must show in the rows, even while others vote.
    """
    events = connection.execute(sa.select(EVENTS).where(EVENTS.c.action.in_(("judge.submit", "judge.retract")))).all()
    told = {event.subject: event for event in events if event.action == "judge.submit"}
    retracted = {event.subject: event.seq for event in events if event.action == "judge.retract"}
    standing = {row.id: canonical_json(ledger_details(row)) for row in rows}
    changed = [
        judgement
        for judgement, content in standing.items()
        if judgement not in told or told[judgement].details != content
    ]
    revived = [judgement for judgement in standing if retracted.get(judgement, last_seq + 1) <= last_seq]
    removed = [
        subject
        for subject, event in told.items()
        if event.seq <= last_seq and subject not in retracted and subject not in standing
    ]
    for fault, judgements in (("changed or added", changed), ("revived", revived), ("removed", removed)):
        if judgements:
            raise LedgerError(
                f"Judgement {judgements[0]} was {fault} behind the screen: it does not match the ledger. "
                "Find out who wrote to the store, and restore it from a backup."
            )


def _record(
    connection: sa.Connection,
    key: tuple[str, int],
    rows: Sequence[Judgement],
    *,
    content: str,
    by: str,
    now: datetime,
) -> None:
    name, version = key
    details: dict[str, Detail] = {"content": content, "judgements": len(rows)}
    event = append_in(connection, by, "dataset.freeze", f"{name}@{version}", details, now=now)
    values = {
        "name": name,
        "version": version,
        "content_sha256": content,
        "manifest_sha256": "",
        "ledger_seq": event.seq,
        "ledger_hash": event.hash,
        "data_class": "deidentified",
        "intended_use": "",
        "frozen_by": by,
        "frozen_at": timestamp(now),
    }
    connection.execute(DATASETS.insert().values(**values))
    members = [{"name": name, "version": version, "judgement_id": row.id} for row in rows]
    connection.execute(DATASET_ROWS.insert(), members)
    this = (DATASETS.c.name == name) & (DATASETS.c.version == version)
    dataset = _dataset(connection, connection.execute(sa.select(DATASETS).where(this)).one())
    manifest_sha256 = of_text(render(dataset)[MANIFEST])
    connection.execute(DATASETS.update().where(this).values(manifest_sha256=manifest_sha256))


def _dataset(connection: sa.Connection, row: sa.Row[Any]) -> Dataset:
    members = sa.select(DATASET_ROWS.c.judgement_id).where(
        DATASET_ROWS.c.name == row.name, DATASET_ROWS.c.version == row.version
    )
    pseudonyms = {person.name: person.pseudonym for person in connection.execute(sa.select(PEOPLE))}
    judgements = [
        judged.model_copy(update={"expert": pseudonyms[judged.expert]})
        for judged in judgements_where(connection, JUDGEMENTS.c.id.in_(members))
    ]
    pairs = _pairs(connection, sa.select(JUDGEMENTS.c.pair_id).where(JUDGEMENTS.c.id.in_(members)))
    return Dataset(
        name=row.name,
        version=row.version,
        frozen_at=row.frozen_at,
        frozen_by=row.frozen_by,
        content_sha256=row.content_sha256,
        parent=f"{row.name}@{row.version - 1}" if row.version > 1 else None,
        ledger_seq=row.ledger_seq,
        ledger_hash=row.ledger_hash,
        pairs=tuple(pairs),
        judgements=tuple(sorted(judgements, key=_by_pair_then_id)),
    )


def _by_pair_then_id(judgement: Judgement) -> tuple[str, str]:
    return judgement.pair_id, judgement.id


def _pairs(connection: sa.Connection, ids: sa.Select[Any]) -> list[JudgedPair]:
    wanted = PAIRS.c.id.in_(ids)
    items = sa.select(PAIRS.c.item_id).where(wanted)
    queries = {row.id: query_of(row) for row in connection.execute(sa.select(ITEMS).where(ITEMS.c.id.in_(items)))}
    answers = {
        row.id: Answer(
            query_id=row.item_id, model=row.model, text=row.text, cost_usd=row.cost_usd, latency_ms=row.latency_ms
        )
        for row in connection.execute(sa.select(ANSWERS).where(ANSWERS.c.item_id.in_(items)))
    }
    chosen = {
        row.item_id: {"weight": row.weight, "inclusion_probability": row.inclusion_probability}
        for row in connection.execute(sa.select(SAMPLING).where(SAMPLING.c.item_id.in_(items)))
    }
    return [
        JudgedPair(
            pair=Pair(
                id=row.id,
                query=queries[row.item_id],
                first=answers[row.first_answer_id],
                second=answers[row.second_answer_id],
            ),
            weak=row.weak,
            strong=row.strong,
            **chosen.get(row.item_id, {}),
        )
        for row in connection.execute(sa.select(PAIRS).where(wanted).order_by(PAIRS.c.id))
    ]


def _write_folder(dataset: Dataset, target: Path, *, manifest_sha256: str) -> None:
    formats = (render(dataset, form=form) for form in range(FORMAT, 0, -1))
    files = next((files for files in formats if of_text(files[MANIFEST]) == manifest_sha256), None)
    if files is None:
        raise DataError(
            [f"{dataset.reference}: the store no longer gives the content that was frozen"],
            "Restore the store from a backup, or read the folder with the release that froze it.",
        )
    unfinished = target.with_name(f".{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for name, text in files.items():
        (unfinished / name).write_text(text, encoding="utf-8", newline="\n")
    unfinished.rename(target)
