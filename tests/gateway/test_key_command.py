"""The commands of keys, as they are typed."""

import asyncio
import json
import re
import shlex

import pytest
from click.testing import CliRunner

from core.errors import AccessDenied, PreceptorError
from core.gateway_settings import LimitSettings
from core.ledger import Ledger
from core.people_commands import people
from core.store import open_store, writing
from gateway.keys.command import key
from gateway.keys.door import NotAdmitted
from gateway.keys.limiter import Spent
from gateway.keys.spending import add_spending
from gateway.keys.stored_keys import StoredKeys


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def typed(url):
    """Type a command on a store of its own; errors are raised, as `core.cli` prints them."""

    def run(line, by="ann", group=key):
        result = CliRunner().invoke(group, [*shlex.split(line), "--store", url, "--by", by], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result

    return run


def status_of(url, made):
    """How a gateway meets the key."""

    async def knock():
        engine = open_store(url)
        door = StoredKeys(engine, LimitSettings())
        try:
            (await door.admit(f"Bearer {made}")).release()
            return 200
        except NotAdmitted as refused:
            return refused.status
        finally:
            await door.aclose()
            engine.dispose()

    return asyncio.run(knock())


def test_the_key_alone_is_on_stdout_and_a_gateway_takes_it(typed, url):
    result = typed("create --name claims-app")

    made = result.stdout.removesuffix("\n")
    assert re.fullmatch(r"pk_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", made)
    assert made not in result.stderr
    assert "It is not shown again" in result.stderr
    assert status_of(url, made) == 200


def test_a_key_works_for_ninety_days_unless_told_otherwise(typed):
    typed("create --name plain")
    typed("create --name brief --expires-days 1")
    typed("create --name lasting --no-expiry")

    ends = {one["name"]: one["expires_at"] for one in map(json.loads, typed("list --json").stdout.splitlines())}
    assert ends["brief"] < ends["plain"]
    assert ends["lasting"] is None


def test_the_list_shows_limits_and_what_was_spent_today_and_never_a_key(typed, url):
    made = json.loads(
        typed(
            "create --name 'claims app' --requests-per-minute 600 --usd-per-day 2.5 --max-concurrent 8"
            " --domain law --domain tax --least-stakes high --json"
        ).stdout
    )
    engine = open_store(url)
    listed = json.loads(typed("list --json").stdout)
    with writing(engine) as connection:
        day = listed["created_at"][:10]
        add_spending(connection, {(made["id"], day): Spent(3, 0.125)})
    engine.dispose()

    line, facts = typed("list").stdout, json.loads(typed("list --json").stdout)
    assert (facts["domains"], facts["least_stakes"], facts["requests_per_minute"]) == (["law", "tax"], "high", 600)
    assert (facts["requests_today"], facts["usd_today"]) == (3, 0.125)
    assert "600/min; $2.5/day; 8 at once; domains law, tax; stakes high or more" in line
    assert "today 3 requests, $0.1250" in line
    assert made["key"].split("_", 2)[2] not in line + json.dumps(facts)


def test_a_revoked_key_is_refused_and_its_name_may_stand_for_its_id(typed, url):
    made = typed("create --name claims-app").stdout.strip()
    told = typed("revoke claims-app --reason 'The project has ended.'")

    assert "is revoked" in told.stdout
    assert "Next, where its owner still needs one: preceptor key create --name claims-app" in told.stderr
    assert status_of(url, made) == 401
    assert "revoked " in typed("list").stdout


def test_a_name_that_two_standing_keys_bear_revokes_neither(typed):
    first, second = (json.loads(typed("create --name twin --json").stdout)["id"] for _ in range(2))

    with pytest.raises(PreceptorError, match="2 keys are called 'twin'"):
        typed("revoke twin --reason rotation")
    typed(f"revoke {first} --reason rotation")
    assert second in typed("revoke twin --reason rotation").stdout


def test_an_unknown_key_is_told_with_the_command_that_lists_them(typed):
    with pytest.raises(PreceptorError, match=r"There is no key 'nobody'\. See which there are: preceptor key list\."):
        typed("revoke nobody --reason x")


def test_once_the_store_has_an_admin_it_takes_a_role(typed):
    typed("add Alex --role admin", by="setup", group=people)
    typed("add Eve --role engineer", by="Alex", group=people)
    made = typed("create --name claims-app", by="eve")

    assert made.exit_code == 0
    for line in ("create --name other", "list", "revoke claims-app --reason x"):
        with pytest.raises(AccessDenied, match="may not manage keys"):
            typed(line, by="Alex")


def test_the_ledger_tells_who_made_and_who_revoked_and_holds_no_key(typed, url):
    made = typed("create --name claims-app --usd-per-day 2").stdout.strip()
    typed("revoke claims-app --reason done", by="bob")
    engine = open_store(url)
    events = Ledger(engine).events()
    engine.dispose()

    assert [(event.actor, event.action) for event in events] == [("ann", "key.create"), ("bob", "key.revoke")]
    assert events[0].details["open_store"] is True
    assert made.split("_", 2)[2] not in repr(events)


@pytest.mark.parametrize(
    "line", ["create", "create --name x --usd-per-day 0", "create --name x --least-stakes huge", "revoke x"]
)
def test_what_is_missing_or_makes_no_sense_is_misuse(line, url):
    assert CliRunner().invoke(key, [*line.split(), "--store", url]).exit_code == 2
