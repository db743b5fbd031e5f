"""A small world in which the general router is wrong about the specialty: words decide which model fails."""

import io
import json
import shutil
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from core.cli import main
from tests.pipeline.promotion_desk import add_version, desk  # noqa: F401 - fixtures of the promotion tests

FOODS = (
    "bread butter cheese apple banana rice pasta soup salad cake chocolate honey carrot potato onion garlic pepper "
    "salt sugar milk yogurt cream beef chicken pork sausage salmon shrimp omelette pancake waffle biscuit grape "
    "lemon peach"
).split()
VEHICLES = (
    "bicycle truck airplane helicopter train tram bus taxi motorcycle scooter ferry submarine canoe yacht tractor "
    "bulldozer ambulance rocket glider balloon wagon van lorry sled kayak trolley locomotive minibus moped tanker "
    "jeep limousine hovercraft spacecraft caravan"
).split()


def world_rows() -> list[dict]:
    """280 outcomes. In general the cheap model fails on vehicles, in the specialty on foods.

    A word's rows share a group, so every test word is new: only a router that knows what words mean can do well.
    """
    rows = []
    for domain, asked, failing in (("general", "Story about a", VEHICLES), ("coding", "Injury by", FOODS)):
        for number, word in enumerate([*FOODS, *VEHICLES] * 2):
            fails = (word in failing) != (number % 19 == 0)
            rows.append(
                {
                    "id": f"{domain}-{number}",
                    "query": f"{asked} {word}, {'first' if number < 70 else 'later'} visit",
                    "domain": domain,
                    "topic": "first" if number < 70 else "later",
                    "group": f"{domain} {word}",
                    "results": {
                        "cheap": {"quality": 0.0 if fails else 1.0, "cost_usd": 0.001},
                        "dear": {"quality": 0.0 if number % 23 == 0 else 1.0, "cost_usd": 0.02},
                    },
                }
            )
    return rows


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, empty_mlflow: Path) -> Path:
    """A folder with outcomes.jsonl, run.yaml and an empty mlflow.db, everything inside the folder."""
    folder = tmp_path_factory.mktemp("world")
    shutil.copy(empty_mlflow, folder / "mlflow.db")
    (folder / "outcomes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in world_rows()))
    settings = {
        "name": "small-world",
        "folder": str(folder / "runs"),
        "store_url": f"sqlite:///{folder / 'preceptor.db'}",
        "pair": {"weak": {"name": "cheap"}, "strong": {"name": "dear"}},
        "data": {"files": [str(folder / "outcomes.jsonl")], "target_domains": ["coding"]},
        "split": {"train": 0.4, "calibrate": 0.3},
        "adaptation": {"max_epochs": 60},
        "evaluation": {"n_resamples": 300},
        "mlflow": {"tracking_uri": f"sqlite:///{folder / 'mlflow.db'}"},
        "threads": 1,
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(settings))
    return folder


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit status."""

    returncode: int
    stdout: str
    stderr: str


def command(*words: object, check: bool = True) -> Said:
    """Run `preceptor WORDS` in this process: what `main` does, without the seconds that importing MLflow takes."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    argv, sys.argv = sys.argv, ["preceptor", *map(str, words)]
    try:
        with redirect_stdout(out), redirect_stderr(err), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on a command line they are not errors either
            main()
    except SystemExit as exit_:
        code = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    finally:
        sys.argv = argv
    said = Said(code, out.getvalue(), err.getvalue())
    assert not check or said.returncode == 0, said.stderr
    return said
