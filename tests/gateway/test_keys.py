"""The doors: who is let in, on SQLite and PostgreSQL, and what happens while the store is away."""

import asyncio
import hashlib
import logging
import math
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from core.access import Actor, Role
from core.call_record import CallRecord
from core.errors import AccessDenied, PreceptorError, SettingsError
from core.gateway_settings import GatewaySettings, LimitSettings
from core.ledger import Ledger
from core.records import Stakes
from core.store import open_store, writing
from gateway.keys.door import Admitted, NotAdmitted, OneKey, listening_fault
from gateway.keys.from_settings import door_of
from gateway.keys.limiter import KeyLimits, Spent
from gateway.keys.spending import spending_on
from gateway.keys.store import WantedKey, all_keys, create_key, revoke_key
from gateway.keys.stored_keys import StoredKeys, Timing
from gateway.tables import KEYS
from tests.gateway.made_decision import made_decision

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ENGINEER = Actor("ann", frozenset({Role.ENGINEER}))


class Clock:
    """A moment that tests move, as a time of day and as seconds that go on."""

    def __init__(self):
        self.passed_s = 0.0

    def now(self):
        return NOON + timedelta(seconds=self.passed_s)

    def ticks(self):
        return self.passed_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(store_url):
    engine = open_store(store_url)
    yield engine
    engine.dispose()


def make_key(store, name="claims", *, by=ENGINEER, now=NOON, **wanted):
    with writing(store) as connection:
        return create_key(connection, WantedKey(name, **wanted), by=by, now=now)


def revoke(store, identifier, *, by=ENGINEER):
    with writing(store) as connection:
        return revoke_key(connection, identifier, "left on a bus", by=by, now=NOON)


def door_on(store, clock, *, limits=None, n_workers=1, grace_s=300.0):
    timing = Timing(refresh_s=1.0, grace_s=grace_s, ticks=clock.ticks)
    return StoredKeys(store, limits or LimitSettings(), clock.now, n_workers=n_workers, timing=timing)


async def knock(door, key):
    """The status with which the key is met: 200 when it is let in, and the request is over at once."""
    try:
        with await door.admit(f"Bearer {key}"):
            return 200
    except NotAdmitted as refused:
        return refused.status


def test_one_key_lets_in_who_shows_it_and_nobody_else():
    async def scene():
        door = OneKey("s3cret-ä")
        assert (await door.admit("Bearer s3cret-ä")).key_id == "shared"
        assert (await door.admit("bearer  s3cret-ä ")).domains is None
        for header in (None, "", "Bearer", "Bearer ", "Basic s3cret-ä", "s3cret-ä", "Bearer s3cret", "Bearer \udcff"):
            with pytest.raises(NotAdmitted) as refused:
                await door.admit(header)
            assert (refused.value.status, refused.value.code) == (401, "invalid_api_key")
            assert refused.value.headers() == {"www-authenticate": "Bearer"}
            assert "s3cret" not in str(refused.value)

    asyncio.run(scene())


def test_a_stored_key_is_let_in_with_what_is_bound_to_it(store, clock):
    identifier, key = make_key(store, domains=("law",), least_stakes=Stakes.HIGH)

    async def scene():
        door = door_on(store, clock)
        admitted = await door.admit(f"Bearer {key}")
        assert (admitted.key_id, admitted.name, admitted.least_stakes) == (identifier, "claims", "high")
        admitted.require_domain("law")
        for domain in ("tax", None):
            with pytest.raises(NotAdmitted) as refused:
                admitted.require_domain(domain)
            assert (refused.value.status, refused.value.code) == (403, "domain_not_allowed")
            assert "auto:law" in refused.value.message
        assert [await knock(door, wrong) for wrong in (key[:-1], f"{key}x", identifier, "pk__", "nonsense")] == [
            401
        ] * 5
        await door.aclose()

    asyncio.run(scene())


