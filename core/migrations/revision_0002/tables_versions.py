"""Tables of frozen dataset versions.

Written once, never changed: later revisions go on from here.
"""

import sqlalchemy as sa
from alembic import op


def create() -> None:
    """Create them, in an order that their keys allow."""
    _label_dataset()
    _label_dataset_row()
    _label_dataset_pair()
    _label_dataset_ruling()


def _label_dataset() -> None:
    op.create_table(
        "label_dataset",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("content_sha256", sa.String(64), nullable=False),
        sa.Column("manifest_sha256", sa.String(64), nullable=False),
        sa.Column("ledger_seq", sa.Integer(), nullable=False),
        sa.Column("ledger_hash", sa.String(64), nullable=False),
        sa.Column("data_class", sa.String(20), nullable=False),
        sa.Column("intended_use", sa.Text(), nullable=False),
        sa.Column("signature_id", sa.String(40), nullable=True),
        sa.Column("about", sa.Text(), nullable=True),
        sa.Column("frozen_by", sa.String(200), nullable=False),
        sa.Column("frozen_at", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("name", "version", name=op.f("pk_label_dataset")),
    )


def _label_dataset_row() -> None:
    op.create_table(
        "label_dataset_row",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("judgement_id", sa.String(40), nullable=False),
        sa.ForeignKeyConstraint(
            ["judgement_id"], ["label_judgement.id"], name=op.f("fk_label_dataset_row_judgement_id_label_judgement")
        ),
        sa.ForeignKeyConstraint(
            ["name", "version"],
            ["label_dataset.name", "label_dataset.version"],
            name=op.f("fk_label_dataset_row_name_label_dataset"),
        ),
        sa.PrimaryKeyConstraint("name", "version", "judgement_id", name=op.f("pk_label_dataset_row")),
    )


def _label_dataset_pair() -> None:
    op.create_table(
        "label_dataset_pair",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("pair_id", sa.String(64), nullable=False),
        sa.Column("stream", sa.String(20), nullable=False),
        sa.Column("is_audit", sa.Boolean(), nullable=False),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.Column("inclusion_probability", sa.Float(), nullable=True),
        sa.Column("consensus", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["name", "version"],
            ["label_dataset.name", "label_dataset.version"],
            name=op.f("fk_label_dataset_pair_name_label_dataset"),
        ),
        sa.ForeignKeyConstraint(["pair_id"], ["label_pair.id"], name=op.f("fk_label_dataset_pair_pair_id_label_pair")),
        sa.PrimaryKeyConstraint("name", "version", "pair_id", name=op.f("pk_label_dataset_pair")),
    )


def _label_dataset_ruling() -> None:
    op.create_table(
        "label_dataset_ruling",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("adjudication_id", sa.String(40), nullable=False),
        sa.ForeignKeyConstraint(
            ["adjudication_id"],
            ["label_adjudication.id"],
            name=op.f("fk_label_dataset_ruling_adjudication_id_label_adjudication"),
        ),
        sa.ForeignKeyConstraint(
            ["name", "version"],
            ["label_dataset.name", "label_dataset.version"],
            name=op.f("fk_label_dataset_ruling_name_label_dataset"),
        ),
        sa.PrimaryKeyConstraint("name", "version", "adjudication_id", name=op.f("pk_label_dataset_ruling")),
    )
