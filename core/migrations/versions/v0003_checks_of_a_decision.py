"""A decision names what its recheck found, check by check, and the rules that named its stakes.

The table is made anew, the same way on SQLite and PostgreSQL. Decisions of before have neither on record.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_CARRIED = (
    "id, at, requested_model, answered_by, bundle, probability, threshold, domain, stakes, verdict, reasons, cost_usd, "
    "latency_ms, query_sha256"
)


def upgrade() -> None:
    """Bring the gateway's decisions of 0002 to 0003."""
    op.execute("CREATE TABLE of_0002_gateway_decision AS SELECT * FROM gateway_decision")
    op.drop_table("gateway_decision")
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
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gateway_decision")),
    )
    op.create_index(op.f("ix_gateway_decision_at"), "gateway_decision", ["at"], unique=False)
    op.execute(
        f"INSERT INTO gateway_decision ({_CARRIED}, checks, rules) "
        f"SELECT {_CARRIED}, '[]', '[]' FROM of_0002_gateway_decision"
    )
    op.drop_table("of_0002_gateway_decision")