def test_a_key_is_256_random_bits_and_the_store_holds_its_hash_alone(store):
    identifier, key = make_key(store)
    _, other = make_key(store)

    prefix, its_id, secret = key.split("_", 2)
    assert (prefix, its_id, len(secret)) == ("pk", identifier, 43)
    assert key != other
    with store.connect() as connection:
        row = connection.execute(sa.select(KEYS).where(KEYS.c.id == identifier)).mappings().one()
    assert row["key_sha256"] == hashlib.sha256(key.encode()).hexdigest()
    assert secret not in repr(dict(row))


def test_making_and_revoking_are_events_with_names_and_hashes_and_no_key(store):
    identifier, key = make_key(store, limits=KeyLimits(60, 2.5, 4), domains=("law",))
    revoke(store, identifier)
    made, revoked = Ledger(store).events(subject=identifier)

    assert (made.actor, made.action, made.details["name"]) == ("ann", "key.create", "claims")
    assert made.details["key_sha256"] == hashlib.sha256(key.encode()).hexdigest()
    assert (made.details["usd_per_day"], made.details["domains"]) == ("2.5", "law")
    assert (revoked.action, revoked.details["reason"]) == ("key.revoke", "left on a bus")
    assert key.split("_", 2)[2] not in repr([made, revoked])


