"""The gateway's table: one row a decision. Hashes, numbers and names; no text of any request."""

import sqlalchemy as sa

from core.store import METADATA

DECISIONS = sa.Table(
    "gateway_decision",
    METADATA,
    sa.Column("id", sa.String(200), primary_key=True),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, index=True),
    sa.Column("requested_model", sa.Text, nullable=False),
    sa.Column("answered_by", sa.Text),
    sa.Column("bundle", sa.Text),
    sa.Column("probability", sa.Float),
    sa.Column("threshold", sa.Float),
    sa.Column("domain", sa.Text),
    sa.Column("stakes", sa.String(20), nullable=False),
    sa.Column("verdict", sa.String(40)),
    sa.Column("reasons", sa.JSON, nullable=False),
    sa.Column("cost_usd", sa.Float),
    sa.Column("latency_ms", sa.Float, nullable=False),
    sa.Column("query_sha256", sa.String(64), nullable=False),
    sa.Column("checks", sa.JSON, nullable=False),
    sa.Column("rules", sa.JSON, nullable=False),
    sa.Column("policy_sha256", sa.String(64)),
)
