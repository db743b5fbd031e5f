"""The gateway's tables. Hashes, numbers and names; no text of any request but in `gateway_text`, which is encrypted."""

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
    sa.Column("calls", sa.JSON, nullable=False),
    sa.Column("arm", sa.String(20), nullable=False),
    sa.Column("is_streamed", sa.Boolean, nullable=False),
    sa.Column("key_id", sa.String(64)),
    sa.Column("task_sha256", sa.String(64)),
    sa.Column("conversation_sha256", sa.String(64)),
)

SHADOWS = sa.Table(
    "gateway_shadow",
    METADATA,
    sa.Column("decision_id", sa.String(200), primary_key=True),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, index=True),
    # The bundle that scored and did not decide, and what it would have done.
    sa.Column("bundle", sa.String(64), nullable=False),
    sa.Column("probability", sa.Float),
    sa.Column("threshold", sa.Float),
    sa.Column("ask_strong", sa.Boolean, nullable=False),
    sa.Column("reasons", sa.JSON, nullable=False),
)

KEYS = sa.Table(
    "gateway_key",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("key_sha256", sa.String(64), nullable=False, unique=True),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("created_by", sa.String(200), nullable=False),
    sa.Column("expires_at", sa.DateTime(timezone=True)),
    sa.Column("revoked_at", sa.DateTime(timezone=True)),
    sa.Column("requests_per_minute", sa.Integer),
    sa.Column("usd_per_day", sa.Float),
    sa.Column("max_concurrent", sa.Integer),
    # What the key may ask for; null: everything. And the least stakes of what it asks; null: what the policy says.
    sa.Column("domains", sa.JSON(none_as_null=True)),
    sa.Column("least_stakes", sa.String(20)),
)

SPENDING = sa.Table(
    "gateway_spending",
    METADATA,
    sa.Column("key_id", sa.String(64), primary_key=True),
    sa.Column("day", sa.String(10), primary_key=True),
    sa.Column("n_requests", sa.Integer, nullable=False),
    sa.Column("cost_usd", sa.Float, nullable=False),
)

SWITCH = sa.Table(
    "gateway_switch",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    # Null: all domains. The last row of a domain says whether its weak answers are stopped.
    sa.Column("domain", sa.String(200)),
    sa.Column("is_stopped", sa.Boolean, nullable=False),
    sa.Column("by", sa.String(200), nullable=False),
    sa.Column("reason", sa.String(500), nullable=False),
)

PINS = sa.Table(
    "gateway_pin",
    METADATA,
    sa.Column("conversation_sha256", sa.String(64), primary_key=True),
    # Until when the strong model answers this conversation.
    sa.Column("until", sa.DateTime(timezone=True), nullable=False, index=True),
)

TEXTS = sa.Table(
    "gateway_text",
    METADATA,
    sa.Column("decision_id", sa.String(200), primary_key=True),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, index=True),
    # Request and answer as JSON, sealed under the store's secret key with the decision's id as context.
    sa.Column("sealed", sa.Text, nullable=False),
)
