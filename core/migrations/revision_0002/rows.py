"""The rows of a store of 0001: set aside, carried into the tables of 0002, and their leftovers dropped.

Nothing is carried that was not there: a store that only a gateway used has no labels, and gets none. What 0001 did not
know has one stated value here. Sessions are not carried: everyone signs in again.
"""

from collections.abc import Iterable

from alembic import op

_CHANGED = (
    "web_session",
    "label_dataset_row",
    "label_dataset",
    "label_retraction",
    "label_judgement",
    "label_assignment",
    "label_pair",
    "label_answer",
    "label_phi_finding",
    "label_sampling",
    "label_item",
    "label_expert",
)
"""Tables of 0001 that are made anew, those that point to others first."""

_ASIDE = "of_0001_"

_CARRIED = {
    "label_item": """
        INSERT INTO label_item (id, messages, domain, stakes, stratum, group_key, topic, reference, phi_state,
            data_class, imported_at)
        SELECT id, messages, domain, stakes, stratum, group_key, topic, reference, phi_state,
            'deidentified', imported_at
        FROM of_0001_label_item""",
    "label_sampling": """
        INSERT INTO label_sampling (item_id, weight, inclusion_probability)
        SELECT item_id, weight, inclusion_probability FROM of_0001_label_sampling""",
    "label_phi_finding": """
        INSERT INTO label_phi_finding (item_id, kind, n)
        SELECT item_id, kind, n FROM of_0001_label_phi_finding""",
    "label_answer": """
        INSERT INTO label_answer (id, item_id, model, text, cost_usd, latency_ms, names_a_model)
        SELECT id, item_id, model, text, cost_usd, latency_ms, names_a_model FROM of_0001_label_answer""",
    "label_pair": """
        INSERT INTO label_pair (id, content_sha256, item_id, first_answer_id, second_answer_id, weak, strong)
        SELECT id, content_sha256, item_id, first_answer_id, second_answer_id, weak, strong FROM of_0001_label_pair""",
    # Leases of 0001 lasted an hour from the offer: all count as lapsed. A pair that waits stays on its expert's page.
    "label_assignment": """
        INSERT INTO label_assignment (id, expert, pair_id, purpose, occasion, stratum, turn, side_seed, swapped,
            offered_at, lease_until, holds_place, is_waiting)
        SELECT id, expert, pair_id, 'work', 0, stratum, turn, side_seed, swapped,
            offered_at, NULL, FALSE, TRUE
        FROM of_0001_label_assignment""",
    "label_judgement": """
        INSERT INTO label_judgement (id, assignment_id, revision, pair_id, expert, purpose, verdict, strength,
            first_acceptable, second_acceptable, swapped, reason, reason_codes, guideline_version, active_ms, wall_ms,
            at)
        SELECT id, assignment_id, revision, pair_id, expert, 'work', verdict, NULL,
            first_acceptable, second_acceptable, swapped, reason, '[]', NULL, active_ms, NULL,
            at
        FROM of_0001_label_judgement""",
    "label_retraction": """
        INSERT INTO label_retraction (judgement_id, reason, at)
        SELECT judgement_id, 'undone by the expert', at FROM of_0001_label_retraction""",
    # Versions of formats 1 and 2: their readers expect no `about` and no rows in label_dataset_pair.
    "label_dataset": """
        INSERT INTO label_dataset (name, version, content_sha256, manifest_sha256, ledger_seq, ledger_hash,
            data_class, intended_use, signature_id, about, frozen_by, frozen_at)
        SELECT name, version, content_sha256, manifest_sha256, ledger_seq, ledger_hash,
            'deidentified', '', NULL, NULL, frozen_by, frozen_at
        FROM of_0001_label_dataset""",
    "label_dataset_row": """
        INSERT INTO label_dataset_row (name, version, judgement_id)
        SELECT name, version, judgement_id FROM of_0001_label_dataset_row""",
}
"""How each table's rows are carried, those that others point to first."""

_JUDGED = """
    UPDATE label_assignment SET holds_place = TRUE, is_waiting = FALSE
    WHERE EXISTS (
        SELECT 1 FROM label_judgement AS said
        WHERE said.assignment_id = label_assignment.id
            AND NOT EXISTS (SELECT 1 FROM label_retraction AS undone WHERE undone.judgement_id = said.id)
    )"""

# 0001 had the number of experts wanted on a pair in a command's option, not in the store: whoever judged it is enough.
_QUEUED = """
    INSERT INTO label_queue (pair_id, stream, priority, wanted, n_taken, is_open)
    SELECT taken.pair_id, 'plain', 0.0, CASE WHEN taken.n > 1 THEN taken.n ELSE 1 END, taken.n,
        taken.n = 0 AND item.phi_state IN ('clean', 'cleared')
    FROM (
        SELECT pair.id AS pair_id, pair.item_id AS item_id, (
            SELECT count(*) FROM label_assignment AS held WHERE held.pair_id = pair.id AND held.holds_place
        ) AS n
        FROM label_pair AS pair
    ) AS taken JOIN label_item AS item ON item.id = taken.item_id"""


def set_aside(there: set[str]) -> set[str]:
    """Copy the rows of every table that changes, and drop it; returns the tables that were there."""
    aside = [table for table in _CHANGED if table in there]
    for table in aside:
        op.execute(f"CREATE TABLE {_ASIDE}{table} AS SELECT * FROM {table}")
        op.drop_table(table)
    return set(aside)


def carry(aside: set[str]) -> None:
    """Bring the rows that were set aside into the new tables, which know the people already."""
    for table, statement in _CARRIED.items():
        if table in aside:
            op.execute(statement)
    op.execute(_JUDGED)
    op.execute(_QUEUED)


def drop_leftovers(aside: Iterable[str]) -> None:
    """Drop what `set_aside` kept."""
    for table in sorted(aside):
        op.drop_table(_ASIDE + table)
