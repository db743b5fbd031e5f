"""Tables of what is judged: items, answers, pairs, and what the screen for identifiers found in them.

Written once, never changed: later revisions go on from here.
"""

import sqlalchemy as sa
from alembic import op


def create() -> None:
    """Create them, in an order that their keys allow."""
    _label_item()
    _query_signal()
    _label_sampling()
    _label_phi_finding()
    _label_clearance()
    _label_redaction()
    _label_answer()
    _label_pair()


def _label_item() -> None:
    op.create_table(
        "label_item",
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("messages", sa.Text(), nullable=False),
        sa.Column("domain", sa.String(200), nullable=False),
        sa.Column("stakes", sa.String(20), nullable=False),
        sa.Column("stratum", sa.String(200), nullable=True),
        sa.Column("group_key", sa.Text(), nullable=True),
        sa.Column("topic", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("phi_state", sa.String(10), nullable=False),
        sa.Column("data_class", sa.String(20), nullable=False),
        sa.Column("imported_at", sa.String(40), nullable=False),
        sa.CheckConstraint(
            "phi_state IN ('clean', 'held', 'cleared', 'excluded')", name=op.f("ck_label_item_phi_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_item")),
    )
    op.create_index(op.f("ix_label_item_phi_state"), "label_item", ["phi_state"], unique=False)


def _query_signal() -> None:
    op.create_table(
        "query_signal",
        sa.Column("query_id", sa.String(200), nullable=False),
        sa.Column("bundle", sa.String(400), nullable=False),
        sa.Column("probability", sa.Float(), nullable=False),
        sa.Column("threshold", sa.Float(), nullable=False),
        sa.Column("disagreement", sa.Float(), nullable=True),
        sa.Column("verifier_conflict", sa.Float(), nullable=True),
        sa.Column("novelty", sa.Float(), nullable=True),
        sa.Column("at", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("query_id", name=op.f("pk_query_signal")),
    )


def _label_sampling() -> None:
    op.create_table(
        "label_sampling",
        sa.Column("item_id", sa.String(200), nullable=False),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.Column("inclusion_probability", sa.Float(), nullable=True),
        sa.CheckConstraint(
            "inclusion_probability > 0 AND inclusion_probability <= 1",
            name=op.f("ck_label_sampling_inclusion_is_a_chance"),
        ),
        sa.CheckConstraint("weight > 0", name=op.f("ck_label_sampling_weight_counts")),
        sa.ForeignKeyConstraint(["item_id"], ["label_item.id"], name=op.f("fk_label_sampling_item_id_label_item")),
        sa.PrimaryKeyConstraint("item_id", name=op.f("pk_label_sampling")),
    )


def _label_phi_finding() -> None:
    op.create_table(
        "label_phi_finding",
        sa.Column("item_id", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["label_item.id"], name=op.f("fk_label_phi_finding_item_id_label_item")),
        sa.PrimaryKeyConstraint("item_id", "kind", name=op.f("pk_label_phi_finding")),
    )


def _label_clearance() -> None:
    op.create_table(
        "label_clearance",
        sa.Column("item_id", sa.String(200), nullable=False),
        sa.Column("edition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("decision", sa.String(20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.CheckConstraint(
            "decision <> 'as_it_is' OR length(trim(reason)) > 0", name=op.f("ck_label_clearance_as_it_is_has_a_reason")
        ),
        sa.CheckConstraint("decision IN ('as_it_is', 'masked', 'excluded')", name=op.f("ck_label_clearance_decision")),
        sa.ForeignKeyConstraint(["item_id"], ["label_item.id"], name=op.f("fk_label_clearance_item_id_label_item")),
        sa.PrimaryKeyConstraint("item_id", "edition", name=op.f("pk_label_clearance")),
    )


def _label_redaction() -> None:
    op.create_table(
        "label_redaction",
        sa.Column("item_id", sa.String(200), nullable=False),
        sa.Column("part", sa.String(64), nullable=False),
        sa.Column("edition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("original", sa.Text(), nullable=False),
        sa.Column("spans", sa.Text(), nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["label_item.id"], name=op.f("fk_label_redaction_item_id_label_item")),
        sa.PrimaryKeyConstraint("item_id", "part", "edition", name=op.f("pk_label_redaction")),
    )


def _label_answer() -> None:
    op.create_table(
        "label_answer",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("item_id", sa.String(200), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("cost_usd", sa.Float(), nullable=True),
        sa.Column("latency_ms", sa.Float(), nullable=True),
        sa.Column("names_a_model", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["label_item.id"], name=op.f("fk_label_answer_item_id_label_item")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_answer")),
        sa.UniqueConstraint("item_id", "model", name=op.f("uq_label_answer_item_id")),
    )


def _label_pair() -> None:
    op.create_table(
        "label_pair",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("content_sha256", sa.String(64), nullable=False),
        sa.Column("item_id", sa.String(200), nullable=False),
        sa.Column("first_answer_id", sa.String(64), nullable=False),
        sa.Column("second_answer_id", sa.String(64), nullable=False),
        sa.Column("weak", sa.String(200), nullable=True),
        sa.Column("strong", sa.String(200), nullable=True),
        sa.CheckConstraint("first_answer_id < second_answer_id", name=op.f("ck_label_pair_canonical_order")),
        sa.ForeignKeyConstraint(
            ["first_answer_id"], ["label_answer.id"], name=op.f("fk_label_pair_first_answer_id_label_answer")
        ),
        sa.ForeignKeyConstraint(["item_id"], ["label_item.id"], name=op.f("fk_label_pair_item_id_label_item")),
        sa.ForeignKeyConstraint(
            ["second_answer_id"], ["label_answer.id"], name=op.f("fk_label_pair_second_answer_id_label_answer")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_pair")),
        sa.UniqueConstraint("content_sha256", name=op.f("uq_label_pair_content_sha256")),
    )
    op.create_index(op.f("ix_label_pair_item_id"), "label_pair", ["item_id"], unique=False)
