"""From the labeling store to a promise: an audit is drawn, judged and frozen, shows the harm, and the gateway obeys."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from core.access import Actor, Role
from core.certificate_record import Certificate
from core.fingerprint import normalised_text
from core.records import Stakes
from core.store import create_tables, open_store
from gateway.certified import threshold_in_force
from gateway.model_names import Routed
from labeling.content.importing import ImportRules, import_pairs
from labeling.frozen.freezing import freeze
from labeling.judging.ballots import Ballot, Choice
from labeling.judging.submitting import submit
from labeling.queueing.experts import invite_expert
from labeling.queueing.offering import OfferRules, next_task
from labeling.queueing.selecting import Request, select_audit
from models.bundle import load_bundle
from tests.pipeline.conftest import command, world_rows

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")]

START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
N_AUDITED = 20


def answered(row):
    """The row with two answers that say whether they are right, for an expert who reads that."""
    fails = {model: result["quality"] < 1 for model, result in row["results"].items()}
    answers = {
        model: {"text": f"{model} says {row['query']} is {'WRONG' if fails[model] else 'fine'}.", "cost_usd": cost}
        for model, cost in (("cheap", 0.001), ("dear", 0.02))
    }
    return {name: row[name] for name in ("id", "query", "domain", "group", "topic")} | {"answers": answers}


def verdict(task):
    left, right = ("WRONG" not in text for text in (task.left, task.right))
    if left == right:
        return Choice.BOTH_ACCEPTABLE if left else Choice.NEITHER_ACCEPTABLE
    return Choice.LEFT_BETTER if left else Choice.RIGHT_BETTER


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a version in which every pair is judged and some words were drawn for audit."""
    folder = tmp_path_factory.mktemp("frozen")
    rows = folder / "pairs.jsonl"
    own = [answered(row) for row in world_rows() if row["domain"] == "coding"]
    rows.write_text("".join(json.dumps(row) + "\n" for row in own))
    store = open_store(f"sqlite:///{folder / 'store.db'}")
    create_tables(store)
    once = ImportRules(weak="cheap", strong="dear", overlap_high_stakes=1, overlap_low_stakes=1)
    import_pairs(store, [rows], by="lead", now=START, rules=once)
    select_audit(store, Request(n=N_AUDITED, seed=1), actor=Actor("Lea", frozenset({Role.LEAD})), now=START)
    invite_expert(store, "Dana", by="lead", now=START)
    now = START
    while task := next_task(store, "Dana", rules=OfferRules(gold_rate=0, repeat_rate=0), now=now):
        now += timedelta(seconds=30)
        submit(store, Ballot(task.assignment_id, 0, verdict(task)), expert="Dana", now=now)
    freeze(store, "coding", folder, by="lead", now=now)
    store.dispose()
    return folder / "coding@1"


@pytest.fixture(scope="module")
def certified(world: Path, frozen: Path) -> Path:
    """The folder of the stages of a run that learns from the version's outcomes and certifies on its audit."""
    general = world / "general.jsonl"
    general.write_text("".join(json.dumps(row) + "\n" for row in world_rows() if row["domain"] == "general"))
    settings = yaml.safe_load((world / "run.yaml").read_text()) | {
        "name": "audited-world",
        "store_url": f"sqlite:///{world / 'audited.db'}",
        "data": {
            "files": [str(general), str(frozen / "outcomes.jsonl")],
            "certify_files": [str(frozen / "audit.jsonl")],
            "target_domains": ["coding"],
        },
        "split": {"train": 0.5, "calibrate": 0.3},
        "certificate": {"max_harm_high": 0.6},
    }
    path = world / "audited.yaml"
    path.write_text(yaml.safe_dump(settings))
    command("run", path)
    return world / "runs" / "audited-world"


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_audit_shows_a_promise_that_the_gateway_obeys(certified):
    bundle = load_bundle(certified / "register" / "adapted")
    certificate = Certificate.model_validate_json((certified / "certify" / "certificate.json").read_bytes())
    (stratum,) = certificate.strata

    def in_force(domain):
        return threshold_in_force(bundle, Routed("mf", None, domain), stakes=Stakes.HIGH, now=certificate.created_at)

    assert (stratum.stratum, stratum.n, stratum.is_certified) == ("coding/high", N_AUDITED, True)
    assert in_force("coding") == (stratum.threshold, ())
    assert in_force("general") == "not_certified"


def test_only_what_was_drawn_shows_it_and_nothing_tied_to_it_is_used_for_anything_else(certified, frozen):
    rows = lines(certified / "prepare" / "rows.jsonl")
    parts = json.loads((certified / "split" / "parts.json").read_text())
    summary = json.loads((certified / "split" / "summary.json").read_text())
    audit = lines(frozen / "audit.jsonl")
    drawn = {row["id"] for row in audit if row.get("inclusion_probability") == pytest.approx(N_AUDITED / 140)}
    tied = {(row["group"], normalised_text(row["query"][0]["content"])) for row in audit}

    assert {row["ids"] for row, part in zip(rows, parts, strict=True) if part == "certify"} == drawn
    assert len(drawn) == N_AUDITED
    used = [row for row, part in zip(rows, parts, strict=True) if part in ("train", "calibrate", "test")]
    assert not {row["groups"] for row in used} & {group for group, _ in tied}
    assert summary["rows_to_certify_left_out"] == len(audit) - N_AUDITED > 0
