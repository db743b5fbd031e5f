"""Answers that need a person: the table that keeps them, their stream in the queue, and when a verdict was revealed.

The queue is made anew, the same way on SQLite and PostgreSQL, since its streams have one more.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_QUEUE = "pair_id, stream, priority, wanted, n_taken, is_open"


def upgrade() -> None:
    """Bring tables and rows of 0003 to 0004."""
    _unresolved_answer()
    op.execute("CREATE TABLE of_0003_label_queue AS SELECT * FROM label_queue")
    op.drop_table("label_queue")
    _label_queue()
    op.execute(f"INSERT INTO label_queue ({_QUEUE}) SELECT {_QUEUE} FROM of_0003_label_queue")
    op.drop_table("of_0003_label_queue")
    _label_reveal()


def _unresolved_answer() -> None:
    op.create_table(
        "unresolved_answer",
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("origin", sa.String(20), nullable=False),
        sa.Column("messages", sa.Text(), nullable=True),
        sa.Column("domain", sa.String(200), nullable=False),
        sa.Column("stakes", sa.String(20), nullable=False),
        sa.Column("stratum", sa.String(200), nullable=True),
        sa.Column("weak", sa.String(200), nullable=False),
        sa.Column("strong", sa.String(200), nullable=False),
        sa.Column("weak_answer", sa.Text(), nullable=True),
        sa.Column("strong_answer", sa.Text(), nullable=True),
        sa.Column("verdict", sa.String(20), nullable=False),
        sa.Column("checks", sa.Text(), nullable=False),
        sa.Column("pair_id", sa.String(64), nullable=True),
        sa.Column("at", sa.String(40), nullable=False),
        sa.CheckConstraint("origin IN ('gateway', 'verify')", name=op.f("ck_unresolved_answer_origin")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unresolved_answer")),
    )
    op.create_index(op.f("ix_unresolved_answer_pair_id"), "unresolved_answer", ["pair_id"], unique=False)


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
            "stream IN ('plain', 'audit', 'active', 'human', 'gold', 'qualification')",
            name=op.f("ck_label_queue_stream"),
        ),
        sa.ForeignKeyConstraint(["pair_id"], ["label_pair.id"], name=op.f("fk_label_queue_pair_id_label_pair")),
        sa.PrimaryKeyConstraint("pair_id", name=op.f("pk_label_queue")),
    )
    op.create_index("ix_label_queue_next", "label_queue", ["is_open", "priority", "pair_id"], unique=False)


def _label_reveal() -> None:
    op.create_table(
        "label_reveal",
        sa.Column("judgement_id", sa.String(40), nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.ForeignKeyConstraint(
            ["judgement_id"], ["label_judgement.id"], name=op.f("fk_label_reveal_judgement_id_label_judgement")
        ),
        sa.PrimaryKeyConstraint("judgement_id", name=op.f("pk_label_reveal")),
    )
