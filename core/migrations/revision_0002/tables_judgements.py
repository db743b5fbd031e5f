"""Tables of what experts said, and of the guidelines that they went by.

Written once, never changed: later revisions go on from here.
"""

import sqlalchemy as sa
from alembic import op


def create() -> None:
    """Create them, in an order that their keys allow."""
    _label_guideline()
    _label_guideline_proposal()
    _label_acknowledgement()
    _label_judgement()
    _label_mark()
    _label_retraction()
    _label_qualification()
    _label_adjudication()


def _label_guideline() -> None:
    op.create_table(
        "label_guideline",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("change", sa.Text(), nullable=False),
        sa.Column("written_by", sa.String(200), nullable=False),
        sa.Column("approved_by", sa.String(200), nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.CheckConstraint("written_by <> approved_by", name=op.f("ck_label_guideline_two_people")),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_label_guideline")),
    )


def _label_guideline_proposal() -> None:
    op.create_table(
        "label_guideline_proposal",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("builds_on", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("change", sa.Text(), nullable=False),
        sa.Column("written_by", sa.String(200), nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.Column("decision", sa.String(20), nullable=True),
        sa.Column("decided_by", sa.String(200), nullable=True),
        sa.Column("decided_at", sa.String(40), nullable=True),
        sa.CheckConstraint(
            "decision <> 'approved' OR decided_by <> written_by", name=op.f("ck_label_guideline_proposal_two_people")
        ),
        sa.CheckConstraint("decision IN ('approved', 'declined')", name=op.f("ck_label_guideline_proposal_decision")),
        sa.CheckConstraint(
            "decision IS NULL OR decided_by IS NOT NULL", name=op.f("ck_label_guideline_proposal_someone_decided")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_guideline_proposal")),
    )


def _label_acknowledgement() -> None:
    op.create_table(
        "label_acknowledgement",
        sa.Column("expert", sa.String(200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.ForeignKeyConstraint(
            ["expert"], ["label_expert.name"], name=op.f("fk_label_acknowledgement_expert_label_expert")
        ),
        sa.ForeignKeyConstraint(
            ["version"], ["label_guideline.version"], name=op.f("fk_label_acknowledgement_version_label_guideline")
        ),
        sa.PrimaryKeyConstraint("expert", "version", name=op.f("pk_label_acknowledgement")),
    )


def _label_judgement() -> None:
    op.create_table(
        "label_judgement",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("assignment_id", sa.String(40), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("pair_id", sa.String(64), nullable=False),
        sa.Column("expert", sa.String(200), nullable=False),
        sa.Column("purpose", sa.String(20), nullable=False),
        sa.Column("verdict", sa.String(30), nullable=False),
        sa.Column("strength", sa.Integer(), nullable=True),
        sa.Column("first_acceptable", sa.Boolean(), nullable=True),
        sa.Column("second_acceptable", sa.Boolean(), nullable=True),
        sa.Column("swapped", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reason_codes", sa.Text(), nullable=False),
        sa.Column("guideline_version", sa.Integer(), nullable=True),
        sa.Column("active_ms", sa.BigInteger(), nullable=True),
        sa.Column("wall_ms", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.String(40), nullable=False),
        sa.CheckConstraint(
            "strength IS NULL OR verdict IN ('first_better', 'second_better')",
            name=op.f("ck_label_judgement_strength_of_a_preference"),
        ),
        sa.CheckConstraint(
            "verdict <> 'both_acceptable' OR (first_acceptable IS TRUE AND second_acceptable IS TRUE)",
            name=op.f("ck_label_judgement_both_acceptable_marks_both"),
        ),
        sa.CheckConstraint(
            "verdict <> 'cannot_judge' OR length(trim(reason)) > 0 OR reason_codes <> '[]'",
            name=op.f("ck_label_judgement_cannot_judge_has_a_reason"),
        ),
        sa.CheckConstraint(
            "verdict <> 'neither_acceptable' OR (first_acceptable IS FALSE AND second_acceptable IS FALSE)",
            name=op.f("ck_label_judgement_neither_acceptable_marks_both"),
        ),
        sa.CheckConstraint(
            "strength IS NULL OR strength BETWEEN 1 AND 3", name=op.f("ck_label_judgement_strength_is_one_to_three")
        ),
        sa.ForeignKeyConstraint(
            ["assignment_id"], ["label_assignment.id"], name=op.f("fk_label_judgement_assignment_id_label_assignment")
        ),
        sa.ForeignKeyConstraint(["expert"], ["label_expert.name"], name=op.f("fk_label_judgement_expert_label_expert")),
        sa.ForeignKeyConstraint(
            ["guideline_version"],
            ["label_guideline.version"],
            name=op.f("fk_label_judgement_guideline_version_label_guideline"),
        ),
        sa.ForeignKeyConstraint(["pair_id"], ["label_pair.id"], name=op.f("fk_label_judgement_pair_id_label_pair")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_judgement")),
        sa.UniqueConstraint("assignment_id", "revision", name=op.f("uq_label_judgement_assignment_id")),
    )
    op.create_index(op.f("ix_label_judgement_expert"), "label_judgement", ["expert"], unique=False)
    op.create_index(op.f("ix_label_judgement_pair_id"), "label_judgement", ["pair_id"], unique=False)


def _label_mark() -> None:
    op.create_table(
        "label_mark",
        sa.Column("judgement_id", sa.String(40), nullable=False),
        sa.Column("is_first", sa.Boolean(), nullable=False),
        sa.Column("sentence", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("category", sa.String(60), nullable=False),
        sa.Column("severity", sa.String(10), nullable=False),
        sa.CheckConstraint("severity IN ('minor', 'major', 'critical')", name=op.f("ck_label_mark_severity")),
        sa.ForeignKeyConstraint(
            ["judgement_id"], ["label_judgement.id"], name=op.f("fk_label_mark_judgement_id_label_judgement")
        ),
        sa.PrimaryKeyConstraint("judgement_id", "is_first", "sentence", name=op.f("pk_label_mark")),
    )


def _label_retraction() -> None:
    op.create_table(
        "label_retraction",
        sa.Column("judgement_id", sa.String(40), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.ForeignKeyConstraint(
            ["judgement_id"], ["label_judgement.id"], name=op.f("fk_label_retraction_judgement_id_label_judgement")
        ),
        sa.PrimaryKeyConstraint("judgement_id", name=op.f("pk_label_retraction")),
    )


def _label_qualification() -> None:
    op.create_table(
        "label_qualification",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("expert", sa.String(200), nullable=False),
        sa.Column("n_right", sa.Integer(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("is_passed", sa.Boolean(), nullable=False),
        sa.Column("guideline_version", sa.Integer(), nullable=True),
        sa.Column("statement_sha256", sa.String(64), nullable=False),
        sa.Column("signature_id", sa.String(40), nullable=True),
        sa.Column("at", sa.String(40), nullable=False),
        sa.ForeignKeyConstraint(
            ["expert"], ["label_expert.name"], name=op.f("fk_label_qualification_expert_label_expert")
        ),
        sa.ForeignKeyConstraint(
            ["guideline_version"],
            ["label_guideline.version"],
            name=op.f("fk_label_qualification_guideline_version_label_guideline"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_qualification")),
    )
    op.create_index(op.f("ix_label_qualification_expert"), "label_qualification", ["expert"], unique=False)


def _label_adjudication() -> None:
    op.create_table(
        "label_adjudication",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("pair_id", sa.String(64), nullable=False),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("verdict", sa.String(30), nullable=False),
        sa.Column("first_acceptable", sa.Boolean(), nullable=True),
        sa.Column("second_acceptable", sa.Boolean(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("error_class", sa.String(20), nullable=False),
        sa.Column("signature_id", sa.String(40), nullable=True),
        sa.Column("guideline_version", sa.Integer(), nullable=True),
        sa.Column("at", sa.String(40), nullable=False),
        sa.CheckConstraint(
            "error_class IN ('ambiguous', 'guideline_gap', 'slip', 'true_difference')",
            name=op.f("ck_label_adjudication_error_class"),
        ),
        sa.ForeignKeyConstraint(
            ["guideline_version"],
            ["label_guideline.version"],
            name=op.f("fk_label_adjudication_guideline_version_label_guideline"),
        ),
        sa.ForeignKeyConstraint(["pair_id"], ["label_pair.id"], name=op.f("fk_label_adjudication_pair_id_label_pair")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_adjudication")),
        sa.UniqueConstraint("pair_id", "edition", name=op.f("uq_label_adjudication_pair_id")),
    )
