"""Tables of people, their roles and links, their signatures, and of who is signed in.

Written once, never changed: later revisions go on from here.
"""

import sqlalchemy as sa
from alembic import op


def create() -> None:
    """Create them, and let the database refuse to lose a row."""
    _person()
    _role_grant()
    _access_link()
    _signature()
    _web_session()
    _web_credential()
    _web_oidc_attempt()
    _refuse("DELETE", "person")
    _refuse("DELETE", "role_grant")
    _refuse("DELETE", "access_link")
    _refuse("UPDATE", "signature")
    _refuse("DELETE", "signature")


def _person() -> None:
    op.create_table(
        "person",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("login_key", sa.String(400), nullable=False),
        sa.Column("pseudonym", sa.String(40), nullable=False),
        sa.Column("added_at", sa.String(40), nullable=False),
        sa.Column("added_by", sa.String(200), nullable=False),
        sa.Column("verified_at", sa.String(40), nullable=True),
        sa.Column("verified_by", sa.String(200), nullable=True),
        sa.Column("qualification", sa.String(400), nullable=True),
        sa.Column("qualified_until", sa.String(10), nullable=True),
        sa.Column("retired_at", sa.String(40), nullable=True),
        sa.Column("retired_by", sa.String(200), nullable=True),
        sa.Column("session_epoch", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_person")),
        sa.UniqueConstraint("login_key", name=op.f("uq_person_login_key")),
        sa.UniqueConstraint("pseudonym", name=op.f("uq_person_pseudonym")),
    )


def _role_grant() -> None:
    op.create_table(
        "role_grant",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("person", sa.String(200), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("granted_by", sa.String(200), nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.Column("expires_at", sa.String(40), nullable=True),
        sa.Column("reason", sa.String(400), nullable=True),
        sa.Column("revoked_at", sa.String(40), nullable=True),
        sa.Column("revoked_by", sa.String(200), nullable=True),
        sa.CheckConstraint(
            "role IN ('annotator', 'senior', 'lead', 'steward', "
            "'engineer', 'validator', 'approver', 'auditor', 'admin')",
            name=op.f("ck_role_grant_role_is_known"),
        ),
        sa.CheckConstraint(
            "expires_at IS NULL OR reason IS NOT NULL", name=op.f("ck_role_grant_emergency_has_a_reason")
        ),
        sa.ForeignKeyConstraint(["person"], ["person.name"], name=op.f("fk_role_grant_person_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_grant")),
    )
    op.create_index(op.f("ix_role_grant_person"), "role_grant", ["person"], unique=False)


def _access_link() -> None:
    op.create_table(
        "access_link",
        sa.Column("token_sha256", sa.String(64), nullable=False),
        sa.Column("person", sa.String(200), nullable=False),
        sa.Column("made_by", sa.String(200), nullable=False),
        sa.Column("made_at", sa.String(40), nullable=False),
        sa.Column("expires_at", sa.String(40), nullable=False),
        sa.Column("ended_at", sa.String(40), nullable=True),
        sa.ForeignKeyConstraint(["person"], ["person.name"], name=op.f("fk_access_link_person_person")),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_access_link")),
    )
    op.create_index(op.f("ix_access_link_person"), "access_link", ["person"], unique=False)


def _signature() -> None:
    op.create_table(
        "signature",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("person", sa.String(200), nullable=False),
        sa.Column("meaning", sa.String(40), nullable=False),
        sa.Column("record_kind", sa.String(40), nullable=False),
        sa.Column("record_id", sa.String(400), nullable=False),
        sa.Column("record_sha256", sa.String(64), nullable=False),
        sa.Column("method", sa.String(40), nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.name"], name=op.f("fk_signature_person_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signature")),
        sa.UniqueConstraint("sha256", name=op.f("uq_signature_sha256")),
    )
    op.create_index(op.f("ix_signature_record_id"), "signature", ["record_id"], unique=False)


def _web_session() -> None:
    op.create_table(
        "web_session",
        sa.Column("token_sha256", sa.String(64), nullable=False),
        sa.Column("person", sa.String(200), nullable=False),
        sa.Column("method", sa.String(40), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.String(40), nullable=False),
        sa.Column("seen_at", sa.String(40), nullable=False),
        sa.Column("expires_at", sa.String(40), nullable=False),
        sa.Column("proved_at", sa.String(40), nullable=True),
        sa.ForeignKeyConstraint(["person"], ["person.name"], name=op.f("fk_web_session_person_person")),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_web_session")),
    )
    op.create_index(op.f("ix_web_session_person"), "web_session", ["person"], unique=False)


def _web_credential() -> None:
    op.create_table(
        "web_credential",
        sa.Column("person", sa.String(200), nullable=False),
        sa.Column("password_hash", sa.String(200), nullable=True),
        sa.Column("password_set_at", sa.String(40), nullable=True),
        sa.Column("totp_sealed", sa.String(400), nullable=True),
        sa.Column("totp_since", sa.String(40), nullable=True),
        sa.Column("totp_last_step", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.String(40), nullable=True),
        sa.ForeignKeyConstraint(["person"], ["person.name"], name=op.f("fk_web_credential_person_person")),
        sa.PrimaryKeyConstraint("person", name=op.f("pk_web_credential")),
    )


def _web_oidc_attempt() -> None:
    op.create_table(
        "web_oidc_attempt",
        sa.Column("state_sha256", sa.String(64), nullable=False),
        sa.Column("browser_sha256", sa.String(64), nullable=False),
        sa.Column("nonce", sa.String(80), nullable=False),
        sa.Column("verifier", sa.String(80), nullable=False),
        sa.Column("redirect_url", sa.String(400), nullable=False),
        sa.Column("proves", sa.Boolean(), nullable=False),
        sa.Column("begun_at", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("state_sha256", name=op.f("pk_web_oidc_attempt")),
    )


def _refuse(action: str, table: str) -> None:
    name, message = f"{table}_no_{action.lower()}", f"rows of {table} are kept: no {action}"
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"CREATE TRIGGER {name} BEFORE {action} ON {table} BEGIN SELECT RAISE(ABORT, '{message}'); END")
    else:
        op.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger AS "
            f"$$ BEGIN RAISE EXCEPTION '{message}'; END; $$ LANGUAGE plpgsql"
        )
        op.execute(f"CREATE TRIGGER {name} BEFORE {action} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {name}()")
