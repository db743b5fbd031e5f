"""Promotions that crash half-way, and promotions that race: the next command mends, and one of two wins."""

import dataclasses
import json
import subprocess
import sys
import time

import pytest

from core.errors import RegistryError
from core.store import open_store
from pipeline import alias_moves
from pipeline.promotion import drift, promote
from tests.pipeline.promotion_desk import BY, NAME, REPOSITORY, actions, champion

pytestmark = [
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow.*"),
    pytest.mark.filterwarnings("ignore::FutureWarning:mlflow.*"),
]


class Crash(BaseException):
    """What a kill looks like from inside: nothing is cleaned up."""


@pytest.mark.parametrize(
    ("dies_at", "closed_as", "champion_after"),
    [("move_alias", "release.abandon", 2), ("_close", "release.promote", 2)],
)
def test_a_crash_inside_a_move_shows_and_the_next_command_mends_it(
    desk, add_version, monkeypatch, dies_at, closed_as, champion_after
):
    add_version(), add_version()

    def die(*_args, **_kwargs):
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(alias_moves, dies_at, die)
        with pytest.raises(Crash):
            promote(NAME, 1, "champion", by=BY, desk=desk)
    assert actions(desk) == ["release.intend"]
    assert "never ended" in drift(desk)[0].why
    with pytest.raises(RegistryError, match="under way"):  # its process, this one, is still alive
        promote(NAME, 2, "champion", by=BY, desk=desk)

    monkeypatch.setattr(alias_moves, "_is_alive", lambda _pid: False)
    promote(NAME, 2, "champion", by=BY, desk=desk)
    assert actions(desk) == ["release.intend", closed_as, "release.intend", "release.promote"]
    assert champion(desk) == champion_after
    assert drift(desk) == []


def test_a_refused_alias_move_is_closed_as_abandoned(desk, add_version, monkeypatch):
    add_version()

    def refuse(*_args, **_kwargs):
        raise RegistryError("The store is read-only. Ask its owner.")

    monkeypatch.setattr(alias_moves, "move_alias", refuse)
    with pytest.raises(RegistryError, match="read-only"):
        promote(NAME, 1, "champion", by=BY, desk=desk)
    assert actions(desk) == ["release.intend", "release.abandon"]


RACER = """
import json, sys, time
from pathlib import Path
from core.errors import RegistryError
from core.store import open_store
from models.registry import aliases_of
from pipeline.alias_moves import Desk
from pipeline.promotion import Signers, promote
for line in sys.stdin:
    folder, version, store_url = json.loads(line)
    folder = Path(folder)
    uri = f"sqlite:///{folder}/mlflow.db"
    desk = Desk(uri, open_store(store_url), folder / "cache", lambda _: None)
    aliases_of("medical-coding", tracking_uri=uri)
    (folder / f"ready-{version}").touch()
    while not (folder / "go").exists():
        time.sleep(0.001)
    try:
        promote("medical-coding", version, "champion", by=Signers("bob", "eve"), desk=desk, expected=1)
        print("won", flush=True)
    except RegistryError as error:
        print("lost", " ".join(str(error).split()), flush=True)
"""


@pytest.fixture(scope="module")
def racers():
    """Two processes that promote when they are told to; starting one takes seconds, so they serve every race."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", RACER], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    yield processes
    for process in processes:
        process.communicate(timeout=60)


def race(racers, folder, store_url):
    """Two processes promote versions 2 and 3 over version 1 at once; what each said."""
    for racer, version in zip(racers, (2, 3), strict=True):
        print(json.dumps([str(folder), version, store_url]), file=racer.stdin, flush=True)
    deadline = time.monotonic() + 60
    while len(list(folder.glob("ready-*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    (folder / "go").touch()
    return [racer.stdout.readline() for racer in racers]


def assert_one_won(desk, results):
    assert sorted(said.split()[0] for said in results) == ["lost", "won"], results
    winner = 2 if results[0].startswith("won") else 3
    assert champion(desk) == winner
    assert [e.details["version_after"] for e in desk.ledger.events(action="release.promote")] == [1, winner]
    assert drift(desk) == []


@pytest.mark.slow
def test_of_two_processes_that_promote_at_once_exactly_one_wins(desk, add_version, racers, tmp_path):
    for _ in range(3):
        add_version()
    promote(NAME, 1, "champion", by=BY, desk=desk)

    assert_one_won(desk, race(racers, tmp_path, f"sqlite:///{tmp_path}/preceptor.db"))


@pytest.mark.slow
@pytest.mark.postgres
def test_of_two_processes_exactly_one_wins_with_a_ledger_in_postgresql(
    desk, add_version, racers, tmp_path, postgres_url
):
    store = open_store(postgres_url)
    desk = dataclasses.replace(desk, store=store)
    for _ in range(3):
        add_version()
    promote(NAME, 1, "champion", by=BY, desk=desk)

    assert_one_won(desk, race(racers, tmp_path, postgres_url))
    assert desk.ledger.verify() == len(desk.ledger.events())
    store.dispose()
