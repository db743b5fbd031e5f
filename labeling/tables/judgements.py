"""Tables of what experts said: verdicts, marks inside answers, retractions, guidelines, adjudications.

Rows are only ever added: a change of mind is a retraction and a new revision.

| table | one row is |
|---|---|
| label_guideline | a version of the instructions, with who wrote and who approved it |
| label_guideline_proposal | a text that someone wants to be the next version, and what became of it |
| label_acknowledgement | an expert read a version of the guideline |
| label_judgement | an expert's verdict on a pair |
| label_mark | a sentence of an answer that an expert marked as faulty |
| label_retraction | the undoing of a judgement, with its reason |
| label_reveal | an expert was shown what the checks had said, after this judgement of theirs |
| label_qualification | an expert handed in the qualification set, and passed or failed |
| label_adjudication | the last word on a pair about which experts disagree |
"""

import sqlalchemy as sa

from core.store import METADATA
from labeling.tables.columns import HASH, KEY, MOMENT, NAME

GUIDELINES = sa.Table(
    "label_guideline",
    METADATA,
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("sha256", HASH, nullable=False),
    sa.Column("change", sa.Text, nullable=False),
    sa.Column("written_by", NAME, nullable=False),
    sa.Column("approved_by", NAME, nullable=False),
    sa.Column("at", MOMENT, nullable=False),
    sa.CheckConstraint("written_by <> approved_by", name="two_people"),
)

