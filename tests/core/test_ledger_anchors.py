"""Anchors and the stand-alone verifier: what the chain alone cannot show."""

import json
import shutil
import subprocess
import sys
import time
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from core.cli import preceptor
from core.errors import LedgerError
from core.ledger import EVENTS, GENESIS, Ledger
from core.ledger_anchors import anchor, anchors_in, generate_key
from core.ledger_check import canonical_json, event_hash
from core.store import open_store, writing

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
VERIFIER = Path(__file__).parents[2] / "core" / "ledger_check.py"


@pytest.fixture
def keys(tmp_path):
    private, public = tmp_path / "keys" / "ledger.key", tmp_path / "keys" / "ledger.pub"
    generate_key(private, public)
    return private, public


def ledger_of(url, n_events=5):
    ledger = Ledger(open_store(url))
    for number in range(n_events):
        ledger.append("ann", "label.submit", f"pair-{number}", {"n": number}, now=NOW)
    return ledger


def rewrite(engine, change):
    """What a database administrator can do: drop the triggers, and write the whole chain anew after a change."""
    with writing(engine) as connection:
        rows = [dict(row._mapping) for row in connection.execute(sa.select(EVENTS).order_by(EVENTS.c.seq))]
        previous = GENESIS
        for row in change(rows):
            row["prev_hash"] = previous
            row["hash"] = previous = event_hash(previous, {**row, "details": json.loads(row["details"])})
        if engine.dialect.name == "sqlite":
            for action in ("update", "delete"):
                connection.execute(sa.text(f"DROP TRIGGER ledger_event_no_{action}"))
        else:
            connection.execute(sa.text("DROP TRIGGER ledger_event_append_only ON ledger_event"))
        connection.execute(EVENTS.delete())
        connection.execute(EVENTS.insert(), change(rows))


def test_a_whole_chain_written_anew_passes_the_chain_and_not_the_anchors(store_url, tmp_path, keys):
    ledger = ledger_of(store_url)
    anchor(ledger, keys[0], tmp_path / "anchors", now=NOW)
    engine = open_store(store_url)

    def blame_bob(rows):
        rows[2]["actor"] = "bob"
        return rows

    rewrite(engine, blame_bob)

    assert ledger.verify() == 5
    with pytest.raises(LedgerError, match=r"made .* of another event 5.*rewritten since"):
        ledger.verify(anchors_in(tmp_path / "anchors", keys[1].read_bytes()))


def test_an_end_that_was_cut_off_passes_the_chain_and_not_the_anchors(store_url, tmp_path, keys):
    ledger = ledger_of(store_url)
    anchor(ledger, keys[0], tmp_path / "anchors", now=NOW)
    rewrite(open_store(store_url), lambda rows: rows[:3])

    assert ledger.verify() == 3
    with pytest.raises(LedgerError, match=r"of event 5, and the ledger ends at event 3\. Its end was cut off"):
        ledger.verify(anchors_in(tmp_path / "anchors", keys[1].read_bytes()))


def test_a_ledger_that_grew_since_still_holds_all_its_anchors(store_url, tmp_path, keys):
    ledger, folder = ledger_of(store_url), tmp_path / "anchors"
    for number in range(3):
        anchor(ledger, keys[0], folder, now=NOW)
        ledger.append("bob", "release.promote", "m", {"n": number})

    checked = ledger.check(anchors_in(folder, keys[1].read_bytes())).checked
    assert (checked.n_events, checked.n_anchors, checked.anchored_up_to) == (8, 3, 7)


def test_anchoring_refuses_to_cover_up_a_rewrite(tmp_path, keys):
    url, folder = f"sqlite:///{tmp_path / 'store.db'}", tmp_path / "anchors"
    ledger = ledger_of(url)
    anchor(ledger, keys[0], folder, now=NOW)
    rewrite(open_store(url), lambda rows: rows[:3])

    with pytest.raises(LedgerError, match="cut off"):
        anchor(ledger, keys[0], folder, now=NOW)


def test_nothing_new_makes_no_new_anchor_and_an_empty_ledger_none(tmp_path, keys):
    folder, empty = tmp_path / "anchors", Ledger(open_store(f"sqlite:///{tmp_path / 'empty.db'}"))
    ledger = ledger_of(f"sqlite:///{tmp_path / 'store.db'}")

    assert anchor(ledger, keys[0], folder, now=NOW) == anchor(ledger, keys[0], folder, now=NOW)
    assert len(list(folder.iterdir())) == 1
    with pytest.raises(LedgerError, match="no event yet"):
        anchor(empty, keys[0], tmp_path / "none", now=NOW)


