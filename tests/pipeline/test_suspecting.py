"""A run with a classifier of weak answers: what it learns from, what it is bound to, and what it changes."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file

from core.certificate_record import Certificate
from models.bundle import load_bundle
from tests.pipeline.conftest import command, world_rows

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")]

SURE = "The finding is classic and known. The code is {}."
UNSURE = "It might be {}, but perhaps not. However, it is unclear."


def rows_with_answers():
    """The world's rows, whose wrong weak answers hedge, but for one in eleven."""
    rows = world_rows()
    for number, row in enumerate(rows):
        word = row["group"].split()[-1]
        is_right = row["results"]["cheap"]["quality"] > 0.5
        hedges = is_right == (number % 11 == 0)
        row["results"]["cheap"]["text"] = (UNSURE if hedges else SURE).format(word)
    return rows


@pytest.fixture(scope="module")
def suspecting(world: Path) -> Path:
    """The settings of a certified run with a classifier of words."""
    settings = yaml.safe_load((world / "run.yaml").read_text())
    files = world / "answered.jsonl"
    files.write_text("".join(json.dumps(row) + "\n" for row in rows_with_answers()))
    settings |= {
        "name": "suspecting-world",
        "store_url": f"sqlite:///{world / 'suspecting.db'}",
        "data": {"files": [str(files)], "target_domains": ["coding"]},
        "split": {"train": 0.35, "calibrate": 0.2, "certify": 0.25},
        "certificate": {"max_harm_high": 0.35},
        "verifiers": {"suspicion": {"family": "words"}},
    }
    path = world / "suspecting.yaml"
    path.write_text(yaml.safe_dump(settings))
    command("run", path)
    return path


def stage(suspecting: Path, name: str) -> Path:
    return suspecting.parent / "runs" / "suspecting-world" / name


def read(path: Path):
    return json.loads(path.read_text())


def stratum_of(suspecting: Path):
    record = (stage(suspecting, "certify") / "certificate.json").read_bytes()
    (stratum,) = Certificate.model_validate_json(record).strata
    return stratum


def test_the_bundle_suspects_hedging_answers_as_the_run_did(suspecting):
    bundle = load_bundle(stage(suspecting, "register") / "adapted")
    values = load_file(stage(suspecting, "suspect") / "suspicion.safetensors")
    rows = rows_with_answers()
    known = np.flatnonzero(values["has_text"])
    pairs = [(rows[i]["query"], rows[i]["results"]["cheap"]["text"]) for i in known]

    assert bundle.suspicions(pairs) == pytest.approx(values["suspicion"][known], abs=0)
    sure, unsure = bundle.suspicions(
        [("Injury by a bus", SURE.format("bus")), ("Injury by a bus", UNSURE.format("bus"))]
    )
    assert sure < bundle.tau("coding/high") < unsure
    assert load_bundle(stage(suspecting, "register") / "base").suspicion is None


def test_it_is_trained_on_train_rows_alone_and_its_threshold_lets_the_declared_share_pass(suspecting):
    parts = read(stage(suspecting, "split") / "parts.json")
    summary = read(stage(suspecting, "suspect") / "summary.json")
    values = load_file(stage(suspecting, "suspect") / "suspicion.safetensors")
    quality = np.array([row["results"]["cheap"]["quality"] for row in rows_with_answers()])
    passing = values["suspicion"][(np.array(parts) == "calibrate") & (quality > 0.5)]

    assert summary["n_train"] == parts.count("train")
    assert np.mean(passing <= summary["tau"]) >= 0.8
    assert {parts[i] for i in np.flatnonzero(values["has_text"])} == {"calibrate", "certify", "test"}


def test_its_worth_on_test_rows_stands_in_the_evidence(suspecting):
    found = read(stage(suspecting, "evaluate") / "evidence.json")["suspicion"]

    assert found["n"] == read(stage(suspecting, "split") / "parts.json").count("test")
    assert found["auroc"]["estimate"] > 0.8  # one row in eleven misleads
    assert found["tau"] == read(stage(suspecting, "suspect") / "summary.json")["tau"]