@pytest.mark.parametrize("role", [Role.ANNOTATOR, Role.AUDITOR, Role.ADMIN, Role.APPROVER])
def test_who_may_not_manage_keys_neither_makes_nor_revokes_one(store, role):
    other = Actor("bob", frozenset({role}))
    identifier, _ = make_key(store)

    with pytest.raises(AccessDenied, match=r"'bob' .*may not manage keys"):
        make_key(store, by=other)
    with pytest.raises(AccessDenied):
        revoke(store, identifier, by=other)
    with store.connect() as connection:
        assert [(key.id, key.revoked_at) for key in all_keys(connection)] == [(identifier, None)]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"name": "  "}, "The name has 0 characters"),
        ({"name": "a\nb\x07"}, "can be printed"),
        ({"limits": KeyLimits(requests_per_minute=0)}, "requests_per_minute is 0"),
        ({"limits": KeyLimits(usd_per_day=math.inf)}, "usd_per_day is inf"),
        ({"limits": KeyLimits(usd_per_day=math.nan)}, "usd_per_day is nan"),
        ({"domains": ("law", " ")}, "A domain of the key has no name"),
        ({"expires_at": NOON}, "would have ended on 2026-11-24"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused_with_the_value(store, wanted, said):
    with pytest.raises(PreceptorError, match=said):
        make_key(store, **{"name": "claims", **wanted})


def test_a_key_is_revoked_once(store):
    identifier, _ = make_key(store)
    revoke(store, identifier)

    with pytest.raises(PreceptorError, match=r"was revoked on 2026-11-24"):
        revoke(store, identifier)
    with pytest.raises(PreceptorError, match="There is no key 'other'"):
        revoke(store, "other")


def test_a_revoked_key_works_for_two_seconds_at_most_even_while_it_is_used(store, clock):
    identifier, key = make_key(store)

    async def scene():
        door = door_on(store, clock)
        assert await knock(door, key) == 200
        revoke(store, identifier)
        met = []
        for _ in range(12):
            clock.passed_s += 0.25
            met.append(await knock(door, key))
            await asyncio.sleep(0)
        await door.aclose()
        return met

    met = asyncio.run(scene())
    assert set(met[8:]) == {401}
    assert met == sorted(met)


def test_a_new_key_works_at_once(store, clock):
    _, first = make_key(store)

    async def scene():
        door = door_on(store, clock)
        assert await knock(door, first) == 200
        _, second = make_key(store)
        assert await knock(door, second) == 200
        await door.aclose()

    asyncio.run(scene())


def test_wrong_keys_ask_the_store_only_a_few_times_a_second(store, clock):
    _, key = make_key(store)
    asked = []
    sa.event.listen(store, "before_cursor_execute", lambda *said: asked.append(said[2]))

    async def scene():
        door = door_on(store, clock)
        assert [await knock(door, f"pk_wrong_{n}") for n in range(200)] == [401] * 200
        assert await knock(door, key) == 200
        await door.aclose()

    asyncio.run(scene())
    assert 20 <= sum("gateway_key" in statement for statement in asked) <= 23


def test_a_key_ends_when_it_was_said_to_end_without_another_look_at_the_store(store, clock):
    _, key = make_key(store, expires_at=NOON + timedelta(seconds=0.9))

    async def scene():
        door = door_on(store, clock)
        assert await knock(door, key) == 200
        clock.passed_s = 0.89
        assert await knock(door, key) == 200
        clock.passed_s = 0.9
        assert await knock(door, key) == 401
        await door.aclose()

    asyncio.run(scene())


def test_a_store_that_is_away_keeps_admitted_keys_for_a_bounded_time_and_then_nobody_is_let_in(
    tmp_path, sqlite_template, clock, caplog
):
    file = tmp_path / "store.db"
    file.write_bytes(sqlite_template.read_bytes())
    store = open_store(f"sqlite:///{file}")
    _, key = make_key(store)

    async def scene():
        door = door_on(store, clock, grace_s=10.0)
        assert await knock(door, key) == 200
        with writing(store) as connection:
            connection.execute(sa.text("ALTER TABLE gateway_key RENAME TO gone"))
        for clock.passed_s in (1.5, 3.0, 9.9):
            assert await knock(door, key) == 200
            await asyncio.sleep(0.05)
        clock.passed_s = 10.1
        with pytest.raises(NotAdmitted) as refused:
            await door.admit(f"Bearer {key}")
        assert (refused.value.status, refused.value.code) == (503, "keys_unavailable")
        assert refused.value.headers() == {"retry-after": "5"}
        with writing(store) as connection:
            connection.execute(sa.text("ALTER TABLE gone RENAME TO gateway_key"))
        clock.passed_s = 12.0
        assert await knock(door, key) == 200
        await door.aclose()

    with caplog.at_level(logging.DEBUG):
        asyncio.run(scene())
    store.dispose()
    told = [record.getMessage() for record in caplog.records if record.name == "preceptor.gateway"]
    assert told == ["The store of keys does not answer (OperationalError); those read last serve."]
    assert key not in caplog.text


def test_a_gateway_that_starts_while_the_store_is_away_lets_nobody_in(store, clock):
    with writing(store) as connection:
        connection.execute(sa.text("ALTER TABLE gateway_key RENAME TO gone"))

    async def scene():
        door = door_on(store, clock)
        assert [await knock(door, "pk_a_b") for _ in range(3)] == [503, 503, 503]
        await door.aclose()

    asyncio.run(scene())
    with writing(store) as connection:
        connection.execute(sa.text("ALTER TABLE gone RENAME TO gateway_key"))


def test_a_key_s_own_limit_comes_before_that_of_the_settings(store, clock):
    _, plain = make_key(store)
    _, large = make_key(store, limits=KeyLimits(requests_per_minute=3))

    async def scene():
        door = door_on(store, clock, limits=LimitSettings(requests_per_minute=1))
        assert [await knock(door, plain) for _ in range(3)] == [200, 429, 429]
        assert [await knock(door, large) for _ in range(5)] == [200, 200, 200, 429, 429]
        await door.aclose()

    asyncio.run(scene())


def test_two_workers_share_a_limit_by_the_minute_through_the_store(store, clock):
    _, key = make_key(store, limits=KeyLimits(requests_per_minute=20))

    async def scene():
        doors = [door_on(store, clock, n_workers=2) for _ in range(2)]
        n = 0
        for _ in range(40):
            clock.passed_s += 1.1
            for door in doors:
                n += [await knock(door, key) for _ in range(5)].count(200)
                if door._turn is not None:
                    await door._turn
        for door in doors:
            await door.aclose()
        return n

    assert 18 <= asyncio.run(scene()) <= 21


def test_what_was_spent_is_in_the_store_when_the_door_has_closed(store, clock):
    identifier, key = make_key(store)

    async def scene():
        door = door_on(store, clock)
        for _ in range(3):
            assert await knock(door, key) == 200
            door.charge(made_decision(cost_usd=0.25, key_id=identifier))
        door.charge(made_decision(cost_usd=7.0, key_id=None))
        door.charge_call(identifier, CallRecord(model="embedder", cost_usd=0.5))
        door.charge_call(None, CallRecord(model="embedder", cost_usd=7.0))
        await door.aclose()

    asyncio.run(scene())
    with store.connect() as connection:
        assert spending_on(connection, "2026-11-24") == {identifier: Spent(3, 1.25)}


def test_a_budget_holds_over_a_restart_and_over_workers(store, clock):
    identifier, key = make_key(store, limits=KeyLimits(usd_per_day=1.0))

    async def scene():
        first, second = door_on(store, clock, n_workers=2), door_on(store, clock, n_workers=2)
        assert [await knock(door, key) for door in (first, second)] == [200, 200]
        first.charge(made_decision(cost_usd=1.0, key_id=identifier))
        assert await knock(first, key) == 429
        await first.aclose()
        clock.passed_s = 2.1
        assert await knock(second, key) == 429
        after = door_on(store, clock, n_workers=2)
        assert await knock(after, key) == 429
        clock.passed_s = 12 * 3600.0
        assert await knock(after, key) == 200
        await second.aclose()
        await after.aclose()

    asyncio.run(scene())


def test_spending_is_written_within_a_second_though_no_further_request_comes(store):
    identifier, key = make_key(store)

    async def scene():
        door = StoredKeys(store, LimitSettings(), lambda: NOON, timing=Timing(refresh_s=0.05))
        assert await knock(door, key) == 200
        door.charge(made_decision(cost_usd=0.5, key_id=identifier))
        for _ in range(500):
            await asyncio.sleep(0.02)
            with store.connect() as connection:
                if (spent := spending_on(connection, "2026-11-24")) == {identifier: Spent(1, 0.5)}:
                    break
        await door.aclose()
        return spent

    assert asyncio.run(scene()) == {identifier: Spent(1, 0.5)}


def test_release_counts_once():
    released = []
    admitted = Admitted("k", release=lambda: released.append(1))

    with admitted:
        admitted.release()

    assert released == [1]


def test_the_settings_say_which_door_there_is(store, monkeypatch):
    monkeypatch.setenv("GATEWAY_KEY", "s3cret")

    assert door_of(GatewaySettings(), store) is None
    assert isinstance(door_of(GatewaySettings(api_key_env="GATEWAY_KEY"), store), OneKey)
    assert isinstance(door_of(GatewaySettings(keys="store"), store), StoredKeys)
    with pytest.raises(SettingsError, match=r"names \$NO_SUCH, which is not set"):
        door_of(GatewaySettings(api_key_env="NO_SUCH"), store)


def test_the_one_key_of_the_environment_has_the_settings_limits(store, monkeypatch):
    monkeypatch.setenv("GATEWAY_KEY", "s3cret")
    settings = GatewaySettings(api_key_env="GATEWAY_KEY", limits=LimitSettings(requests_per_minute=2))

    async def scene():
        door = door_of(settings, store)
        met = [await knock(door, key) for key in ("s3cret", "wrong", "s3cret", "s3cret")]
        await door.aclose()
        return met

    assert asyncio.run(scene()) == [200, 401, 200, 429]


def test_other_addresses_than_this_machine_s_need_a_key():
    assert listening_fault(GatewaySettings(), "0.0.0.0").startswith("Listening on 0.0.0.0 without a key")
    assert listening_fault(GatewaySettings(keys="store"), "0.0.0.0") is None
    assert listening_fault(GatewaySettings(api_key_env="K"), "::") is None
    assert [listening_fault(GatewaySettings(), host) for host in ("127.0.0.1", "::1", "localhost")] == [None] * 3
