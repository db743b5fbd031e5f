"""The experts of a store of 0001 as people of 0002: their logins, their role, and the links they have not used yet.

Names are kept as they are, since judgements and the ledger carry them.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from core.access import login_key
from core.fingerprint import of_json

BY = "store upgrade"
"""Who added the people, for the store."""

_EXPERTS = sa.text(
    "SELECT name, pseudonym, side_seed, token_sha256, token_expires_at, invited_at FROM of_0001_label_expert "
    "ORDER BY invited_at, name"
)
_INVITATIONS = sa.text("SELECT subject, actor, at FROM ledger_event WHERE action = 'expert.invite' ORDER BY seq")
_ADD_PERSON = sa.text(
    "INSERT INTO person (name, login_key, pseudonym, added_at, added_by, retired_at, retired_by, session_epoch) "
    "VALUES (:name, :login_key, :pseudonym, :added_at, :added_by, :retired_at, :retired_by, 0)"
)
_GRANT = sa.text(
    "INSERT INTO role_grant (id, person, role, granted_by, at) VALUES (:id, :person, 'annotator', :granted_by, :at)"
)
_ADD_LINK = sa.text(
    "INSERT INTO access_link (token_sha256, person, made_by, made_at, expires_at) "
    "VALUES (:token_sha256, :person, :made_by, :made_at, :expires_at)"
)
_ADD_EXPERT = sa.text(
    "INSERT INTO label_expert (name, side_seed, keys, since) VALUES (:name, :side_seed, '{}', :since)"
)


def carry_people(*, now: str) -> list[str]:
    """Make every expert a person; returns what the one who upgrades should know.

    A login is now the same in any case. Of two experts whose names differ in nothing else, the one who was invited
    first keeps the login; the other is retired, and their judgements stay theirs.

    Args:
        now: when somebody is retired, by this upgrade.
    """
    connection = op.get_bind()
    made = {row.subject: (row.actor, row.at) for row in connection.execute(_INVITATIONS)}
    owners: dict[str, str] = {}
    remarks = []
    for row in connection.execute(_EXPERTS).all():
        owner = owners.setdefault(login_key(row.name), row.name)
        _add_person(connection, row, is_second=owner != row.name, now=now)
        if owner == row.name:
            _let_in(connection, row, *made.get(row.name, (BY, row.invited_at)))
        else:
            remarks.append(
                f"'{row.name}' has the login of '{owner}', who was invited first, and is retired; "
                "the judgements of both are kept. Invite them under another name."
            )
    return remarks


def _add_person(connection: sa.Connection, row: sa.Row[Any], *, is_second: bool, now: str) -> None:
    connection.execute(
        _ADD_PERSON,
        {
            "name": row.name,
            # No login has this form: a login's key ends in no space.
            "login_key": f"{row.pseudonym} " if is_second else login_key(row.name),
            "pseudonym": row.pseudonym,
            "added_at": row.invited_at,
            "added_by": BY,
            "retired_at": now if is_second else None,
            "retired_by": BY if is_second else None,
        },
    )
    connection.execute(_ADD_EXPERT, {"name": row.name, "side_seed": row.side_seed, "since": row.invited_at})


def _let_in(connection: sa.Connection, row: sa.Row[Any], made_by: str, made_at: str) -> None:
    grant = {"id": of_json([BY, row.name])[:32], "person": row.name, "granted_by": BY, "at": row.invited_at}
    connection.execute(_GRANT, grant)
    if row.token_sha256 is not None:
        link = {"token_sha256": row.token_sha256, "person": row.name, "made_by": made_by, "made_at": made_at}
        connection.execute(_ADD_LINK, {**link, "expires_at": row.token_expires_at})
