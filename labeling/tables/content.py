"""Tables of what is judged: answers, pairs, how items were chosen and what the screen for identifiers found.

Content is only ever added; a text that is masked is replaced where it stands, and what stood there moves to
`label_redaction`, so that no reader can show it by mistake. `label_item` itself stands in `core.items`, since the
pipeline reads it.

| table | one row is |
|---|---|
| label_sampling | how an item was chosen, where the import said so: its weight and its chance of inclusion |
| label_phi_finding | a kind of identifier found in an item, with a count, never the text |
| label_answer | one model's answer to an item; its id is a hash, so its order says nothing about the model |
| label_clearance | a person's decision on an item that was held back, with its reason; for stewards alone |
| label_redaction | a text that was masked: what stood there before, and where identifiers stood; for stewards alone |
| label_pair | an item with two of its answers, in canonical order |
"""

import sqlalchemy as sa

from core.items import ITEMS
from core.store import METADATA
from labeling.tables.columns import HASH, MOMENT, NAME

SAMPLING = sa.Table(
    "label_sampling",
    METADATA,
    sa.Column("item_id", sa.ForeignKey(ITEMS.c.id), primary_key=True),
    sa.Column("weight", sa.Float, nullable=False),
    sa.Column("inclusion_probability", sa.Float),
    sa.CheckConstraint("weight > 0", name="weight_counts"),
    sa.CheckConstraint("inclusion_probability > 0 AND inclusion_probability <= 1", name="inclusion_is_a_chance"),
)

PHI_FINDINGS = sa.Table(
    "label_phi_finding",
    METADATA,
    sa.Column("item_id", sa.ForeignKey(ITEMS.c.id), primary_key=True),
    sa.Column("kind", sa.String(40), primary_key=True),
    sa.Column("n", sa.Integer, nullable=False),
)

CLEARANCES = sa.Table(
    "label_clearance",
    METADATA,
    sa.Column("item_id", sa.ForeignKey(ITEMS.c.id), primary_key=True),
    # 0 the first time; an item can be held back again.
    sa.Column("edition", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("decision", sa.String(20), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("by", NAME, nullable=False),
    sa.Column("at", MOMENT, nullable=False),
    sa.CheckConstraint("decision IN ('as_it_is', 'masked', 'excluded')", name="decision"),
    sa.CheckConstraint("decision <> 'as_it_is' OR length(trim(reason)) > 0", name="as_it_is_has_a_reason"),
)

REDACTIONS = sa.Table(
    "label_redaction",
    METADATA,
    sa.Column("item_id", sa.ForeignKey(ITEMS.c.id), primary_key=True),
    # "messages", or the id of an answer.
    sa.Column("part", HASH, primary_key=True),
    # 0 the first time; a part that is masked again keeps both texts before.
    sa.Column("edition", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("original", sa.Text, nullable=False),
    sa.Column("spans", sa.Text, nullable=False),
    sa.Column("by", NAME, nullable=False),
    sa.Column("at", MOMENT, nullable=False),
)

ANSWERS = sa.Table(
    "label_answer",
    METADATA,
    sa.Column("id", HASH, primary_key=True),
    sa.Column("item_id", sa.ForeignKey(ITEMS.c.id), nullable=False),
    sa.Column("model", NAME, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("cost_usd", sa.Float),
    sa.Column("latency_ms", sa.Float),
    sa.Column("names_a_model", sa.Boolean, nullable=False),
    sa.UniqueConstraint("item_id", "model"),
)

PAIRS = sa.Table(
    "label_pair",
    METADATA,
    sa.Column("id", HASH, primary_key=True),
    sa.Column("content_sha256", HASH, nullable=False, unique=True),
    sa.Column("item_id", sa.ForeignKey(ITEMS.c.id), nullable=False, index=True),
    sa.Column("first_answer_id", sa.ForeignKey("label_answer.id"), nullable=False),
    sa.Column("second_answer_id", sa.ForeignKey("label_answer.id"), nullable=False),
    sa.Column("weak", NAME),
    sa.Column("strong", NAME),
    sa.CheckConstraint("first_answer_id < second_answer_id", name="canonical_order"),
)
