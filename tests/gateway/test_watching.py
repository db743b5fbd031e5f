"""Aliases of a real MLflow registry, followed by a process of its own, and by a gateway's bundles."""

import asyncio
import shutil
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.errors import RegistryError
from gateway.bundles.admission import Admission
from gateway.bundles.live_bundles import Following, LiveBundles
from gateway.bundles.pointers import read_pointers
from gateway.bundles.rechecks import Rechecks
from gateway.bundles.references import References
from gateway.bundles.watcher import Watcher
from gateway.bundles.watching import Watching
from gateway.bundles.watching_plan import Plan
from models.alias_tables import AliasTables, CannotTell
from models.mlflow_store import is_away
from models.registry import bundle_sha256, resolve
from tests.gateway.word_bundle import Shelf, word_bundle
from tests.models.mf_bundle import remanifest
from verifiers.assembling import Recheck

pytestmark = [
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow.*"),
    pytest.mark.filterwarnings("ignore::FutureWarning:mlflow.*"),
]
NOW = datetime(2026, 11, 24, tzinfo=UTC)
CHAMPION = "models:/coding@champion"


@pytest.fixture
def shelf(empty_mlflow, tmp_path):
    shutil.copy(empty_mlflow, tmp_path / "mlflow.db")
    return Shelf(tmp_path)


def plan_of(shelf, *references, **changes):
    plan = Plan.of(shelf.settings, References((references or (CHAMPION,))[0]))
    return plan.model_copy(update={"references": references or (CHAMPION,), **changes})


def seen(watching, is_seen, reference=CHAMPION):
    """Look until what is seen of a reference is so."""
    deadline = time.monotonic() + 60
    while not ((found := watching.look(now=NOW).references.get(reference)) and is_seen(found)):
        assert time.monotonic() < deadline, found
        watching.wake.wait(0.05)
        watching.wake.clear()
    return found


@pytest.fixture
def watching(shelf):
    made = Watching(plan_of(shelf))
    yield made
    made.close()


def test_an_alias_leads_to_the_whole_copy_of_its_version_and_follows_it(shelf, watching):
    versions = [shelf.add_words(0.3), shelf.add_words(0.4)]
    told = []
    for version in versions:
        shelf.promote(version)
        told.append(seen(watching, lambda one, version=version: one.version == version and one.folder))

    assert [one.version for one in told] == [1, 2]
    assert [one.sha256 for one in told] == [bundle_sha256(shelf.folder / f"bundle-{t}") for t in (0.3, 0.4)]
    assert read_pointers(plan_of(shelf).pointer_file.parent / watching._plan.pointer_file.name).references == {
        CHAMPION: told[1]
    }


def test_the_file_says_that_an_alias_has_moved_before_the_next_version_is_there(shelf, watching, monkeypatch):
    shelf.promote(shelf.add_words(0.3))
    seen(watching, lambda one: one.folder)
    go = threading.Event()
    monkeypatch.setattr("gateway.bundles.watching.fetch_whole", lambda *_, **__: go.wait(60) and 1 / 0)
    shelf.promote(shelf.add_words(0.4))
    watching.look(now=NOW)
    told = read_pointers(watching._plan.pointer_file).references[CHAMPION]
    go.set()

    assert (told.version, told.folder, told.fault) == (2, None, None)
    assert seen(watching, lambda one: one.fault).fault == "bundle_not_loaded"


@pytest.mark.parametrize("lost", ["alias", "version", "never there"])
def test_what_is_not_in_the_registry_is_said_with_what_is(shelf, watching, lost):
    shelf.promote(shelf.add_words(0.3), alias="other" if lost == "never there" else "champion")
    if lost != "never there":
        seen(watching, lambda one: one.folder)
    if lost == "alias":
        shelf.promote(None)
    if lost == "version":
        shelf.client.delete_model_version("coding", "1")
    first = watching.look(now=NOW).references[CHAMPION]
    told = seen(watching, lambda one: one.fault and "Its aliases are" in one.sentence)

    assert first.fault == told.fault == "bundle_unknown"


