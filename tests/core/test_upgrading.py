import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from fastapi.testclient import TestClient

from core.errors import LedgerError, PreceptorError
from core.fingerprint import of_json, of_text
from core.ledger import Ledger, append_in
from core.migrations import HEAD
from core.store import create_tables, writing
from core.store_commands import store as commands
from core.upgrading import upgrade_store
from gateway.records.decision_log import DecisionLog
from labeling.app import create_app
from labeling.frozen.freezing import freeze
from labeling.frozen.versions import open_version
from tests.core.earlier_store import content, rows_of, store_of_0001, structure
from tests.labeling.conftest import PLAIN, Clock, Expert

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


@pytest.fixture
def earlier(empty_store_url):
    engine = store_of_0001(empty_store_url)
    yield engine
    engine.dispose()


@pytest.fixture
def upgraded(earlier):
    upgrade_store(earlier, by="ops", now=NOW)
    return earlier


def run(engine: sa.Engine, *words: str) -> tuple[int, str]:
    url = engine.url.render_as_string(hide_password=False)
    result = CliRunner().invoke(commands, [*words, "--store", url])
    return result.exit_code, result.output if result.exception is None else str(result.exception)


def test_a_store_of_the_earlier_release_is_refused_with_the_command_that_upgrades_it(earlier):
    with pytest.raises(
        PreceptorError, match=r"tables of revision 0001, this release has \d{4}.*`preceptor store upgrad"
    ):
        create_tables(earlier)


def test_status_tells_the_revision_before_and_after(earlier):
    before = run(earlier, "status")
    upgrade_store(earlier, by="ops", now=NOW)

    assert before == (0, f"Revision 0001; this release needs {HEAD}.\nNext: preceptor store upgrade\n")
    assert run(earlier, "status") == (0, f"Revision {HEAD}, which this release needs.\n")


def test_every_judgement_is_kept_as_it_was(earlier):
    columns = "id, assignment_id, revision, pair_id, expert, verdict, first_acceptable, second_acceptable, swapped"
    query = f"SELECT {columns}, reason, active_ms, at FROM label_judgement ORDER BY id"
    before = rows_of(earlier, query)
    upgrade_store(earlier, by="ops", now=NOW)

    assert len(before) == 5
    assert rows_of(earlier, query) == before
    assert rows_of(
        earlier,
        "SELECT DISTINCT purpose, strength, reason_codes, guideline_version, wall_ms FROM label_judgement",
    ) == [("work", None, "[]", None, None)]
    assert rows_of(earlier, "SELECT reason, at FROM label_retraction") == [
        ("undone by the expert", "2026-11-23T09:00:14.000+00:00")
    ]


def test_pairs_keep_their_takers_and_are_open_where_nobody_judged(upgraded):
    query = "SELECT item_id, wanted, n_taken, is_open FROM label_queue JOIN label_pair ON id = pair_id ORDER BY item_id"

    assert rows_of(upgraded, query) == [
        ("task-0", 2, 2, False),
        ("task-1", 1, 1, False),  # judged twice, and one of the two was taken back
        ("task-2", 1, 0, True),
        ("task-3", 1, 0, True),
        ("task-4", 1, 0, False),  # held back
        ("task-5", 1, 1, False),
    ]


def test_experts_become_people_who_may_judge(upgraded):
    people = "SELECT name, login_key, added_at, added_by, retired_at FROM person ORDER BY name"

    assert rows_of(upgraded, people) == [
        ("Dana Ruiz", "dana ruiz", "2026-11-23T09:00:01.000+00:00", "store upgrade", None),
        ("Lee Okafor", "lee okafor", "2026-11-23T09:00:03.000+00:00", "store upgrade", None),
    ]
    assert rows_of(upgraded, "SELECT person, role, revoked_at FROM role_grant ORDER BY person") == [
        ("Dana Ruiz", "annotator", None),
        ("Lee Okafor", "annotator", None),
    ]
    assert rows_of(upgraded, "SELECT * FROM web_session") == []


def test_pseudonyms_and_seeds_of_sides_stay(earlier):
    before = rows_of(earlier, "SELECT name, pseudonym, side_seed FROM label_expert ORDER BY name")
    upgrade_store(earlier, by="ops", now=NOW)

    query = "SELECT name, pseudonym, side_seed FROM person JOIN label_expert USING (name) ORDER BY name"
    assert rows_of(earlier, query) == before


def test_of_two_names_that_are_one_login_the_first_keeps_it_and_no_row_is_lost(earlier):
    with earlier.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO label_expert VALUES ('dana ruiz', 'expert_00000000', 7, NULL, NULL, '2026-11-23T10:00')"
        )
    done = upgrade_store(earlier, by="ops", now=NOW)

    assert done.remarks == (
        "'dana ruiz' has the login of 'Dana Ruiz', who was invited first, and is retired; the judgements of both are "
        "kept. Invite them under another name.",
    )
    assert rows_of(earlier, "SELECT name, retired_at FROM person WHERE retired_at IS NOT NULL") == [
        ("dana ruiz", "2026-11-24T08:00:00.000+00:00")
    ]
    assert rows_of(earlier, "SELECT person FROM role_grant ORDER BY person") == [("Dana Ruiz",), ("Lee Okafor",)]


