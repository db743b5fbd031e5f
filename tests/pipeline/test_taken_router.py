"""A registered router taken up for another pair of models: calibrated anew, not trained, refused where unfit."""

import json
from pathlib import Path

import pytest
import yaml

from core.fingerprint import normalised_text
from models.bundle import load_bundle
from models.bundle_files import bundle_sha256
from tests.pipeline.conftest import command, world_rows

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")]


def rows_of_new_pair(*, is_alike: bool):
    """New questions about the same words; tiny fails where cheap did, or on every third word whatever it means."""
    rows = []
    for number, row in enumerate(world_rows()):
        fails = row["results"]["cheap"]["quality"] < 1 if is_alike else hash_of(row["group"]) % 3 == 0
        results = {"tiny": {"quality": float(not fails), "cost_usd": 0.001}, "huge": {"quality": 1.0, "cost_usd": 0.02}}
        query = row["query"].replace("visit", "contact")
        rows.append({**row, "id": f"new-{number}", "query": query, "results": results})
    first = next(row for row in world_rows() if row["domain"] == "coding")
    return [*rows, {**first, "id": "old", "group": None, "results": rows[0]["results"]}]


def hash_of(group):
    return sum(map(ord, group))


@pytest.fixture(scope="module")
def registered(world: Path) -> Path:
    """The adapted bundle of a run on the pair cheap and dear."""
    command("run", world / "run.yaml")
    return world / "runs" / "small-world" / "register" / "adapted"


def settings_for(world, bundle, name, *, is_alike=True, **more):
    rows = world / f"{name}.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in rows_of_new_pair(is_alike=is_alike)))
    settings = yaml.safe_load((world / "run.yaml").read_text()) | {
        "name": name,
        "store_url": f"sqlite:///{world / name}.db",
        "pair": {"weak": {"name": "tiny"}, "strong": {"name": "huge"}},
        "data": {"files": [str(rows)], "target_domains": ["coding"]},
        "split": {"train": 0.1, "calibrate": 0.5},
        "router": {"bundle": str(bundle)},
        **more,
    }
    path = world / f"{name}.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def test_a_router_that_ranks_the_new_pair_s_harm_is_calibrated_and_registered_with_its_lineage(world, registered):
    command("run", settings_for(world, registered, "new-pair"))
    stages = world / "runs" / "new-pair"
    summary = json.loads((stages / "train" / "summary.json").read_text())
    taken, made = load_bundle(stages / "register" / "adapted"), load_bundle(registered)
    asked = ["Injury by cheese, some contact", "Injury by a tram"]

    assert (taken.weak, taken.strong) == ("tiny", "huge")
    assert taken.facts.base_sha256 == bundle_sha256(registered) == summary["taken_from"]
    assert taken.scores(asked) == pytest.approx(made.scores(asked), abs=1e-6)
    assert taken.calibrator.n_labels > 70  # the rows of train calibrate too, since nothing is trained on them
    assert (summary["labels"], summary["novel_pair"]["auroc"]["low"] > 0.5) == (0, True)


def test_what_the_router_was_made_from_is_left_out(world, registered):
    command("run", settings_for(world, registered, "new-pair"))
    stages = world / "runs" / "new-pair"
    rows = [json.loads(line) for line in (stages / "prepare" / "rows.jsonl").read_text().splitlines()]
    parts = json.loads((stages / "split" / "parts.json").read_text())
    (old,) = [part for row, part in zip(rows, parts, strict=True) if row["ids"] == "old"]
    seen = load_bundle(registered).papers.seen

    assert seen.contains([normalised_text(rows[-1]["texts"])]).all()
    assert old == "left_out"


def test_a_router_that_does_not_rank_the_new_pair_s_harm_is_refused(world, registered):
    refused = command("run", settings_for(world, registered, "unlike", is_alike=False), check=False)

    assert refused.returncode == 1
    assert "do not rank this pair's harm" in refused.stderr
    assert "Train on labels of this pair instead." in refused.stderr


def test_another_family_and_a_certificate_on_too_few_labels_are_refused_in_words(world, registered):
    other = settings_for(world, registered, "other", router={"bundle": str(registered), "family": "words"})
    few = settings_for(world, registered, "few", split={"train": 0.1, "calibrate": 0.3, "certify": 0.3})

    assert "Set router.family to mf." in command("run", other, check=False).stderr
    assert "labels are too few to promise anything" in command("run", few, check=False).stderr
