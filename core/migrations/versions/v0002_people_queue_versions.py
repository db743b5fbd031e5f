"""People with roles, the queue kept beside its pairs, judgements with strength and marks, signed versions.

Every changed table is made anew, the same way on SQLite and PostgreSQL: its rows are set aside, the table is dropped
and created as 0002 has it, and the rows are carried over. The ledger and the gateway's decisions are not touched.
"""

import sqlalchemy as sa
from alembic import context, op

from core.migrations.revision_0002 import (
    tables_content,
    tables_judgements,
    tables_kept,
    tables_people,
    tables_queue,
    tables_versions,
)
from core.migrations.revision_0002.people_rows import carry_people
from core.migrations.revision_0002.rows import carry, drop_leftovers, set_aside

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring tables and rows of 0001 to 0002."""
    there = set(sa.inspect(op.get_bind()).get_table_names())
    aside = set_aside(there)
    tables_kept.create(there=there)
    for tables in (tables_people, tables_content, tables_queue, tables_judgements, tables_versions):
        tables.create()
    if "label_expert" in aside:
        context.config.attributes["remarks"] += carry_people(now=context.config.attributes["now"])
    carry(aside)
    drop_leftovers(aside)