GUIDELINE_PROPOSALS = sa.Table(
    "label_guideline_proposal",
    METADATA,
    sa.Column("id", KEY, primary_key=True),
    # The version that it would replace; 0 before the first. Once another one is in force, the proposal is out of date.
    sa.Column("builds_on", sa.Integer, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("sha256", HASH, nullable=False),
    sa.Column("change", sa.Text, nullable=False),
    sa.Column("written_by", NAME, nullable=False),
    sa.Column("at", MOMENT, nullable=False),
    sa.Column("decision", sa.String(20)),
    sa.Column("decided_by", NAME),
    sa.Column("decided_at", MOMENT),
    sa.CheckConstraint("decision IN ('approved', 'declined')", name="decision"),
    sa.CheckConstraint("decision IS NULL OR decided_by IS NOT NULL", name="someone_decided"),
    sa.CheckConstraint("decision <> 'approved' OR decided_by <> written_by", name="two_people"),
)

ACKNOWLEDGEMENTS = sa.Table(
    "label_acknowledgement",
    METADATA,
    sa.Column("expert", sa.ForeignKey("label_expert.name"), primary_key=True),
    sa.Column("version", sa.ForeignKey("label_guideline.version"), primary_key=True),
    sa.Column("at", MOMENT, nullable=False),
)

JUDGEMENTS = sa.Table(
    "label_judgement",
    METADATA,
    sa.Column("id", KEY, primary_key=True),
    sa.Column("assignment_id", sa.ForeignKey("label_assignment.id"), nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("pair_id", sa.ForeignKey("label_pair.id"), nullable=False, index=True),
    sa.Column("expert", sa.ForeignKey("label_expert.name"), nullable=False, index=True),
    sa.Column("purpose", sa.String(20), nullable=False),
    sa.Column("verdict", sa.String(30), nullable=False),
    sa.Column("strength", sa.Integer),
    sa.Column("first_acceptable", sa.Boolean),
    sa.Column("second_acceptable", sa.Boolean),
    sa.Column("swapped", sa.Boolean, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("reason_codes", sa.Text, nullable=False),
    sa.Column("guideline_version", sa.ForeignKey("label_guideline.version")),
    sa.Column("active_ms", sa.BigInteger),
    sa.Column("wall_ms", sa.BigInteger),
    sa.Column("at", MOMENT, nullable=False),
    # One judgement per assignment and revision: a form sent twice cannot count twice.
    sa.UniqueConstraint("assignment_id", "revision"),
    sa.CheckConstraint(
        "verdict <> 'cannot_judge' OR length(trim(reason)) > 0 OR reason_codes <> '[]'",
        name="cannot_judge_has_a_reason",
    ),
    sa.CheckConstraint("strength IS NULL OR strength BETWEEN 1 AND 3", name="strength_is_one_to_three"),
    sa.CheckConstraint(
        "strength IS NULL OR verdict IN ('first_better', 'second_better')", name="strength_of_a_preference"
    ),
    sa.CheckConstraint(
        "verdict <> 'both_acceptable' OR (first_acceptable IS TRUE AND second_acceptable IS TRUE)",
        name="both_acceptable_marks_both",
    ),
    sa.CheckConstraint(
        "verdict <> 'neither_acceptable' OR (first_acceptable IS FALSE AND second_acceptable IS FALSE)",
        name="neither_acceptable_marks_both",
    ),
)

MARKS = sa.Table(
    "label_mark",
    METADATA,
    sa.Column("judgement_id", sa.ForeignKey("label_judgement.id"), primary_key=True),
    sa.Column("is_first", sa.Boolean, primary_key=True),
    sa.Column("sentence", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("category", sa.String(60), nullable=False),
    sa.Column("severity", sa.String(10), nullable=False),
    sa.CheckConstraint("severity IN ('minor', 'major', 'critical')", name="severity"),
)

RETRACTIONS = sa.Table(
    "label_retraction",
    METADATA,
    sa.Column("judgement_id", sa.ForeignKey("label_judgement.id"), primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("at", MOMENT, nullable=False),
)

REVEALS = sa.Table(
    "label_reveal",
    METADATA,
    sa.Column("judgement_id", sa.ForeignKey("label_judgement.id"), primary_key=True),
    sa.Column("at", MOMENT, nullable=False),
)

QUALIFICATIONS = sa.Table(
    "label_qualification",
    METADATA,
    sa.Column("id", KEY, primary_key=True),
    sa.Column("expert", sa.ForeignKey("label_expert.name"), nullable=False, index=True),
    sa.Column("n_right", sa.Integer, nullable=False),
    sa.Column("n", sa.Integer, nullable=False),
    sa.Column("is_passed", sa.Boolean, nullable=False),
    sa.Column("guideline_version", sa.ForeignKey("label_guideline.version")),
    # Of what the expert acknowledged when handing in, and of their signature where the settings ask for one.
    sa.Column("statement_sha256", HASH, nullable=False),
    sa.Column("signature_id", KEY),
    sa.Column("at", MOMENT, nullable=False),
)

ADJUDICATIONS = sa.Table(
    "label_adjudication",
    METADATA,
    sa.Column("id", KEY, primary_key=True),
    sa.Column("pair_id", sa.ForeignKey("label_pair.id"), nullable=False),
    sa.Column("edition", sa.Integer, nullable=False),
    sa.Column("by", NAME, nullable=False),
    sa.Column("verdict", sa.String(30), nullable=False),
    sa.Column("first_acceptable", sa.Boolean),
    sa.Column("second_acceptable", sa.Boolean),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("error_class", sa.String(20), nullable=False),
    sa.Column("signature_id", KEY),
    sa.Column("guideline_version", sa.ForeignKey("label_guideline.version")),
    sa.Column("at", MOMENT, nullable=False),
    # The last edition stands; two adjudicators at once cannot both write it.
    sa.UniqueConstraint("pair_id", "edition"),
    sa.CheckConstraint("error_class IN ('ambiguous', 'guideline_gap', 'slip', 'true_difference')", name="error_class"),
)


def stands() -> sa.ColumnElement[bool]:
    """The condition that a row of `JUDGEMENTS` was not retracted."""
    return ~sa.exists().where(RETRACTIONS.c.judgement_id == JUDGEMENTS.c.id)


def counts() -> sa.ColumnElement[bool]:
    """The condition that a judgement stands and is work: no hidden gold, no repeat, no qualification."""
    return sa.and_(stands(), JUDGEMENTS.c.purpose == "work")
