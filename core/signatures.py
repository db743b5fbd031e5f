"""Electronic signatures: who signed which record, when, and what it means; bound to the record, never moved or edited.

A signature's hash covers all of its fields, among them the record's hash, and the ledger's event `sign` carries that
hash: a signature that was edited, moved to another record or made up behind the ledger's back does not verify.
The signer shows that it is them just before (`web.guard.Guard.prove_again`); this module trusts its caller on that.
"""

import secrets
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa

from core.errors import AccessDenied, PreceptorError
from core.fingerprint import of_json
from core.ledger import EVENTS, append_in
from core.moments import timestamp
from core.people import find_person, is_open
from core.people_tables import keep_rows
from core.store import METADATA

SIGNATURES = sa.Table(
    "signature",
    METADATA,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("person", sa.ForeignKey("person.name"), nullable=False),
    sa.Column("meaning", sa.String(40), nullable=False),
    sa.Column("record_kind", sa.String(40), nullable=False),
    sa.Column("record_id", sa.String(400), nullable=False, index=True),
    sa.Column("record_sha256", sa.String(64), nullable=False),
    sa.Column("method", sa.String(40), nullable=False),
    sa.Column("at", sa.String(40), nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False, unique=True),
)
keep_rows(SIGNATURES, "UPDATE", "DELETE")


class Meaning(StrEnum):
    """What a signature stands for."""

    AUTHORSHIP = "authorship"
    REVIEW = "review"
    APPROVAL = "approval"
    RESPONSIBILITY = "responsibility"


@dataclass(frozen=True)
class SignedRecord:
    """What is signed: its kind (`dataset`), its name in the store, and the hash of its content."""

    kind: str
    id: str
    sha256: str


@dataclass(frozen=True)
class Signature:
    """One signature as it stands in the store."""

    id: str
    person: str
    meaning: str
    record_kind: str
    record_id: str
    record_sha256: str
    method: str
    at: str
    sha256: str


def sign(
    connection: sa.Connection, person: str, meaning: Meaning, *, record: SignedRecord, method: str, now: datetime
) -> Signature:
    """Sign a record inside the caller's write transaction; the event `sign` is written with it.

    Args:
        connection: of `core.store.writing`.
        person: the login of the signer.
        meaning: what the signature stands for.
        record: what is signed.
        method: how the signer showed that it is them, as `web.guard.Guard.prove_again` returned it.
        now: the moment of signing.

    Raises:
        AccessDenied: the signer is unknown or retired, or, once the store has an admin, nobody verified who they are.
        PreceptorError: the record has no name or no hash.
    """
    signer = find_person(connection, person, now=now)
    if signer is None or signer.retired_at is not None:
        raise AccessDenied(f"'{person}' is not an active person of this store and cannot sign. Ask an admin.")
    if signer.verified_by is None and not is_open(connection):
        raise AccessDenied(
            f"Nobody has verified who '{signer.name}' is, so they cannot sign. "
            f"Ask an admin: preceptor people verify '{signer.name}'."
        )
    if not record.id or len(record.sha256) != 64 or not method:
        raise PreceptorError(
            f"A signature needs the record's name, its SHA-256 and a method; '{record.id}' has not all of these. "
            "Compute the hash of the record's content before signing."
        )
    content = {
        "id": secrets.token_hex(16),
        "person": signer.name,
        "meaning": meaning.value,
        "record_kind": record.kind,
        "record_id": record.id,
        "record_sha256": record.sha256,
        "method": method,
        "at": timestamp(now),
    }
    signature = Signature(**content, sha256=of_json(content))
    connection.execute(SIGNATURES.insert().values(asdict(signature)))
    details = {"signature": signature.sha256, "meaning": meaning.value, "record": record.sha256, "method": method}
    append_in(connection, signer.name, "sign", f"{record.kind}:{record.id}", details, now=now)
    return signature


def signatures_of(connection: sa.Connection, kind: str, record_id: str) -> list[Signature]:
    """The signatures under a record, oldest first."""
    query = sa.select(SIGNATURES).where(SIGNATURES.c.record_kind == kind, SIGNATURES.c.record_id == record_id)
    rows = connection.execute(query.order_by(SIGNATURES.c.at, SIGNATURES.c.id))
    return [Signature(**row._mapping) for row in rows]


def signature_fault(connection: sa.Connection, signature: Signature, record: SignedRecord) -> str | None:
    """Why this signature does not stand under this record as it is now; None when it does."""
    content = asdict(signature)
    if content.pop("sha256") != of_json(content):
        return f"The signature of '{signature.person}' was edited after it was given."
    if (signature.record_kind, signature.record_id) != (record.kind, record.id):
        return f"The signature of '{signature.person}' was given under {signature.record_kind} '{signature.record_id}'."
    if signature.record_sha256 != record.sha256:
        return f"The {record.kind} '{record.id}' is not what '{signature.person}' signed: its content changed since."
    query = sa.select(EVENTS.c.details).where(EVENTS.c.action == "sign", EVENTS.c.actor == signature.person)
    query = query.where(EVENTS.c.subject == f"{record.kind}:{record.id}", EVENTS.c.at == signature.at)
    if not any(signature.sha256 in details for details in connection.execute(query).scalars()):
        return f"The ledger knows nothing of this signature of '{signature.person}'."
    return None


def manifestation(signature: Signature) -> str:
    """The signature as it is shown with the record: name, date and time with zone, meaning, method.

    >>> at = "2026-11-24T09:30:00.000+00:00"
    >>> manifestation(Signature("1", "Ann", "approval", "dataset", "a@1", "0", "password", at, "0"))
    'Signed by Ann on 2026-11-24 at 09:30:00 UTC; meaning: approval; shown by: password.'
    """
    return (
        f"Signed by {signature.person} on {signature.at[:10]} at {signature.at[11:19]} UTC; "
        f"meaning: {signature.meaning}; shown by: {signature.method}."
    )
