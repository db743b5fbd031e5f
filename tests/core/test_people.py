"""People and roles in the store, on SQLite and PostgreSQL."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from core.access import Role
from core.errors import AccessDenied, PreceptorError
from core.invitations import invite, spend
from core.ledger import EVENTS, Ledger
from core.people import (
    Emergency,
    actor_of,
    add_person,
    find_person,
    grant,
    is_open,
    people,
    qualify,
    retire,
    revoke,
    roles_of,
    verify_identity,
)
from core.store import create_tables, open_store, writing

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


@pytest.fixture
def store(store_url: str) -> Iterator[sa.Engine]:
    engine = open_store(store_url)
    create_tables(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def act(store):
    """Do one act as someone, in a transaction of its own."""

    def run(do, *args, by="setup", now=NOW, at_command_line=True, **kwargs):
        with writing(store) as connection:
            actor = actor_of(connection, by, now=now, at_command_line=at_command_line)
            return do(connection, *args, by=actor, now=now, **kwargs)

    return run


@pytest.fixture
def closed(act):
    """A store with the admins Alex and Sam, and Dana, who has no role."""
    for name in ("Alex", "Sam", "Dana"):
        act(add_person, name)
    act(grant, "Alex", Role.ADMIN)
    act(grant, "Sam", Role.ADMIN, by="Alex")


def read(store, function, *args, now=NOW):
    with store.connect() as connection:
        return function(connection, *args, now=now)


def test_a_store_is_open_to_commands_until_someone_is_admin_and_never_again(act, store):
    act(add_person, "Alex")
    with store.connect() as connection:
        assert is_open(connection)
    act(grant, "Alex", Role.ADMIN)

    with store.connect() as connection:
        assert not is_open(connection)
    with pytest.raises(AccessDenied, match="'setup' may not manage people"):
        act(add_person, "Eve")


def test_a_page_needs_a_role_on_an_open_store_too(act):
    with pytest.raises(AccessDenied, match="may not manage people"):
        act(add_person, "Dana", at_command_line=False)


def test_each_act_is_an_event_of_the_one_who_did_it(act, store):
    act(add_person, "Alex")
    act(grant, "Alex", Role.ADMIN)
    act(add_person, "Dana", by="Alex")
    act(verify_identity, "Dana", by="Alex")
    act(qualify, "Dana", "CPC 01234567", until=date(2027, 6, 30), by="Alex")
    act(grant, "Dana", Role.SENIOR, by="Alex")
    act(invite, "Dana", by="Alex")
    act(revoke, "Dana", Role.SENIOR, by="Alex")
    act(retire, "Dana", by="Alex")

    events = [(event.actor, event.action, event.subject) for event in Ledger(store).events()]
    assert events[:2] == [("setup", "person.add", "Alex"), ("setup", "role.grant", "Alex")]
    words = "person.add person.verify person.qualify role.grant person.invite role.revoke person.retire".split()
    assert events[2:] == [("Alex", word, "Dana") for word in words]


def test_a_login_is_never_given_twice_however_it_is_written(act, closed):
    act(retire, "Dana", by="Alex")

    for name in ("Dana", "dana", " DANA "):
        with pytest.raises(PreceptorError, match="never given again"):
            act(add_person, name, by="Alex")
    with pytest.raises(PreceptorError, match="is a login already"):
        act(add_person, "sam", by="Alex")


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\x00b", "a\u202eb"])
def test_a_login_has_1_to_100_signs_that_can_be_printed(act, name):
    with pytest.raises(PreceptorError, match="1 to 100"):
        act(add_person, name)


def test_the_database_itself_keeps_people_and_grants(act, store, closed):
    for table in ("person", "role_grant", "access_link"):
        act(invite, "Dana", by="Alex")
        with pytest.raises(sa.exc.DBAPIError, match="are kept"), writing(store) as connection:
            connection.execute(sa.text(f"DELETE FROM {table}"))


def test_roles_are_those_that_were_granted_and_not_revoked(act, store, closed):
    act(grant, "Dana", Role.ANNOTATOR, by="Alex")
    act(grant, "dana", Role.SENIOR, by="Alex")
    assert read(store, roles_of, "Dana") == {Role.ANNOTATOR, Role.SENIOR}

    act(revoke, "Dana", Role.ANNOTATOR, by="Alex")
    assert read(store, roles_of, "Dana") == {Role.SENIOR}
    assert read(store, roles_of, "Nobody") == frozenset()


def test_a_role_revoked_can_be_given_again(act, store, closed):
    act(grant, "Dana", Role.LEAD, by="Alex")
    act(revoke, "Dana", Role.LEAD, by="Alex")
    act(grant, "Dana", Role.LEAD, by="Alex")

    assert read(store, roles_of, "Dana") == {Role.LEAD}


def test_nobody_grants_themselves_a_role_and_no_admin_takes_another(act, closed):
    with pytest.raises(AccessDenied, match="to themselves"):
        act(grant, "alex", Role.LEAD, by="Alex")
    with pytest.raises(AccessDenied, match="holds no other role"):
        act(grant, "Sam", Role.STEWARD, by="Alex")


def test_the_last_admin_stays(act, store, closed):
    act(retire, "Sam", by="Alex")

    for do, args in ((revoke, ("Alex", Role.ADMIN)), (retire, ("Alex",))):
        with pytest.raises(PreceptorError, match="last admin"):
            act(do, *args, by="Alex")


def test_two_admins_who_revoke_each_other_at_once_leave_one(act, store, closed):
    import threading

    refused = []

    def attack(by, name):
        try:
            act(revoke, name, Role.ADMIN, by=by)
        except (PreceptorError, sa.exc.OperationalError) as error:
            refused.append(error)

    threads = [threading.Thread(target=attack, args=pair) for pair in (("Alex", "Sam"), ("Sam", "Alex"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(refused) == 1
    assert sum(Role.ADMIN in person.roles for person in read(store, people)) == 1


def test_a_role_given_in_an_emergency_ends_by_itself_and_says_why(act, store, closed):
    act(grant, "Dana", Role.STEWARD, by="Alex", emergency=Emergency("colleague ill", NOW + timedelta(hours=4)))

    assert read(store, roles_of, "Dana", now=NOW + timedelta(hours=3, minutes=59)) == {Role.STEWARD}
    assert read(store, roles_of, "Dana", now=NOW + timedelta(hours=4)) == frozenset()
    event = Ledger(store).events()[-1]
    assert (event.action, event.details["reason"]) == ("breakglass.open", "colleague ill")


@pytest.mark.parametrize(
    ("reason", "hours", "role"),
    [("ill", 4.1, Role.LEAD), ("ill", 0, Role.LEAD), ("", 1, Role.LEAD), ("x", 1, Role.ADMIN)],
)
def test_an_emergency_is_short_has_a_reason_and_makes_no_admin(act, closed, reason, hours, role):
    with pytest.raises(PreceptorError):
        act(grant, "Dana", role, by="Alex", emergency=Emergency(reason, NOW + timedelta(hours=hours)))


def test_an_emergency_can_be_closed_early_with_its_own_event(act, store, closed):
    act(grant, "Dana", Role.STEWARD, by="Alex", emergency=Emergency("ill", NOW + timedelta(hours=2)))
    act(revoke, "Dana", Role.STEWARD, by="Alex", now=NOW + timedelta(hours=1))

    assert Ledger(store).events()[-1].action == "breakglass.close"


def test_a_retired_person_has_no_role_and_cannot_act(act, store, closed):
    act(grant, "Dana", Role.LEAD, by="Alex")
    act(retire, "Dana", by="Alex")

    assert read(store, actor_of, "Dana").roles == frozenset()
    assert read(store, find_person, "Dana").retired_at == "2026-11-24T09:00:00.000+00:00"
    for do, args in ((grant, ("Dana", Role.LEAD)), (retire, ("Dana",)), (invite, ("Dana",))):
        with pytest.raises(PreceptorError, match="retired on 2026-11-24"):
            act(do, *args, by="Alex")


def test_a_qualification_holds_through_its_last_day(act, store, closed):
    act(qualify, "Dana", "CPC 01234567", until=date(2026, 11, 25), by="Alex")

    assert read(store, actor_of, "Dana", now=datetime(2026, 11, 25, 23, tzinfo=UTC)).is_qualified
    assert not read(store, actor_of, "Dana", now=datetime(2026, 11, 26, 1, tzinfo=UTC)).is_qualified
    assert read(store, actor_of, "Sam").is_qualified


def test_nobody_confirms_their_own_identity(act, closed):
    with pytest.raises(AccessDenied, match="their own identity"):
        act(verify_identity, "alex", by="Alex")


def test_pseudonyms_are_distinct_and_say_nothing(act, store, closed):
    shown = {person.pseudonym for person in read(store, people)}

    assert len(shown) == 3
    assert all(name.startswith("expert_") and len(name) == 15 for name in shown)


def test_a_newer_link_voids_the_one_before_and_each_serves_once(act, store, closed):
    first, second = act(invite, "Dana", by="Alex"), act(invite, "Dana", by="Alex")

    with writing(store) as connection:
        assert spend(connection, first, now=NOW) is None
        assert spend(connection, second, now=NOW) == "Dana"
        assert spend(connection, second, now=NOW) is None


def test_an_act_fails_whole_when_the_ledger_cannot_be_written(act, store, closed):
    with writing(store) as connection:
        if store.dialect.name == "sqlite":
            stop = (
                "CREATE TRIGGER full_disk BEFORE INSERT ON ledger_event BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
            )
        else:
            stop = f"ALTER TABLE ledger_event ADD CONSTRAINT full_disk CHECK (seq <= {len(Ledger(store).events())})"
        connection.exec_driver_sql(stop)

    for do, args in ((add_person, ("Eve",)), (grant, ("Dana", Role.LEAD)), (retire, ("Dana",)), (invite, ("Dana",))):
        with pytest.raises(sa.exc.DBAPIError, match="full"):
            act(do, *args, by="Alex")
    assert [person.name for person in read(store, people)] == ["Alex", "Dana", "Sam"]
    assert read(store, find_person, "Dana").retired_at is None
    assert read(store, roles_of, "Dana") == frozenset()
    with store.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM access_link")).scalar() == 0
        assert connection.execute(sa.select(sa.func.count()).select_from(EVENTS)).scalar() == 5