@pytest.mark.parametrize("field", ["seq", "hash", "at", "signature", "format"])
def test_an_edited_anchor_does_not_hold(tmp_path, keys, field):
    ledger, folder = ledger_of(f"sqlite:///{tmp_path / 'store.db'}"), tmp_path / "anchors"
    path = anchor(ledger, keys[0], folder, now=NOW)
    fields = json.loads(path.read_text())
    fields[field] = {"seq": 4, "format": "other/1"}.get(field, fields[field][::-1] if field != "seq" else 4)
    path.chmod(0o644)
    path.write_text(json.dumps(fields))

    with pytest.raises(LedgerError, match=r"edited|cannot be read"):
        anchors_in(folder, keys[1].read_bytes())


def test_an_anchor_of_another_key_does_not_hold(tmp_path, keys):
    folder = tmp_path / "anchors"
    anchor(ledger_of(f"sqlite:///{tmp_path / 'store.db'}"), keys[0], folder, now=NOW)
    generate_key(tmp_path / "other.key", tmp_path / "other.pub")

    with pytest.raises(LedgerError, match="signed with another key"):
        anchors_in(folder, (tmp_path / "other.pub").read_bytes())


def test_a_private_key_is_its_owner_s_alone_and_never_written_over(keys):
    assert keys[0].stat().st_mode & 0o777 == 0o600
    with pytest.raises(LedgerError, match="exists already"):
        generate_key(*keys)


def test_the_commands_make_anchor_verify_and_export(tmp_path):
    url, at = f"sqlite:///{tmp_path / 'store.db'}", tmp_path
    ledger_of(url)

    def run(*words):
        result = CliRunner().invoke(preceptor, ["ledger", *map(str, words)], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    run("keygen", at / "k", at / "k.pub")
    run("anchor", "--store", url, "--key", at / "k", "--to", at / "anchors")
    told = run("verify", "--store", url, "--anchors", at / "anchors", "--public-key", at / "k.pub", "--json")
    assert json.loads(told) == {"intact": True, "events": 5, "anchors": 1, "anchored_up_to": 5}
    assert run("export", "--store", url, at / "events.jsonl").startswith("5 events written")


def test_the_verifier_runs_by_itself_on_an_export_and_on_a_store(tmp_path, keys):
    store = tmp_path / "store.db"
    ledger = ledger_of(f"sqlite:///{store}")
    anchor(ledger, keys[0], tmp_path / "anchors", now=NOW)
    export = tmp_path / "events.jsonl"
    export.write_text("".join(canonical_json(event.__dict__) + "\n" for event in ledger.stream()), encoding="utf-8")
    alone = Path(shutil.copy(VERIFIER, tmp_path / "elsewhere.py"))

    def run(events):
        # -I: neither the current folder nor PYTHONPATH; only the library cryptography beside the standard library.
        words = [alone, events, "--anchors", tmp_path / "anchors", "--public-key", keys[1]]
        done = subprocess.run([sys.executable, "-I", *words], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    assert run(export) == (0, "5 events, chain intact; 1 anchor holds, up to event 5.\n")
    assert run(store) == (0, "5 events, chain intact; 1 anchor holds, up to event 5.\n")
    export.write_text(export.read_text().replace('"n":3', '"n":4'))
    assert run(export) == (1, "The ledger is broken at event 4: its content does not match its hash.\n")
    export.write_text("not an event\n")
    assert run(export)[0] == 1
    assert run(tmp_path / "absent")[0] == 1


def test_the_verifier_imports_nothing_but_the_standard_library_and_cryptography():
    import ast

    tree = ast.parse(VERIFIER.read_text(encoding="utf-8"))
    imported = {
        alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    imported |= {
        node.module.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module
    }

    assert imported - set(sys.stdlib_module_names) == {"cryptography"}


@pytest.mark.slow
def test_a_hundred_thousand_events_verify_in_seconds_and_little_memory(tmp_path):
    engine = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    ledger, previous, rows = Ledger(engine), GENESIS, []
    for seq in range(1, 100_001):
        row = {"seq": seq, "at": "2026-11-24T09:00:00.000+00:00", "actor": "ann", "action": "label.submit"}
        row |= {"subject": f"pair-{seq}", "details": {"n": seq}, "prev_hash": previous}
        row["hash"] = previous = event_hash(previous, row)
        rows.append({**row, "details": canonical_json(row["details"])})
    with writing(engine) as connection:
        connection.execute(EVENTS.insert(), rows)
    del rows

    start = time.process_time()
    assert ledger.verify() == 100_000
    took_s = time.process_time() - start
    tracemalloc.start()
    for _, _ in zip(range(3000), ledger.stream(), strict=False):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert took_s < 10
    assert peak < 10_000_000