def test_a_link_that_was_not_used_before_the_upgrade_still_opens(earlier):
    with earlier.begin() as connection:
        connection.execute(
            sa.text("UPDATE label_expert SET token_sha256 = :hash WHERE name = 'Lee Okafor'"),
            {"hash": of_text("given-last-week")},
        )
    upgrade_store(earlier, by="ops", now=NOW)

    assert rows_of(earlier, "SELECT person, made_by, made_at, ended_at FROM access_link") == [
        ("Lee Okafor", "lead", "2026-11-23T09:00:03.000+00:00", None)
    ]
    with TestClient(create_app(earlier, settings=PLAIN, clock=Clock())) as browser:
        assert browser.post("/sign-in", data={"token": "given-last-week"}).url.path == "/judge"


def test_an_expert_signs_in_by_a_new_link_and_judges_on(upgraded):
    dana = Expert(upgraded, "Dana Ruiz", Clock(), PLAIN)
    dana.vote("left_better")
    dana.vote("right_better")
    dana.http.close()

    query = (
        "SELECT item_id FROM label_judgement AS j JOIN label_pair AS p ON p.id = j.pair_id WHERE j.at > '2026-11-24'"
    )
    assert sorted(rows_of(upgraded, query)) == [("task-2",), ("task-3",)]
    assert rows_of(upgraded, "SELECT count(*) FROM label_queue WHERE is_open") == [(0,)]


def test_a_judgement_that_was_taken_back_waits_for_its_expert(upgraded):
    lee = Expert(upgraded, "Lee Okafor", Clock(), PLAIN)
    lee.vote("neither_acceptable")
    lee.http.close()

    query = (
        "SELECT item_id, revision FROM label_judgement AS j JOIN label_pair AS p ON p.id = j.pair_id "
        "WHERE j.at > '2026-11-24'"
    )
    assert rows_of(upgraded, query) == [("task-1", 1)]


def test_the_ledger_verifies_and_tells_of_the_upgrade(upgraded):
    last = Ledger(upgraded).events()[-1]

    assert Ledger(upgraded).verify() == 12
    assert (last.actor, last.action, last.subject, last.details) == (
        "ops",
        "store.upgrade",
        f"revision {HEAD}",
        {"from": "0001"},
    )


def test_a_version_frozen_before_opens_to_the_same_bytes_and_a_new_one_follows_it(upgraded, tmp_path):
    before = open_version(upgraded, "coding@1", tmp_path)
    after, is_new = freeze(upgraded, "coding", tmp_path, by="lead", now=NOW)

    manifest = (tmp_path / "coding@1" / "MANIFEST.json").read_text(encoding="utf-8")
    assert rows_of(upgraded, "SELECT manifest_sha256 FROM label_dataset WHERE version = 1") == [(of_text(manifest),)]
    assert (len(before.judgements), len(after.judgements)) == (4, 4)
    assert (after.reference, after.parent, is_new) == ("coding@2", "coding@1", True)


@pytest.mark.parametrize(
    "change", ["strength = 3", "reason_codes = '[\"style\"]'", "verdict = 'first_better'", "swapped = NOT swapped"]
)
def test_a_judgement_of_before_that_was_changed_since_is_not_frozen(upgraded, tmp_path, change):
    with upgraded.begin() as connection:
        where = "verdict = 'second_better' AND expert = 'Lee Okafor'"
        connection.exec_driver_sql(f"UPDATE label_judgement SET {change} WHERE {where}")

    with pytest.raises(LedgerError, match="was changed or added behind the screen"):
        freeze(upgraded, "coding", tmp_path, by="lead", now=NOW)


