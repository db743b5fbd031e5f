"""Tables of people, what they may do, and the links that let them in. The database refuses to delete any of these rows.

| table | one row is |
|---|---|
| person | someone with a login, which is never used again, also after they left |
| role_grant | a role given to a person, with who gave it and, later, who took it back |
| access_link | a one-time link that opens a session; its token's hash alone is kept |
"""

import sqlalchemy as sa

from core.access import Role
from core.store import METADATA

_NAME = sa.String(200)
_MOMENT = sa.String(40)

PEOPLE = sa.Table(
    "person",
    METADATA,
    sa.Column("name", _NAME, primary_key=True),
    sa.Column("login_key", sa.String(400), nullable=False, unique=True),
    sa.Column("pseudonym", sa.String(40), nullable=False, unique=True),
    sa.Column("added_at", _MOMENT, nullable=False),
    sa.Column("added_by", _NAME, nullable=False),
    sa.Column("verified_at", _MOMENT),
    sa.Column("verified_by", _NAME),
    sa.Column("qualification", sa.String(400)),
    sa.Column("qualified_until", sa.String(10)),
    sa.Column("retired_at", _MOMENT),
    sa.Column("retired_by", _NAME),
    # A session carries the epoch in which it was opened; raising it here ends them all.
    sa.Column("session_epoch", sa.Integer, nullable=False, server_default="0"),
)

ROLE_GRANTS = sa.Table(
    "role_grant",
    METADATA,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("person", sa.ForeignKey("person.name"), nullable=False, index=True),
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("granted_by", _NAME, nullable=False),
    sa.Column("at", _MOMENT, nullable=False),
    sa.Column("expires_at", _MOMENT),
    sa.Column("reason", sa.String(400)),
    sa.Column("revoked_at", _MOMENT),
    sa.Column("revoked_by", _NAME),
    sa.CheckConstraint(f"role IN ({', '.join(repr(role.value) for role in Role)})", name="role_is_known"),
    sa.CheckConstraint("expires_at IS NULL OR reason IS NOT NULL", name="emergency_has_a_reason"),
)

ACCESS_LINKS = sa.Table(
    "access_link",
    METADATA,
    sa.Column("token_sha256", sa.String(64), primary_key=True),
    sa.Column("person", sa.ForeignKey("person.name"), nullable=False, index=True),
    sa.Column("made_by", _NAME, nullable=False),
    sa.Column("made_at", _MOMENT, nullable=False),
    sa.Column("expires_at", _MOMENT, nullable=False),
    sa.Column("ended_at", _MOMENT),
)


def keep_rows(table: sa.Table, *actions: str) -> None:
    """Let the database itself refuse these actions (`UPDATE`, `DELETE`) on a table, from its creation on."""
    for action in actions:
        for dialect, statements in _REFUSING.items():
            for statement in statements:
                ddl = sa.DDL(
                    statement.format(table=table.name, action=action, name=f"{table.name}_no_{action.lower()}")
                )
                sa.event.listen(table, "after_create", ddl.execute_if(dialect=dialect))


_REFUSING = {
    "sqlite": (
        "CREATE TRIGGER {name} BEFORE {action} ON {table} "
        "BEGIN SELECT RAISE(ABORT, 'rows of {table} are kept: no {action}'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION {name}() RETURNS trigger AS "
        "$$ BEGIN RAISE EXCEPTION 'rows of {table} are kept: no {action}'; END; $$ LANGUAGE plpgsql",
        "CREATE TRIGGER {name} BEFORE {action} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {name}()",
    ),
}

for _table in (PEOPLE, ROLE_GRANTS, ACCESS_LINKS):
    keep_rows(_table, "DELETE")
