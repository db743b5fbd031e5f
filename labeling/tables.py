"""The labeling tables on the shared store.

Content, answers and judgements are only ever added. What changes: an item's PHI state, an expert's access token, and
when an assignment was last offered.

| table | one row is |
|---|---|
| label_item | a query to judge, with its PHI state |
| label_sampling | how an item was chosen, where the import said so: its weight and its chance of inclusion |
| label_phi_finding | a kind of identifier found in an item, with a count, never the text |
| label_answer | one model's answer to an item; its id is a hash, so its order says nothing about the model |
| label_pair | an item with two of its answers, in canonical order |
| label_expert | a person who judges, with the seed of the sides they see |
| label_assignment | a pair offered to an expert, with the side each answer is shown on |
| label_judgement | an expert's verdict on a pair |
| label_retraction | the undoing of a judgement |
| label_dataset, label_dataset_row | a frozen version, and the judgements in it |
"""

import sqlalchemy as sa

from core.store import METADATA

_HASH = sa.String(64)
_NAME = sa.String(200)
_MOMENT = sa.String(40)

ITEMS = sa.Table(
    "label_item",
    METADATA,
    sa.Column("id", _NAME, primary_key=True),
    sa.Column("messages", sa.Text, nullable=False),
    sa.Column("domain", _NAME, nullable=False),
    sa.Column("stakes", sa.String(20), nullable=False),
    sa.Column("stratum", _NAME),
    sa.Column("group_key", sa.Text),
    sa.Column("topic", sa.Text),
    sa.Column("reference", sa.Text),
    sa.Column("phi_state", sa.String(10), nullable=False, index=True),
    sa.Column("imported_at", _MOMENT, nullable=False),
    sa.CheckConstraint("phi_state IN ('clean', 'held', 'cleared')", name="phi_state"),
)

SAMPLING = sa.Table(
    "label_sampling",
    METADATA,
    sa.Column("item_id", sa.ForeignKey("label_item.id"), primary_key=True),
    sa.Column("weight", sa.Float, nullable=False),
    sa.Column("inclusion_probability", sa.Float),
    sa.CheckConstraint("weight > 0", name="weight_counts"),
    sa.CheckConstraint("inclusion_probability > 0 AND inclusion_probability <= 1", name="inclusion_is_a_chance"),
)

PHI_FINDINGS = sa.Table(
    "label_phi_finding",
    METADATA,
    sa.Column("item_id", sa.ForeignKey("label_item.id"), primary_key=True),
    sa.Column("kind", sa.String(40), primary_key=True),
    sa.Column("n", sa.Integer, nullable=False),
)

ANSWERS = sa.Table(
    "label_answer",
    METADATA,
    sa.Column("id", _HASH, primary_key=True),
    sa.Column("item_id", sa.ForeignKey("label_item.id"), nullable=False),
    sa.Column("model", _NAME, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("cost_usd", sa.Float),
    sa.Column("latency_ms", sa.Float),
    sa.Column("names_a_model", sa.Boolean, nullable=False),
    sa.UniqueConstraint("item_id", "model"),
)

PAIRS = sa.Table(
    "label_pair",
    METADATA,
    sa.Column("id", _HASH, primary_key=True),
    sa.Column("content_sha256", _HASH, nullable=False, unique=True),
    sa.Column("item_id", sa.ForeignKey("label_item.id"), nullable=False, index=True),
    sa.Column("first_answer_id", sa.ForeignKey("label_answer.id"), nullable=False),
    sa.Column("second_answer_id", sa.ForeignKey("label_answer.id"), nullable=False),
    sa.Column("weak", _NAME),
    sa.Column("strong", _NAME),
    sa.CheckConstraint("first_answer_id < second_answer_id", name="canonical_order"),
)

EXPERTS = sa.Table(
    "label_expert",
    METADATA,
    sa.Column("name", _NAME, primary_key=True),
    sa.Column("pseudonym", sa.String(40), nullable=False, unique=True),
    sa.Column("side_seed", sa.BigInteger, nullable=False),
    sa.Column("token_sha256", _HASH, unique=True),
    sa.Column("token_expires_at", _MOMENT),
    sa.Column("invited_at", _MOMENT, nullable=False),
)

ASSIGNMENTS = sa.Table(
    "label_assignment",
    METADATA,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("expert", sa.ForeignKey("label_expert.name"), nullable=False),
    sa.Column("pair_id", sa.ForeignKey("label_pair.id"), nullable=False, index=True),
    sa.Column("stratum", sa.String(450), nullable=False),
    sa.Column("turn", sa.Integer, nullable=False),
    sa.Column("side_seed", sa.BigInteger, nullable=False),
    sa.Column("swapped", sa.Boolean, nullable=False),
    sa.Column("offered_at", _MOMENT, nullable=False),
    sa.UniqueConstraint("expert", "pair_id"),
)

JUDGEMENTS = sa.Table(
    "label_judgement",
    METADATA,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("assignment_id", sa.ForeignKey("label_assignment.id"), nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("pair_id", sa.ForeignKey("label_pair.id"), nullable=False, index=True),
    sa.Column("expert", sa.ForeignKey("label_expert.name"), nullable=False, index=True),
    sa.Column("verdict", sa.String(30), nullable=False),
    sa.Column("first_acceptable", sa.Boolean),
    sa.Column("second_acceptable", sa.Boolean),
    sa.Column("swapped", sa.Boolean, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("active_ms", sa.BigInteger),
    sa.Column("at", _MOMENT, nullable=False),
    # One judgement per assignment and revision: a form sent twice cannot count twice.
    sa.UniqueConstraint("assignment_id", "revision"),
    sa.CheckConstraint("verdict <> 'cannot_judge' OR length(trim(reason)) > 0", name="cannot_judge_has_a_reason"),
    sa.CheckConstraint(
        "verdict <> 'both_acceptable' OR (first_acceptable IS TRUE AND second_acceptable IS TRUE)",
        name="both_acceptable_marks_both",
    ),
    sa.CheckConstraint(
        "verdict <> 'neither_acceptable' OR (first_acceptable IS FALSE AND second_acceptable IS FALSE)",
        name="neither_acceptable_marks_both",
    ),
)

RETRACTIONS = sa.Table(
    "label_retraction",
    METADATA,
    sa.Column("judgement_id", sa.ForeignKey("label_judgement.id"), primary_key=True),
    sa.Column("at", _MOMENT, nullable=False),
)

DATASETS = sa.Table(
    "label_dataset",
    METADATA,
    sa.Column("name", _NAME, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("content_sha256", _HASH, nullable=False),
    sa.Column("manifest_sha256", _HASH, nullable=False),
    sa.Column("ledger_seq", sa.Integer, nullable=False),
    sa.Column("ledger_hash", _HASH, nullable=False),
    sa.Column("frozen_by", _NAME, nullable=False),
    sa.Column("frozen_at", _MOMENT, nullable=False),
)

DATASET_ROWS = sa.Table(
    "label_dataset_row",
    METADATA,
    sa.Column("name", _NAME, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("judgement_id", sa.ForeignKey("label_judgement.id"), primary_key=True),
    sa.ForeignKeyConstraint(["name", "version"], ["label_dataset.name", "label_dataset.version"]),
)


def stands() -> sa.ColumnElement[bool]:
    """The condition that a row of `JUDGEMENTS` was not retracted."""
    return ~sa.exists().where(RETRACTIONS.c.judgement_id == JUDGEMENTS.c.id)