def test_a_copy_that_was_altered_is_fetched_anew(shelf, watching):
    shelf.promote(shelf.add_words(0.3))
    card = Path(seen(watching, lambda one: one.folder).folder) / "card.md"
    written = card.read_text()
    card.write_text("Another card.")
    watching._again_at.clear()
    deadline = time.monotonic() + 60
    while not card.is_file() or card.read_text() != written:
        assert time.monotonic() < deadline
        watching.look(now=NOW)
        watching.wake.wait(0.05)

    assert watching.look(now=NOW).references[CHAMPION].fault is None


@pytest.mark.parametrize(
    ("of", "says"), [("newer format", "of format 2; this version reads format 1"), ("altered store", "was altered")]
)
def test_a_version_that_cannot_be_read_here_is_a_fault_with_its_sentence(shelf, watching, of, says):
    folder = word_bundle(shelf.folder / "bundle")
    if of == "newer format":
        remanifest(folder, format_version=2)
    shelf.promote(shelf.add(folder))
    if of == "altered store":
        next((shelf.folder / "artifacts").rglob("card.md")).write_text("Another card.")

    told = seen(watching, lambda one: one.fault)
    assert told.fault == "bundle_not_loaded"
    assert says in told.sentence


def test_a_registry_that_does_not_answer_changes_nothing_and_is_said(shelf, watching):
    shelf.promote(shelf.add_words(0.3))
    before = seen(watching, lambda one: one.folder)
    watching._tables.close()
    watching._tables = AliasTables("http://127.0.0.1:9")
    watching._plan = watching._plan.model_copy(update={"tracking_uri": "http://127.0.0.1:9"})
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        told = watching.look(now=NOW)

    assert told.references[CHAMPION] == before
    assert told.away_since == NOW
    assert "did not answer" in told.away


def test_the_tables_say_what_mlflow_says(shelf):
    for threshold in (0.3, 0.4):
        shelf.add_words(threshold)
    shelf.promote(2)
    tables = AliasTables(shelf.uri)
    references = [CHAMPION, "models:/coding/1", "models:/coding/2"]

    assert [tables.find(one) for one in references] == [
        resolve(one, tracking_uri=shelf.uri).model_copy(update={"aliases": ()}) for one in references
    ]
    for reference in ("models:/coding@none", "models:/coding/3", "models:/none/1"):
        assert tables.find(reference) is None
        with pytest.raises(RegistryError) as refused:
            resolve(reference, tracking_uri=shelf.uri)
        assert not is_away(refused.value)
    tables.close()


def test_tables_of_another_form_are_left_to_mlflow(tmp_path, monkeypatch):
    import sqlite3

    connection = sqlite3.connect(tmp_path / "other.db")
    connection.execute("CREATE TABLE registered_model_aliases (name TEXT)")
    connection.close()
    for uri in (f"sqlite:///{tmp_path}/other.db", f"sqlite:///{tmp_path}/absent.db", "http://127.0.0.1:9"):
        with pytest.raises(CannotTell):
            AliasTables(uri).find(CHAMPION)
    assert not (tmp_path / "absent.db").exists()


def live_bundles(shelf, plan, **following):
    return LiveBundles(
        "words",
        following=Following(References(CHAMPION), plan.pointer_file, watch_s=0.1, **following),
        admission=Admission(shelf.settings),
        rechecks=Rechecks.ready(Recheck()),
    )


