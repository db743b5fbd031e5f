"""Tables of the queue: who judges what next, why, and on which side each answer stands.

What changes: a pair's place in the queue and its count of takers, an assignment's lease, an expert's keys.

| table | one row is |
|---|---|
| label_expert | a person who judges, with the seed of the sides they see and the keys they chose |
| label_queue | a pair's place: its stream, its priority, how many experts are wanted and how many took it |
| label_selection | one drawing of pairs into a stream, with policy, seed and counts |
| label_selected | an item that a drawing chose, with its chance of being chosen and the reason |
| label_gold | a pair whose right verdict is known: hidden in the queue, for practice, or of the qualification set |
| label_assignment | a pair offered to an expert, with the side each answer is shown on |
| label_draft | what an expert has entered and not sent yet |
| label_flag | a remark that something is wrong with a pair, and what became of it |
"""

import sqlalchemy as sa

from core.items import ITEMS
from core.store import METADATA
from labeling.tables.columns import KEY, MOMENT, NAME

EXPERTS = sa.Table(
    "label_expert",
    METADATA,
    sa.Column("name", sa.ForeignKey("person.name"), primary_key=True),
    sa.Column("side_seed", sa.BigInteger, nullable=False),
    sa.Column("keys", sa.Text, nullable=False),
    sa.Column("since", MOMENT, nullable=False),
)

QUEUE = sa.Table(
    "label_queue",
    METADATA,
    sa.Column("pair_id", sa.ForeignKey("label_pair.id"), primary_key=True),
    sa.Column("stream", sa.String(20), nullable=False),
    sa.Column("priority", sa.Float, nullable=False),
    sa.Column("wanted", sa.Integer, nullable=False),
    sa.Column("n_taken", sa.Integer, nullable=False),
    # Wanted by more experts than took it, and free to be shown: kept beside the counts so that an index finds it.
    sa.Column("is_open", sa.Boolean, nullable=False),
    sa.CheckConstraint("stream IN ('plain', 'audit', 'active', 'human', 'gold', 'qualification')", name="stream"),
    sa.Index("ix_label_queue_next", "is_open", "priority", "pair_id"),
)

SELECTIONS = sa.Table(
    "label_selection",
    METADATA,
    sa.Column("id", KEY, primary_key=True),
    sa.Column("stream", sa.String(20), nullable=False),
    sa.Column("policy", sa.Text, nullable=False),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("n_candidates", sa.Integer, nullable=False),
    sa.Column("n_chosen", sa.Integer, nullable=False),
    sa.Column("by", NAME, nullable=False),
    sa.Column("at", MOMENT, nullable=False),
)

SELECTED = sa.Table(
    "label_selected",
    METADATA,
    sa.Column("item_id", sa.ForeignKey(ITEMS.c.id), primary_key=True),
    sa.Column("selection_id", sa.ForeignKey("label_selection.id"), nullable=False, index=True),
    sa.Column("score", sa.Float, nullable=False),
    sa.Column("inclusion_probability", sa.Float, nullable=False),
    sa.Column("reason", sa.String(200), nullable=False),
    sa.CheckConstraint("inclusion_probability > 0 AND inclusion_probability <= 1", name="inclusion_is_a_chance"),
)

GOLD = sa.Table(
    "label_gold",
    METADATA,
    sa.Column("pair_id", sa.ForeignKey("label_pair.id"), primary_key=True),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("verdict", sa.String(30), nullable=False),
    sa.Column("first_acceptable", sa.Boolean),
    sa.Column("second_acceptable", sa.Boolean),
    sa.Column("explanation", sa.Text, nullable=False),
    sa.Column("set_by", NAME, nullable=False),
    sa.Column("at", MOMENT, nullable=False),
    sa.CheckConstraint("kind IN ('hidden', 'practice', 'qualification')", name="kind"),
)

ASSIGNMENTS = sa.Table(
    "label_assignment",
    METADATA,
    sa.Column("id", KEY, primary_key=True),
    sa.Column("expert", sa.ForeignKey("label_expert.name"), nullable=False),
    sa.Column("pair_id", sa.ForeignKey("label_pair.id"), nullable=False, index=True),
    sa.Column("purpose", sa.String(20), nullable=False),
    # 0 the first time; a repeat of the same pair, sides swapped, is 1.
    sa.Column("occasion", sa.Integer, nullable=False),
    sa.Column("stratum", sa.String(450), nullable=False),
    sa.Column("turn", sa.Integer, nullable=False),
    sa.Column("side_seed", sa.BigInteger, nullable=False),
    sa.Column("swapped", sa.Boolean, nullable=False),
    sa.Column("offered_at", MOMENT, nullable=False),
    # Until then the pair is this expert's alone; null once it was judged or its lease was taken away.
    sa.Column("lease_until", MOMENT, index=True),
    # Whether it counts among its pair's takers.
    sa.Column("holds_place", sa.Boolean, nullable=False),
    # Whether no judgement on it stands: what the expert's next page looks for.
    sa.Column("is_waiting", sa.Boolean, nullable=False),
    sa.UniqueConstraint("expert", "pair_id", "occasion"),
    sa.CheckConstraint("purpose IN ('work', 'gold', 'repeat', 'qualification')", name="purpose"),
    sa.Index("ix_label_assignment_waiting", "expert", "is_waiting", "offered_at"),
    sa.Index("ix_label_assignment_turn", "expert", "stratum"),
)

DRAFTS = sa.Table(
    "label_draft",
    METADATA,
    sa.Column("assignment_id", sa.ForeignKey("label_assignment.id"), primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("edition", sa.Integer, nullable=False),
    sa.Column("fields", sa.Text, nullable=False),
    sa.Column("saved_at", MOMENT, nullable=False),
)

FLAGS = sa.Table(
    "label_flag",
    METADATA,
    sa.Column("id", KEY, primary_key=True),
    sa.Column("pair_id", sa.ForeignKey("label_pair.id"), nullable=False, index=True),
    sa.Column("expert", sa.ForeignKey("label_expert.name"), nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("at", MOMENT, nullable=False),
    sa.Column("resolved_at", MOMENT),
    sa.Column("resolved_by", NAME),
    sa.Column("resolution", sa.Text),
    sa.CheckConstraint("kind IN ('identifier', 'safety', 'guideline_gap', 'missing_context', 'other')", name="kind"),
)
