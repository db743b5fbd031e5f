"""A certified run from outcomes to the gateway: certificate, gates, promotion, expiry, second looks."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from core.certificate_record import Certificate
from core.ledger import Ledger
from core.records import Stakes
from core.store import open_store
from gateway.certified import threshold_in_force
from gateway.model_names import Routed
from models.bundle import load_bundle
from pipeline.certify_looks import ATTEMPT
from tests.pipeline.conftest import command

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")]


@pytest.fixture(scope="module")
def certified(world: Path) -> Path:
    """The settings of a run whose promise is loose enough for two dozen words."""
    settings = yaml.safe_load((world / "run.yaml").read_text())
    settings |= {
        "name": "certified-world",
        "store_url": f"sqlite:///{world / 'certified.db'}",  # other tests break the ledger of the world's own
        "split": {"train": 0.35, "calibrate": 0.15, "certify": 0.25},
        "certificate": {"max_harm_high": 0.35},
    }
    path = world / "certified.yaml"
    path.write_text(yaml.safe_dump(settings))
    command("run", path)
    return path


def stage(certified: Path, name: str) -> Path:
    return certified.parent / "runs" / "certified-world" / name


def made(certified: Path) -> Certificate:
    return Certificate.model_validate_json((stage(certified, "certify") / "certificate.json").read_bytes())


def looks(certified: Path):
    return Ledger(open_store(f"sqlite:///{certified.parent / 'certified.db'}")).events(action=ATTEMPT)


def test_no_row_of_the_certificate_is_used_for_anything_else(certified):
    parts = json.loads((stage(certified, "split") / "parts.json").read_text())
    (stratum,) = made(certified).strata

    assert parts.count("certify") >= 2 * stratum.n > 0  # two rows a word, and a word counts once
    assert json.loads((stage(certified, "split") / "summary.json").read_text())["groups_in_more_than_one_part"] == 0


def test_the_bundle_decides_by_the_certificate_until_it_ends(certified):
    bundle = load_bundle(stage(certified, "register") / "adapted")
    certificate = made(certified)
    (stratum,) = certificate.strata

    def threshold(domain, now=certificate.created_at):
        return threshold_in_force(bundle, Routed("mf", None, domain), stakes=Stakes.HIGH, now=now)

    assert (bundle.facts.status, stratum.stratum, stratum.is_certified) == ("certified", "coding/high", True)
    assert threshold("coding") == (stratum.threshold, ())
    assert threshold("general") == "not_certified"
    assert threshold("coding", certificate.expires_at) == "certificate_expired"
    assert "Promised, with probability at least 0.95: a mean harm over all queries" in bundle.papers.card
    assert f"| coding/high | 35.0% | {stratum.n} rows |" in bundle.papers.card
    assert load_bundle(stage(certified, "register") / "base").facts.status == "not_certified"


def test_a_second_run_makes_no_second_look_and_a_run_from_the_stage_on_makes_none_either(certified):
    before = made(certified)
    command("run", certified)
    command("run", certified, "--from", "certify")

    assert len(looks(certified)) == 1
    assert made(certified).created_at == before.created_at  # the same look, so the certificate ends when it would have


def test_another_promise_on_the_same_rows_is_a_second_attempt_at_a_sixth_of_delta(certified):
    command("run", certified, "--set", "certificate.max_harm_high=0.4")
    (stratum,) = made(certified).strata

    assert (stratum.attempt, stratum.delta) == (2, pytest.approx(0.05 / 6))
    assert [event.seq for event in looks(certified)] == sorted({event.seq for event in looks(certified)})


def test_a_promise_that_the_rows_cannot_show_sends_everything_to_the_strong_model_and_fails_its_gate(certified):
    command("run", certified, "--set", "certificate.max_harm_high=0.01")
    bundle = load_bundle(stage(certified, "register") / "adapted")
    version = json.loads((stage(certified, "register") / "registered.json").read_text())["adapted"]
    refused = command(
        "promote", "certified-world", version, "--by", "ann", "--approved-by", "bob", "--config", certified, check=False
    )

    assert bundle.facts.status == "not_certified"
    assert set(bundle.thresholds.values()) == {None}
    now = datetime.now(UTC)
    assert threshold_in_force(bundle, Routed("mf", 0.1, "coding"), stakes=Stakes.HIGH, now=now) == "not_certified"
    assert refused.returncode == 1
    assert "certificate: fail (no stratum is certified. coding/high: To promise harm <= 1.0%" in refused.stderr


def test_gates_edited_after_training_are_refused_at_promotion(certified):
    command("run", certified, "--set", "certificate.max_harm_high=0.35")
    version = json.loads((stage(certified, "register") / "registered.json").read_text())["adapted"]
    edited = yaml.safe_load(certified.read_text()) | {"gates": {"stratum_margin": 0.9}}
    path = certified.with_name("edited.yaml")
    path.write_text(yaml.safe_dump(edited))

    signed = ("--by", "ann", "--approved-by", "bob")
    refused = command("promote", "certified-world", version, *signed, "--config", path, check=False)
    assert "settings `gates` were edited after training" in refused.stderr
    moved = command("promote", "certified-world", version, *signed, "--config", certified, check=False)
    assert moved.returncode == 0, moved.stderr