def test_a_promotion_and_a_rollback_take_effect_within_two_seconds_at_a_running_gateway(shelf, caplog):
    for threshold in (0.3, 0.4):
        shelf.add_words(threshold)
    hashes = {1: bundle_sha256(shelf.folder / "bundle-0.3"), 2: bundle_sha256(shelf.folder / "bundle-0.4")}
    shelf.promote(1)
    plan = plan_of(shelf)
    watcher = Watcher(plan)

    async def story():
        live = live_bundles(shelf, plan)
        started = time.monotonic()
        watcher.start()
        await live.start()
        assert await live.ready(timeout_s=60)
        ready_s, took_s = time.monotonic() - started, []
        try:
            for version in (2, 1, 2):
                await asyncio.to_thread(shelf.promote, version)
                moved = time.monotonic()
                while (found := live.deciding(None, None, lot=1.0)).bundle is None or (
                    found.bundle.sha256 != hashes[version]
                ):
                    assert time.monotonic() < moved + 60, live.reports()
                    await asyncio.sleep(0.01)
                took_s.append(time.monotonic() - moved)
        finally:
            await live.aclose()
            await asyncio.to_thread(watcher.stop)
        return ready_s, took_s

    ready_s, took_s = asyncio.run(story())
    figures = f"ready after {ready_s:.2f} s; taken over after {', '.join(f'{one:.2f}' for one in took_s)} s"
    print(figures)  # noqa: T201 - what was measured
    assert min(took_s) <= 2.0, figures
    assert not plan.pointer_file.exists()


def test_a_copy_that_was_tampered_with_after_the_watcher_saw_it_decides_nothing(shelf, watching, caplog):
    shelf.promote(shelf.add_words(0.3))
    folder = seen(watching, lambda one: one.folder).folder
    words = Path(folder) / "router" / "words.json"
    words.write_text(words.read_text() + " ")

    async def story():
        live = live_bundles(shelf, watching._plan)
        await live.start()
        await live.ready(timeout_s=60)
        found = live.deciding(None, None, lot=0.0)
        await live.aclose()
        return found

    found = asyncio.run(story())
    assert (found.bundle, found.fault) == (None, "bundle_not_loaded")
    assert "router/words.json is not the file that its manifest lists" in caplog.text


def test_a_whole_bundle_under_another_hash_than_the_registered_one_decides_nothing(shelf):
    folder = word_bundle(shelf.folder / "bundle")

    admitted = Admission(shelf.settings).admit(folder, sha256="0" * 64, now=NOW)
    assert (admitted.bundle, admitted.fault) == (None, "bundle_altered")


def test_a_bundle_of_another_pair_decides_nothing_and_names_both(shelf):
    folder = word_bundle(shelf.folder / "bundle", pair=("tiny", "huge"))

    admitted = Admission(shelf.settings).admit(folder, sha256=bundle_sha256(folder), now=NOW)
    assert admitted.fault == "bundle_for_another_pair"
    assert admitted.sentence == "The bundle was made for tiny and huge, not for small and large."


def test_a_watcher_that_ends_is_started_again_and_said_and_one_that_is_stopped_is_not(tmp_path, caplog):
    plan = Plan(
        tracking_uri="sqlite:///none.db",
        cache=tmp_path,
        pointer_file=tmp_path / "pointers.json",
        references=(CHAMPION,),
    )
    ends = (sys.executable, "-c", "import sys; sys.stdin.readline(); sys.exit(3)")
    watcher = Watcher(plan, command=ends, pauses_s=(0.01,))
    watcher.start()
    deadline = time.monotonic() + 60
    while watcher.n_restarts < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    watcher.stop()
    count = watcher.n_restarts

    assert not watcher.is_running
    assert "The watcher of aliases ended (code 3)" in caplog.text
    assert watcher.n_restarts == count


def test_the_watcher_ends_with_the_gateway_that_started_it(shelf):
    import subprocess

    plan = plan_of(shelf)
    process = subprocess.Popen([sys.executable, "-m", "gateway.bundles.watching"], stdin=subprocess.PIPE, text=True)
    process.stdin.write(plan.model_dump_json() + "\n")
    process.stdin.close()

    assert process.wait(timeout=60) == 0


def test_a_gateway_that_follows_aliases_imports_no_mlflow_and_no_torch():
    import subprocess

    code = (
        "import sys, gateway.bundles.live_bundles, gateway.bundles.admission, gateway.bundles.watcher; "
        "import gateway.bundles.switch_state; "
        "print(sorted({'mlflow', 'torch', 'transformers'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"
