"""Freezing: the judgements that stand now become an immutable dataset version, NAME@N.

The store records what is in a version; the folder is written from it and can be written again, byte for byte.
A judgement that does not match its event in the ledger is not frozen. A signature stands under the manifest's hash.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from core.access import Act, require
from core.errors import AccessDenied, NotEnoughLabels, PreceptorError
from core.fingerprint import of_text
from core.labeling_settings import LabelingSettings
from core.ledger import Detail, Ledger, append_in
from core.moments import timestamp
from core.people import actor_of, is_open
from core.signatures import Meaning, SignedRecord, sign
from core.store import writing
from labeling.frozen.dataset import Dataset, Signed
from labeling.frozen.dataset_files import MANIFEST, completed
from labeling.frozen.preview import findings, refuse_if_stopped
from labeling.frozen.standing import Standing, standing_now
from labeling.frozen.told_by_ledger import check_against_ledger
from labeling.frozen.versions import latest_version, open_version, write_folder
from labeling.tables import DATASET_PAIRS, DATASET_ROWS, DATASET_RULINGS, DATASETS

NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

ATTESTATION = (
    "I have no actual knowledge that what this version holds could be used, alone or with other information, "
    "to identify a person whom it is about."
)
"""What the signer attests: 45 CFR 164.514(b)(2)(ii)."""

ATTEMPTS = 4
"""Readings of the store before giving up, when others write between reading and recording."""

DATASET_KIND = "dataset"
"""The kind under which a version is signed."""


@dataclass(frozen=True)
class FreezeTerms:
    """What the version is for, and how its signer has just shown that it is them; None: not signed.

    Whoever signs attests `ATTESTATION`.
    """

    intended_use: str = LabelingSettings().intended_use
    signing_method: str | None = None


UNSIGNED = FreezeTerms()


class StoreMoved(Exception):
    """Others wrote to the store between reading and recording; nothing was recorded."""


def freeze(
    engine: sa.Engine, name: str, folder: Path, *, by: str, now: datetime, terms: FreezeTerms = UNSIGNED
) -> tuple[Dataset, bool]:
    """Freeze the judgements that stand, write the version below `folder`, and say whether it is new.

    When nothing changed since the last version of that name, that version is returned; but a version that nobody
    signed is followed by a signed one when this is asked for.

    Raises:
        AccessDenied: `by` may not freeze, or the store has accounts and the freeze is not signed.
        NotEnoughLabels: nothing is judged.
        LedgerError: the ledger, or a judgement against it, does not verify.
        PreceptorError: the name cannot name a folder, or an open flag tells of an identifier.
    """
    if not NAME_PATTERN.fullmatch(name):
        raise PreceptorError(f"'{name}' cannot name a dataset. Use letters, digits, dot, dash and underscore.")
    Ledger(engine).verify()
    for attempt in range(1, ATTEMPTS + 1):
        try:
            # The long reading is done before the write lock is taken, so that experts go on judging meanwhile; when
            # they did, it is repeated, the last time under the lock.
            if attempt < ATTEMPTS:
                with engine.connect() as connection:
                    standing = _read(connection, by=by, now=now, terms=terms)
                with writing(engine) as connection:
                    recorded = _record(connection, name, standing, by=by, now=now, terms=terms)
            else:
                with writing(engine) as connection:
                    standing = _read(connection, by=by, now=now, terms=terms)
                    recorded = _record(connection, name, standing, by=by, now=now, terms=terms)
            break
        except StoreMoved as error:
            if attempt == ATTEMPTS:
                raise PreceptorError(
                    f"Others kept writing to the store while '{name}' was being frozen, {ATTEMPTS} times. Try again."
                ) from error
    if isinstance(recorded, str):
        return open_version(engine, recorded, folder), False
    dataset, files = recorded
    if not write_folder(files, folder / dataset.reference):
        return open_version(engine, dataset.reference, folder), True
    return dataset, True


def _read(connection: sa.Connection, *, by: str, now: datetime, terms: FreezeTerms) -> Standing:
    require(Act.FREEZE, actor_of(connection, by, now=now, at_command_line=True))
    if terms.signing_method is None and not is_open(connection):
        raise AccessDenied(
            "This store has accounts, so a version is signed when it is frozen. "
            "Freeze on the page /versions, or with `preceptor label freeze NAME --sign`."
        )
    check_against_ledger(connection)
    standing = standing_now(connection, intended_use=terms.intended_use)
    if not standing.dataset.judgements:
        raise NotEnoughLabels("No judgement stands, so there is nothing to freeze. Run `preceptor label serve`.")
    refuse_if_stopped(findings(connection, standing.dataset))
    return standing


def _record(
    connection: sa.Connection, name: str, standing: Standing, *, by: str, now: datetime, terms: FreezeTerms
) -> str | tuple[Dataset, dict[str, str]]:
    """Record the version; the reference of the one there is when nothing changed.

    Raises:
        StoreMoved: an event was written since the reading.
    """
    latest = latest_version(connection, name)
    is_signed_enough = terms.signing_method is None or (latest is not None and latest.signature_id is not None)
    if latest is not None and latest.content_sha256 == standing.content_sha256 and is_signed_enough:
        return f"{name}@{latest.version}"
    version = 1 if latest is None else latest.version + 1
    reference = f"{name}@{version}"
    details: dict[str, Detail] = {
        "content": standing.content_sha256,
        "judgements": len(standing.dataset.judgements),
        "rulings": len(standing.dataset.rulings),
        "data_class": standing.dataset.data_class,
    }
    event = append_in(connection, by, "dataset.freeze", reference, details, now=now)
    if event.seq != standing.last_seq + 1:
        raise StoreMoved
    about = standing.dataset.about
    assert about is not None  # standing_now makes the newest format
    if terms.signing_method is not None:
        signed = Signed(
            person=_signer(connection, by, now),
            meaning=Meaning.RESPONSIBILITY,
            method=terms.signing_method,
            at=timestamp(now),
        )
        about = about.model_copy(update={"attestation": ATTESTATION, "signed": signed})
    dataset = standing.dataset.model_copy(
        update={
            "name": name,
            "version": version,
            "frozen_at": timestamp(now),
            "frozen_by": by,
            "content_sha256": standing.content_sha256,
            "parent": f"{name}@{version - 1}" if version > 1 else None,
            "ledger_seq": event.seq,
            "ledger_hash": event.hash,
            "about": about,
        }
    )
    files = completed(dataset, standing.rows)
    manifest_sha256 = of_text(files[MANIFEST])
    signature_id = None
    if terms.signing_method is not None:
        record = SignedRecord(DATASET_KIND, reference, manifest_sha256)
        method = terms.signing_method
        signature_id = sign(connection, by, Meaning.RESPONSIBILITY, record=record, method=method, now=now).id
    _insert(connection, dataset, manifest_sha256=manifest_sha256, signature_id=signature_id)
    return dataset, files


def _signer(connection: sa.Connection, by: str, now: datetime) -> str:
    return actor_of(connection, by, now=now).name


def _insert(connection: sa.Connection, dataset: Dataset, *, manifest_sha256: str, signature_id: str | None) -> None:
    about = dataset.about
    assert about is not None
    connection.execute(
        DATASETS.insert().values(
            name=dataset.name,
            version=dataset.version,
            content_sha256=dataset.content_sha256,
            manifest_sha256=manifest_sha256,
            ledger_seq=dataset.ledger_seq,
            ledger_hash=dataset.ledger_hash,
            data_class=about.data_class,
            intended_use=about.intended_use,
            signature_id=signature_id,
            about=about.model_dump_json(),
            frozen_by=dataset.frozen_by,
            frozen_at=dataset.frozen_at,
        )
    )
    key = {"name": dataset.name, "version": dataset.version}
    connection.execute(DATASET_ROWS.insert(), [{**key, "judgement_id": one.id} for one in dataset.judgements])
    connection.execute(
        DATASET_PAIRS.insert(),
        [
            {
                **key,
                "pair_id": one.pair.id,
                "stream": one.stream,
                "is_audit": one.is_audit,
                "weight": one.weight,
                "inclusion_probability": one.inclusion_probability,
                "consensus": None if one.consensus is None else one.consensus.model_dump_json(),
            }
            for one in dataset.pairs
        ],
    )
    if dataset.rulings:
        connection.execute(DATASET_RULINGS.insert(), [{**key, "adjudication_id": one.id} for one in dataset.rulings])