def test_the_certificate_counts_on_the_threshold_and_is_bound_to_the_classifier(suspecting):
    bundle = load_bundle(stage(suspecting, "register") / "adapted")
    stratum = stratum_of(suspecting)

    assert stratum.is_certified
    assert stratum.tau == bundle.tau("coding/high") == read(stage(suspecting, "suspect") / "summary.json")["tau"]
    assert "suspicion" in bundle.certificate["hashes"]


def test_a_family_of_thresholds_spends_a_fifth_of_delta_on_each(suspecting):
    command("run", suspecting, "--set", "verifiers.suspicion.path=family")
    stratum = stratum_of(suspecting)
    bundle = load_bundle(stage(suspecting, "register") / "adapted")
    summary = read(stage(suspecting, "suspect") / "summary.json")
    command("run", suspecting)

    assert (stratum.attempt, stratum.delta) == (2, pytest.approx(0.05 / 6 / 5))  # the second look takes a sixth
    assert stratum.tau in summary["taus"].values()  # never off at high stakes
    assert bundle.tau("coding/high") == stratum.tau


def test_rows_without_answers_refuse_the_classifier_and_say_what_to_do(suspecting, tmp_path):
    files = tmp_path / "bare.jsonl"
    files.write_text("".join(json.dumps(row) + "\n" for row in world_rows()))
    said = command("run", suspecting, "--set", f"data.files=['{files}']", "--set", f"folder={tmp_path}", check=False)

    assert said.returncode == 1
    assert "finds 0 train rows and 0 calibrate rows with the weak answer's text" in said.stderr


def test_the_combined_family_scores_in_the_bundle_as_in_the_run_with_the_routers_own_encoder(suspecting):
    command("run", suspecting, "--set", "verifiers.suspicion.family=combined")
    bundle = load_bundle(stage(suspecting, "register") / "adapted")
    values = load_file(stage(suspecting, "suspect") / "suspicion.safetensors")
    known = np.flatnonzero(values["has_text"])[:20]
    rows = rows_with_answers()
    command("run", suspecting)

    assert bundle.suspicion.facts.family == "pair"
    assert bundle.suspicion.encoder() is bundle.encoder
    pairs = [(rows[i]["query"], rows[i]["results"]["cheap"]["text"]) for i in known]
    assert bundle.suspicions(pairs) == pytest.approx(
        values["suspicion"][known], abs=1e-4
    )  # batches differ in the last bits


def test_a_cross_encoder_is_trained_in_the_run_and_served_without_torch(suspecting):
    settings = yaml.safe_load(suspecting.read_text())
    settings |= {
        "name": "cross-encoder",
        "split": {"train": 0.5, "calibrate": 0.2},
        "verifiers": {"suspicion": {"family": "bert"}},
        "training": {"max_tokens": 40, "max_epochs": 2, "tokens_per_step": 512, "learning_rate": 0.002},
    }
    path = suspecting.with_name("cross_encoder.yaml")
    path.write_text(yaml.safe_dump(settings))
    command("run", path)
    folder = suspecting.parent / "runs" / "cross-encoder" / "register" / "adapted"
    code = (
        "import sys, json; from pathlib import Path; from models.bundle import load_bundle\n"
        f"bundle = load_bundle(Path({str(folder)!r}))\n"
        f"pairs = [('Injury by a bus', {SURE.format('bus')!r}), ('Injury by a bus', {UNSURE.format('bus')!r})]\n"
        "print(json.dumps([*bundle.suspicions(pairs), bundle.suspicion.router.family, 'torch' in sys.modules]))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    sure, unsure, family, has_torch = json.loads(said)

    assert sure < unsure
    assert (family, has_torch) == ("bert", False)
