"""The tables that stay as they were, the ledger and the gateway's decisions: made only in stores that lack them.

Written once, never changed: later revisions go on from here.
"""

import sqlalchemy as sa
from alembic import op


def create(*, there: set[str]) -> None:
    """Create those that are not there."""
    if "ledger_event" not in there:
        _ledger_event()
        _append_only()
    if "gateway_decision" not in there:
        _gateway_decision()


def _ledger_event() -> None:
    op.create_table(
        "ledger_event",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("action", sa.String(100), nullable=False),
        sa.Column("subject", sa.String(400), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("prev_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_ledger_event")),
        sa.UniqueConstraint("hash", name=op.f("uq_ledger_event_hash")),
        sa.UniqueConstraint("prev_hash", name=op.f("uq_ledger_event_prev_hash")),
    )
    op.create_index(op.f("ix_ledger_event_action"), "ledger_event", ["action"], unique=False)
    op.create_index(op.f("ix_ledger_event_subject"), "ledger_event", ["subject"], unique=False)


def _gateway_decision() -> None:
    op.create_table(
        "gateway_decision",
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("requested_model", sa.Text(), nullable=False),
        sa.Column("answered_by", sa.Text(), nullable=True),
        sa.Column("bundle", sa.Text(), nullable=True),
        sa.Column("probability", sa.Float(), nullable=True),
        sa.Column("threshold", sa.Float(), nullable=True),
        sa.Column("domain", sa.Text(), nullable=True),
        sa.Column("stakes", sa.String(20), nullable=False),
        sa.Column("verdict", sa.String(40), nullable=True),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("cost_usd", sa.Float(), nullable=True),
        sa.Column("latency_ms", sa.Float(), nullable=False),
        sa.Column("query_sha256", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gateway_decision")),
    )
    op.create_index(op.f("ix_gateway_decision_at"), "gateway_decision", ["at"], unique=False)


def _append_only() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER ledger_event_no_{action.lower()} BEFORE {action} ON ledger_event "
                "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
            )
    else:
        op.execute(
            "CREATE FUNCTION ledger_event_refuse() RETURNS trigger AS "
            "$$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END; $$ LANGUAGE plpgsql"
        )
        op.execute(
            "CREATE TRIGGER ledger_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_event "
            "FOR EACH STATEMENT EXECUTE FUNCTION ledger_event_refuse()"
        )
