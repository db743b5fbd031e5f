"""The gateway's record of calls, arms and keys in a decision, and its tables of shadow scores, keys, spending and more.

The table of decisions is made anew, the same way on SQLite and PostgreSQL. Decisions of before have no calls on record.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_CARRIED = (
    "id, at, requested_model, answered_by, bundle, probability, threshold, domain, stakes, verdict, reasons, cost_usd, "
    "latency_ms, query_sha256, checks, rules, policy_sha256"
)


def upgrade() -> None:
    """Bring tables and rows of 0004 to 0005."""
    op.execute("CREATE TABLE of_0004_gateway_decision AS SELECT * FROM gateway_decision")
    op.drop_table("gateway_decision")
    _gateway_decision()
    op.execute(
        f"INSERT INTO gateway_decision ({_CARRIED}, calls, arm, is_streamed) "
        f"SELECT {_CARRIED}, '[]', 'champion', {_false()} FROM of_0004_gateway_decision"
    )
    op.drop_table("of_0004_gateway_decision")
    _shadows()
    _keys()
    _switch_pins_and_texts()


def _false() -> str:
    return "false" if op.get_bind().dialect.name == "postgresql" else "0"


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
        sa.Column("checks", sa.JSON(), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("policy_sha256", sa.String(64), nullable=True),
        sa.Column("calls", sa.JSON(), nullable=False),
        sa.Column("arm", sa.String(20), nullable=False),
        sa.Column("is_streamed", sa.Boolean(), nullable=False),
        sa.Column("key_id", sa.String(64), nullable=True),
        sa.Column("task_sha256", sa.String(64), nullable=True),
        sa.Column("conversation_sha256", sa.String(64), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gateway_decision")),
    )
    op.create_index(op.f("ix_gateway_decision_at"), "gateway_decision", ["at"], unique=False)


def _shadows() -> None:
    op.create_table(
        "gateway_shadow",
        sa.Column("decision_id", sa.String(200), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("bundle", sa.String(64), nullable=False),
        sa.Column("probability", sa.Float(), nullable=True),
        sa.Column("threshold", sa.Float(), nullable=True),
        sa.Column("ask_strong", sa.Boolean(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_gateway_shadow")),
    )
    op.create_index(op.f("ix_gateway_shadow_at"), "gateway_shadow", ["at"], unique=False)


def _keys() -> None:
    op.create_table(
        "gateway_key",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("key_sha256", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(200), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("requests_per_minute", sa.Integer(), nullable=True),
        sa.Column("usd_per_day", sa.Float(), nullable=True),
        sa.Column("max_concurrent", sa.Integer(), nullable=True),
        sa.Column("domains", sa.JSON(), nullable=True),
        sa.Column("least_stakes", sa.String(20), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gateway_key")),
        sa.UniqueConstraint("key_sha256", name=op.f("uq_gateway_key_key_sha256")),
    )
    op.create_table(
        "gateway_spending",
        sa.Column("key_id", sa.String(64), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("n_requests", sa.Integer(), nullable=False),
        sa.Column("cost_usd", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", "day", name=op.f("pk_gateway_spending")),
    )


def _switch_pins_and_texts() -> None:
    op.create_table(
        "gateway_switch",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("domain", sa.String(200), nullable=True),
        sa.Column("is_stopped", sa.Boolean(), nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_gateway_switch")),
    )
    op.create_table(
        "gateway_pin",
        sa.Column("conversation_sha256", sa.String(64), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("conversation_sha256", name=op.f("pk_gateway_pin")),
    )
    op.create_index(op.f("ix_gateway_pin_until"), "gateway_pin", ["until"], unique=False)
    op.create_table(
        "gateway_text",
        sa.Column("decision_id", sa.String(200), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_gateway_text")),
    )
    op.create_index(op.f("ix_gateway_text_at"), "gateway_text", ["at"], unique=False)
