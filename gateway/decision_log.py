"""The record of what the gateway decided, in the store. Synchronous: the controller calls it in a thread."""

from datetime import UTC

import sqlalchemy as sa

from core.records import Decision
from core.store import create_tables, writing
from gateway.tables import DECISIONS


class DecisionLog:
    """Appends decisions to the store and reads them back by id."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        create_tables(engine)

    def record(self, decision: Decision) -> None:
        """Append one decision.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the store does not take it.
        """
        values = {**decision.model_dump(mode="json"), "at": decision.at}
        with writing(self._engine) as connection:
            connection.execute(DECISIONS.insert().values(**values))

    def find(self, identifier: str) -> Decision | None:
        """The decision of that id, or None."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(DECISIONS).where(DECISIONS.c.id == identifier)).mappings().first()
        if row is None:
            return None
        at = row["at"] if row["at"].tzinfo else row["at"].replace(tzinfo=UTC)  # SQLite forgets the zone
        return Decision.model_validate({**row, "at": at})
