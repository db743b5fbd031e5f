"""Signatures: bound to a record, shown whole, never moved or edited."""

from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.access import Role
from core.errors import AccessDenied, PreceptorError
from core.fingerprint import of_json, of_text
from core.ledger import Ledger
from core.people import actor_of, add_person, grant, retire, verify_identity
from core.signatures import (
    SIGNATURES,
    Meaning,
    Signature,
    SignedRecord,
    manifestation,
    sign,
    signature_fault,
    signatures_of,
)
from core.store import create_tables, open_store, writing

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
RECORD = SignedRecord("dataset", "cardio@3", of_text("the manifest"))


@pytest.fixture
def store(store_url: str) -> Iterator[sa.Engine]:
    engine = open_store(store_url)
    create_tables(engine)
    with writing(engine) as connection:
        by = actor_of(connection, "setup", now=NOW, at_command_line=True)
        for name in ("Alex", "Dana", "Lee"):
            add_person(connection, name, by=by, now=NOW)
        verify_identity(connection, "Dana", by=by, now=NOW)
        grant(connection, "Alex", Role.ADMIN, by=by, now=NOW)
    yield engine
    engine.dispose()


def signed(store, person="Dana", record=RECORD):
    with writing(store) as connection:
        return sign(connection, person, Meaning.APPROVAL, record=record, method="password+totp", now=NOW)


def test_a_signature_shows_who_when_what_and_how(store):
    shown = manifestation(signed(store))

    assert shown == "Signed by Dana on 2026-11-24 at 09:30:00 UTC; meaning: approval; shown by: password+totp."


def test_a_signature_stands_under_its_record_and_in_the_ledger(store):
    signature = signed(store)

    with store.connect() as connection:
        assert signatures_of(connection, "dataset", "cardio@3") == [signature]
        assert signature_fault(connection, signature, RECORD) is None
    event = Ledger(store).events()[-1]
    assert (event.actor, event.action, event.subject) == ("Dana", "sign", "dataset:cardio@3")
    assert event.details["signature"] == signature.sha256


@pytest.mark.parametrize(
    ("record", "fault"),
    [
        (replace(RECORD, id="cardio@4"), "was given under dataset 'cardio@3'"),
        (replace(RECORD, kind="release"), "was given under dataset 'cardio@3'"),
        (replace(RECORD, sha256=of_text("another manifest")), "its content changed since"),
    ],
)
def test_a_signature_moved_to_another_record_does_not_stand(store, record, fault):
    signature = signed(store)

    with store.connect() as connection:
        assert fault in (signature_fault(connection, signature, record) or "")


def test_a_signature_made_up_behind_the_ledger_does_not_stand(store):
    forged = replace(signed(store), person="Lee")
    content = {field.name: getattr(forged, field.name) for field in fields(forged) if field.name != "sha256"}
    forged = replace(forged, sha256=of_json(content))

    with store.connect() as connection:
        assert "The ledger knows nothing" in (signature_fault(connection, forged, RECORD) or "")


def test_the_database_itself_refuses_to_change_a_signature(store):
    signed(store)

    for statement in ("UPDATE signature SET person = 'Lee'", "DELETE FROM signature"):
        with pytest.raises(sa.exc.DBAPIError, match="are kept"), writing(store) as connection:
            connection.execute(sa.text(statement))


def test_who_is_unknown_retired_or_unverified_cannot_sign(store):
    with writing(store) as connection:
        retire(connection, "Lee", by=actor_of(connection, "Alex", now=NOW), now=NOW)

    with pytest.raises(AccessDenied, match="not an active person"):
        signed(store, "Eve")
    with pytest.raises(AccessDenied, match="not an active person"):
        signed(store, "Lee")
    with pytest.raises(AccessDenied, match="Nobody has verified who 'Alex' is"):
        signed(store, "Alex")
    with store.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(SIGNATURES)).scalar() == 0


@pytest.mark.parametrize("record", [replace(RECORD, id=""), replace(RECORD, sha256="abc")])
def test_a_record_without_name_or_hash_is_not_signed(store, record):
    with pytest.raises(PreceptorError, match="needs the record's name, its SHA-256"):
        signed(store, record=record)


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[sa.Engine, Signature]]:
    """A store on SQLite with one signature, for properties of reading alone."""
    engine = open_store(f"sqlite:///{tmp_path_factory.mktemp('signature') / 'store.db'}")
    create_tables(engine)
    with writing(engine) as connection:
        add_person(connection, "Dana", by=actor_of(connection, "setup", now=NOW, at_command_line=True), now=NOW)
        signature = sign(connection, "Dana", Meaning.APPROVAL, record=RECORD, method="password", now=NOW)
    yield engine, signature
    engine.dispose()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(field=st.sampled_from([field.name for field in fields(Signature)]), text=st.text(max_size=70))
def test_any_field_altered_makes_a_signature_fall(one, field, text):
    engine, signature = one
    altered = replace(signature, **{field: text})
    moved = SignedRecord(altered.record_kind, altered.record_id, altered.record_sha256)

    with engine.connect() as connection:
        if altered != signature:
            assert signature_fault(connection, altered, RECORD) is not None
            assert signature_fault(connection, altered, moved) is not None
        else:
            assert signature_fault(connection, altered, RECORD) is None