def test_an_event_since_the_upgrade_must_tell_all_of_a_judgement(upgraded, tmp_path):
    values = "'made-up', assignment_id, revision + 1, pair_id, expert, 'work', 'cannot_judge', swapped, 'why', '[]', at"
    with writing(upgraded) as connection:
        connection.exec_driver_sql(
            "INSERT INTO label_judgement (id, assignment_id, revision, pair_id, expert, purpose, verdict, swapped, "
            f"reason, reason_codes, at) SELECT {values} FROM label_judgement WHERE verdict = 'neither_acceptable'"
        )
        made_up = connection.exec_driver_sql("SELECT pair_id, swapped FROM label_judgement WHERE id = 'made-up'").one()
        told = {"pair": made_up.pair_id, "verdict": "cannot_judge", "swapped": bool(made_up.swapped)}
        told |= {"first_acceptable": None, "second_acceptable": None}
        append_in(connection, "Lee Okafor", "judge.submit", "made-up", told, now=NOW)

    with pytest.raises(LedgerError, match="Judgement made-up was changed or added behind the screen"):
        freeze(upgraded, "coding", tmp_path, by="lead", now=NOW)

    whole = {**told, "strength": None, "guideline": None, "said_sha256": of_json(["why", [], []])}
    with writing(upgraded) as connection:
        connection.exec_driver_sql("UPDATE label_judgement SET id = 'told' WHERE id = 'made-up'")
        append_in(connection, "Lee Okafor", "judge.submit", "told", whole, now=NOW)
        append_in(connection, "Lee Okafor", "judge.retract", "made-up", {"pair": made_up.pair_id}, now=NOW)

    assert len(freeze(upgraded, "coding", tmp_path, by="lead", now=NOW)[0].judgements) == 5


def test_the_command_copies_a_sqlite_store_and_does_nothing_the_second_time(earlier):
    before = content(earlier)
    code, said = run(earlier, "upgrade", "--yes", "--by", "ops")
    again = run(earlier, "upgrade", "--yes", "--by", "ops")

    assert (code, said.splitlines()[-2:]) == (
        0,
        [f"From revision 0001 to {HEAD}. Everyone signs in again.", "Next: preceptor label invite NAME"],
    )
    assert again == (0, f"Revision {HEAD} already: nothing to do.\n")
    assert rows_of(earlier, "SELECT count(*) FROM ledger_event WHERE action = 'store.upgrade'") == [(1,)]
    if earlier.dialect.name == "sqlite":
        copy = f"{earlier.url.database}.revision-0001"
        assert said.splitlines()[0] == f"Copied to {copy}"
        assert content(sa.create_engine(f"sqlite:///{copy}", poolclass=sa.NullPool)) == before


def test_a_store_of_a_later_release_is_refused_and_left_alone(upgraded):
    with upgraded.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    before = content(upgraded)

    assert run(upgraded, "upgrade", "--yes") == (
        1,
        f"The store has revision 9999, later than {HEAD}. Use the release it is from.",
    )
    assert content(upgraded) == before


def test_of_two_processes_that_upgrade_at_once_one_does_it(earlier):
    script = (
        "import sys; from datetime import UTC, datetime; from core.store import open_store; "
        "from core.upgrading import upgrade_store; "
        "print(upgrade_store(open_store(sys.argv[1]), by='ops', now=datetime.now(UTC)).revision_before)"
    )
    url = earlier.url.render_as_string(hide_password=False)
    both = [subprocess.Popen([sys.executable, "-c", script, url], stdout=subprocess.PIPE, text=True) for _ in range(2)]

    assert sorted(process.communicate(timeout=60)[0].strip() for process in both) == ["0001", HEAD]
    assert rows_of(earlier, "SELECT count(*) FROM ledger_event WHERE action = 'store.upgrade'") == [(1,)]


def test_a_decision_of_before_is_kept_and_has_no_checks_on_record(earlier):
    with earlier.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO gateway_decision (id, at, requested_model, stakes, reasons, latency_ms, query_sha256) "
            "VALUES ('dec_1', '2026-11-20 10:00:00', 'auto', 'high', '[\"weak_timeout\"]', 7.5, 'ab')"
        )
    upgrade_store(earlier, by="ops", now=NOW)

    kept = DecisionLog(earlier).find("dec_1")
    assert (kept.reasons, kept.latency_ms, kept.checks, kept.rules, kept.policy_sha256) == (
        ("weak_timeout",),
        7.5,
        (),
        (),
        None,
    )


def test_a_row_that_points_nowhere_stops_the_upgrade_and_nothing_is_changed(tmp_path):
    engine = store_of_0001(f"sqlite:///{tmp_path / 'store.db'}")
    with closing(sqlite3.connect(tmp_path / "store.db")) as connection:  # follows no keys
        connection.execute("UPDATE label_judgement SET pair_id = 'gone' WHERE expert = 'Lee Okafor'")
        connection.commit()
    before = structure(engine), content(engine)

    with pytest.raises(PreceptorError, match=r"a row of label_judgement points nowhere\. Nothing was changed"):
        upgrade_store(engine, by="ops", now=NOW)
    assert (structure(engine), content(engine)) == before
    engine.dispose()


@pytest.mark.postgres
def test_what_others_built_on_a_table_stops_the_upgrade_and_nothing_is_changed(postgres_url):
    engine = store_of_0001(postgres_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE VIEW report AS SELECT count(*) FROM label_pair")
    before = structure(engine), content(engine)

    with pytest.raises(PreceptorError, match=r"cannot drop table label_pair because other objects.*Nothing was chang"):
        upgrade_store(engine, by="ops", now=NOW)
    assert (structure(engine), content(engine)) == before
    engine.dispose()
