"""Tables of frozen dataset versions.

| table | one row is |
|---|---|
| label_dataset | a frozen version, its hashes, its place in the ledger and who signed it |
| label_dataset_row | a judgement in a version |
| label_dataset_pair | a pair in a version: its stream, whether it is for audit, its weights and its consensus then |
| label_dataset_ruling | an adjudication in a version |
"""

import sqlalchemy as sa

from core.store import METADATA
from labeling.tables.columns import HASH, KEY, MOMENT, NAME

DATASETS = sa.Table(
    "label_dataset",
    METADATA,
    sa.Column("name", NAME, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("content_sha256", HASH, nullable=False),
    sa.Column("manifest_sha256", HASH, nullable=False),
    sa.Column("ledger_seq", sa.Integer, nullable=False),
    sa.Column("ledger_hash", HASH, nullable=False),
    sa.Column("data_class", sa.String(20), nullable=False),
    sa.Column("intended_use", sa.Text, nullable=False),
    sa.Column("signature_id", KEY),
    # What was known when it was frozen, as JSON; null in versions of formats 1 and 2.
    sa.Column("about", sa.Text),
    sa.Column("frozen_by", NAME, nullable=False),
    sa.Column("frozen_at", MOMENT, nullable=False),
)

DATASET_ROWS = sa.Table(
    "label_dataset_row",
    METADATA,
    sa.Column("name", NAME, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("judgement_id", sa.ForeignKey("label_judgement.id"), primary_key=True),
    sa.ForeignKeyConstraint(["name", "version"], ["label_dataset.name", "label_dataset.version"]),
)

DATASET_PAIRS = sa.Table(
    "label_dataset_pair",
    METADATA,
    sa.Column("name", NAME, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("pair_id", sa.ForeignKey("label_pair.id"), primary_key=True),
    sa.Column("stream", sa.String(20), nullable=False),
    sa.Column("is_audit", sa.Boolean, nullable=False),
    sa.Column("weight", sa.Float, nullable=False),
    sa.Column("inclusion_probability", sa.Float),
    sa.Column("consensus", sa.Text),
    sa.ForeignKeyConstraint(["name", "version"], ["label_dataset.name", "label_dataset.version"]),
)

DATASET_RULINGS = sa.Table(
    "label_dataset_ruling",
    METADATA,
    sa.Column("name", NAME, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("adjudication_id", sa.ForeignKey("label_adjudication.id"), primary_key=True),
    sa.ForeignKeyConstraint(["name", "version"], ["label_dataset.name", "label_dataset.version"]),
)
