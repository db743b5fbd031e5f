"""A store with experts and pairs, and a signed-in client."""

import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from core.labeling_settings import LabelingSettings
from core.store import create_tables, open_store, writing
from labeling import tables  # noqa: F401 - declares the tables
from labeling.app import create_app
from labeling.content.importing import ImportRules, import_pairs
from labeling.queueing.dealing import OfferRules
from labeling.queueing.experts import invite_expert
from labeling.queueing.places import set_wanted
from tests.labeling.browsing import browser, serve, visit  # noqa: F401 - fixtures of the browser tests

START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
WEAK, STRONG = "lexical-coder", "minilm-coder"
ONCE = ImportRules(weak=WEAK, strong=STRONG, overlap_high_stakes=1, overlap_low_stakes=1)
"""Every pair is judged by one expert."""
PLAIN = LabelingSettings(reason_required="never", gold_rate=0, repeat_rate=0)
"""Nothing but work is offered, and no reason is asked for."""
PLAIN_RULES = OfferRules(gold_rate=0, repeat_rate=0)


class Clock:
    """A clock that moves a second at every look."""

    def __init__(self) -> None:
        self.moment = START

    def __call__(self) -> datetime:
        self.moment += timedelta(seconds=1)
        return self.moment

    def skip(self, duration: timedelta) -> None:
        """Let time pass."""
        self.moment += duration


def row(number: int, **fields: object) -> dict[str, object]:
    """The row of a coding task with two answers."""
    return {
        "id": f"task-{number:03}",
        "query": f"Code diagnosis number {number}: meningitis due to sporotrichosis.",
        "domain": "infectious",
        "stakes": "high" if number % 2 else "low",
        "answers": {
            WEAK: {"text": f"Cheap words say B42.8{number}.", "cost_usd": 0.001},
            STRONG: {"text": f"Dear words say B42.8{number}, sporotrichosis meningitis.", "cost_usd": 0.02},
        },
        **fields,
    }


def want(engine: sa.Engine, n_experts: int) -> None:
    """From now on so many experts judge every pair."""
    with writing(engine) as connection:
        set_wanted(connection, high=n_experts, low=n_experts, audit=n_experts)


def write_rows(path: Path, rows: Sequence[dict[str, object]]) -> Path:
    """A JSONL file of rows."""
    path.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def side_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Experts get the same seeds in every run, so that sides, gold and repeats fall as they did before."""
    monkeypatch.setattr("labeling.queueing.experts.secrets", SimpleNamespace(randbits=random.Random(0).getrandbits))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(store_url: str) -> Iterator[sa.Engine]:
    engine = open_store(store_url)
    create_tables(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def imported(store: sa.Engine, tmp_path: Path, clock: Clock) -> Callable[..., sa.Engine]:
    """Import so many pairs into the store."""

    def import_rows(n_pairs: int, **fields: object) -> sa.Engine:
        path = write_rows(tmp_path / "pairs.jsonl", [row(number, **fields) for number in range(n_pairs)])
        import_pairs(store, [path], by="lead", now=clock(), rules=ONCE)
        return store

    return import_rows


class Expert:
    """A signed-in browser without JavaScript."""

    def __init__(self, engine: sa.Engine, name: str, clock: Clock, settings: LabelingSettings) -> None:
        self.name = name
        self.http = TestClient(create_app(engine, settings=settings, clock=clock))
        token = invite_expert(engine, name, by="lead", now=clock())
        assert self.http.post("/sign-in", data={"token": token}).status_code == 200

    def fields(self) -> dict[str, str]:
        """The hidden fields of the judging form as it is shown now."""
        page = self.http.get("/judge").text
        form = page[page.index('<form class="judge"') :]
        return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form))

    def vote(self, verdict: str, **fields: str) -> str:
        """Judge the pair that is shown now; returns the page that comes back."""
        return self.http.post("/judge", data={**self.fields(), "verdict": verdict, **fields}).text


@pytest.fixture
def expert(clock: Clock) -> Iterator[Callable[..., Expert]]:
    """Sign an expert in."""
    experts: list[Expert] = []

    def sign_in(engine: sa.Engine, name: str = "Dana Ruiz", *, settings: LabelingSettings = PLAIN) -> Expert:
        experts.append(Expert(engine, name, clock, settings))
        return experts[-1]

    yield sign_in
    for one in experts:
        one.http.close()
