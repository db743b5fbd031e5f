"""What Alembic runs for every command: the connection is handed in, and one transaction holds the whole upgrade."""

from alembic import context

from core.store import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
