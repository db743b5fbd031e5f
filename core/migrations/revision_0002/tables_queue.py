"""Tables of the queue: who judges what next, and why.

Written once, never changed: later revisions go on from here.
"""

import sqlalchemy as sa
from alembic import op


def create() -> None:
    """Create them, in an order that their keys allow."""
    _label_expert()
    _label_queue()
    _label_selection()
    _label_selected()
    _label_gold()
    _label_assignment()
    _label_draft()
    _label_flag()


def _label_expert() -> None:
    op.create_table(
        "label_expert",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("side_seed", sa.BigInteger(), nullable=False),
        sa.Column("keys", sa.Text(), nullable=False),
        sa.Column("since", sa.String(40), nullable=False),
        sa.ForeignKeyConstraint(["name"], ["person.name"], name=op.f("fk_label_expert_name_person")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_label_expert")),
    )


def _label_queue() -> None:
    op.create_table(
        "label_queue",
        sa.Column("pair_id", sa.String(64), nullable=False),
        sa.Column("stream", sa.String(20), nullable=False),
        sa.Column("priority", sa.Float(), nullable=False),
        sa.Column("wanted", sa.Integer(), nullable=False),
        sa.Column("n_taken", sa.Integer(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "stream IN ('plain', 'audit', 'active', 'gold', 'qualification')", name=op.f("ck_label_queue_stream")
        ),
        sa.ForeignKeyConstraint(["pair_id"], ["label_pair.id"], name=op.f("fk_label_queue_pair_id_label_pair")),
        sa.PrimaryKeyConstraint("pair_id", name=op.f("pk_label_queue")),
    )
    op.create_index("ix_label_queue_next", "label_queue", ["is_open", "priority", "pair_id"], unique=False)


def _label_selection() -> None:
    op.create_table(
        "label_selection",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("stream", sa.String(20), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("n_candidates", sa.Integer(), nullable=False),
        sa.Column("n_chosen", sa.Integer(), nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_selection")),
    )


def _label_selected() -> None:
    op.create_table(
        "label_selected",
        sa.Column("item_id", sa.String(200), nullable=False),
        sa.Column("selection_id", sa.String(40), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("inclusion_probability", sa.Float(), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.CheckConstraint(
            "inclusion_probability > 0 AND inclusion_probability <= 1",
            name=op.f("ck_label_selected_inclusion_is_a_chance"),
        ),
        sa.ForeignKeyConstraint(["item_id"], ["label_item.id"], name=op.f("fk_label_selected_item_id_label_item")),
        sa.ForeignKeyConstraint(
            ["selection_id"], ["label_selection.id"], name=op.f("fk_label_selected_selection_id_label_selection")
        ),
        sa.PrimaryKeyConstraint("item_id", name=op.f("pk_label_selected")),
    )
    op.create_index(op.f("ix_label_selected_selection_id"), "label_selected", ["selection_id"], unique=False)


def _label_gold() -> None:
    op.create_table(
        "label_gold",
        sa.Column("pair_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("verdict", sa.String(30), nullable=False),
        sa.Column("first_acceptable", sa.Boolean(), nullable=True),
        sa.Column("second_acceptable", sa.Boolean(), nullable=True),
        sa.Column("explanation", sa.Text(), nullable=False),
        sa.Column("set_by", sa.String(200), nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.CheckConstraint("kind IN ('hidden', 'practice', 'qualification')", name=op.f("ck_label_gold_kind")),
        sa.ForeignKeyConstraint(["pair_id"], ["label_pair.id"], name=op.f("fk_label_gold_pair_id_label_pair")),
        sa.PrimaryKeyConstraint("pair_id", name=op.f("pk_label_gold")),
    )


def _label_assignment() -> None:
    op.create_table(
        "label_assignment",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("expert", sa.String(200), nullable=False),
        sa.Column("pair_id", sa.String(64), nullable=False),
        sa.Column("purpose", sa.String(20), nullable=False),
        sa.Column("occasion", sa.Integer(), nullable=False),
        sa.Column("stratum", sa.String(450), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("side_seed", sa.BigInteger(), nullable=False),
        sa.Column("swapped", sa.Boolean(), nullable=False),
        sa.Column("offered_at", sa.String(40), nullable=False),
        sa.Column("lease_until", sa.String(40), nullable=True),
        sa.Column("holds_place", sa.Boolean(), nullable=False),
        sa.Column("is_waiting", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "purpose IN ('work', 'gold', 'repeat', 'qualification')", name=op.f("ck_label_assignment_purpose")
        ),
        sa.ForeignKeyConstraint(
            ["expert"], ["label_expert.name"], name=op.f("fk_label_assignment_expert_label_expert")
        ),
        sa.ForeignKeyConstraint(["pair_id"], ["label_pair.id"], name=op.f("fk_label_assignment_pair_id_label_pair")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_assignment")),
        sa.UniqueConstraint("expert", "pair_id", "occasion", name=op.f("uq_label_assignment_expert")),
    )
    op.create_index(op.f("ix_label_assignment_lease_until"), "label_assignment", ["lease_until"], unique=False)
    op.create_index(op.f("ix_label_assignment_pair_id"), "label_assignment", ["pair_id"], unique=False)
    op.create_index("ix_label_assignment_turn", "label_assignment", ["expert", "stratum"], unique=False)
    op.create_index(
        "ix_label_assignment_waiting", "label_assignment", ["expert", "is_waiting", "offered_at"], unique=False
    )


def _label_draft() -> None:
    op.create_table(
        "label_draft",
        sa.Column("assignment_id", sa.String(40), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("saved_at", sa.String(40), nullable=False),
        sa.ForeignKeyConstraint(
            ["assignment_id"], ["label_assignment.id"], name=op.f("fk_label_draft_assignment_id_label_assignment")
        ),
        sa.PrimaryKeyConstraint("assignment_id", name=op.f("pk_label_draft")),
    )


def _label_flag() -> None:
    op.create_table(
        "label_flag",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("pair_id", sa.String(64), nullable=False),
        sa.Column("expert", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.Column("resolved_at", sa.String(40), nullable=True),
        sa.Column("resolved_by", sa.String(200), nullable=True),
        sa.Column("resolution", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('identifier', 'safety', 'guideline_gap', 'missing_context', 'other')",
            name=op.f("ck_label_flag_kind"),
        ),
        sa.ForeignKeyConstraint(["expert"], ["label_expert.name"], name=op.f("fk_label_flag_expert_label_expert")),
        sa.ForeignKeyConstraint(["pair_id"], ["label_pair.id"], name=op.f("fk_label_flag_pair_id_label_pair")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_flag")),
    )
    op.create_index(op.f("ix_label_flag_pair_id"), "label_flag", ["pair_id"], unique=False)
