"""Promotion and rollback against a real MLflow store and a real ledger, both SQLite."""

import dataclasses
import json
from datetime import UTC, datetime

import pytest

from assurance.bootstrap import Interval
from core.errors import AccessDenied, LedgerError, RegistryError
from core.gate_settings import GateSettings
from models.registry import aliases_of, list_versions, move_alias, set_tag
from pipeline.gates import InForce, gates_fingerprint, run_gates
from pipeline.promotion import Signers, drift, promote, rollback
from tests.pipeline.promotion_desk import BY, GOOD, NAME, actions, champion

pytestmark = [
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow.*"),
    pytest.mark.filterwarnings("ignore::FutureWarning:mlflow.*"),
]


def test_a_promotion_moves_the_alias_and_writes_what_was_decided(desk, add_version):
    add_version()

    move = promote(NAME, 1, "champion", by=BY, desk=desk)

    assert (move.version_before, move.version_after, champion(desk)) == (None, 1, 1)
    intend, done = desk.ledger.events()
    assert (intend.action, done.action, done.subject) == (
        "release.intend",
        "release.promote",
        "models:/medical-coding@champion",
    )
    assert done.details == {
        "actor": "bob",
        "approver": "eve",
        "reason": "beats the base",
        "version_before": None,
        "version_after": 1,
        "bundle_sha256": move.bundle_sha256,
        "gate.manifest": "pass",
        "gate.limits": "pass",
        "gate.floors": "pass",
        "gate.base": "pass",
        "gate.strata": "pass",
        "gate.leakage": "pass",
        "gate.calibration": "pass",
        "gate.agreement": "note",
        "gate.slices": "note",
        "gate.certificate": "note",
        "intent": 1,
    }
    assert desk.ledger.verify() == 2


def test_the_version_before_keeps_the_alias_previous(desk, add_version):
    add_version(), add_version()

    promote(NAME, 1, "champion", by=BY, desk=desk)
    assert "previous" not in aliases_of(NAME, tracking_uri=desk.tracking_uri)
    promote(NAME, 2, "champion", by=BY, desk=desk)
    assert aliases_of(NAME, tracking_uri=desk.tracking_uri) == {"champion": 2, "previous": 1}
    rollback(NAME, "champion", by=BY, desk=desk)
    assert aliases_of(NAME, tracking_uri=desk.tracking_uri) == {"champion": 1}

    assert [v.tags["status"] for v in list_versions(NAME, tracking_uri=desk.tracking_uri)] == [
        "was champion",
        "champion",
    ]


def test_rollbacks_go_back_one_approved_version_at_a_time_until_none_is_left(desk, add_version):
    for version in (1, 2, 3):
        add_version()
        promote(NAME, version, "champion", by=BY, desk=desk)

    assert rollback(NAME, "champion", by=BY, desk=desk).version_after == 2
    assert rollback(NAME, "champion", by=BY, desk=desk).version_after == 1
    with pytest.raises(RegistryError, match="nothing to roll back to"):
        rollback(NAME, "champion", by=BY, desk=desk)

    assert champion(desk) == 1


def test_a_rollback_of_an_alias_that_was_never_promoted_is_refused(desk, add_version):
    add_version()

    with pytest.raises(RegistryError, match="is not set, and the ledger knows no approved version"):
        rollback(NAME, "champion", by=BY, desk=desk)


@pytest.mark.parametrize("approver", ["ann", " Ann "])
def test_a_trainer_may_not_approve_their_own_version(desk, add_version, approver):
    add_version(trainer="ann")

    with pytest.raises(AccessDenied, match="Ask someone else"):
        promote(NAME, 1, "champion", by=Signers("bob", approver), desk=desk)
    assert champion(desk) is None


def test_a_version_that_does_not_name_its_trainer_is_refused(desk, add_version):
    add_version(trainer="")

    with pytest.raises(AccessDenied, match="does not say who trained it"):
        promote(NAME, 1, "champion", by=BY, desk=desk)


@pytest.mark.parametrize("by", [Signers("", "eve"), Signers("bob", " ")])
def test_a_promotion_without_names_is_refused(desk, add_version, by):
    add_version()

    with pytest.raises(AccessDenied, match="Give both"):
        promote(NAME, 1, "champion", by=by, desk=desk)


@pytest.mark.parametrize(
    ("evidence", "sentence"),
    [
        (None, r"floors: could not run \(the bundle holds no evidence\.json\)"),
        ("{}", r"floors: could not run \(evidence\.json is malformed: n_test_rows: Field required\)"),
        (
            GOOD.model_copy(update={"better_than_base": Interval(estimate=0.01, low=-0.02, high=0.04)}),
            r"base: fail \(the gain in APGR over the base, 0\.010 \[-0\.020, 0\.040\], is not above zero\)",
        ),
        (GOOD.model_copy(update={"better_than_base": None}), r"base: could not run"),
        (
            GOOD.model_copy(
                update={
                    "better_than_floors": {
                        "random": Interval(estimate=0.1, low=0.05, high=0.2),
                        "prompt_length": Interval(estimate=-0.1, low=-0.2, high=-0.01),
                    }
                }
            ),
            r"floors: fail \(measurably better is prompt_length \(-0.100 \[-0.200, -0.010\]\)\)",
        ),
        (
            GOOD.model_copy(update={"better_than_floors": {"random": Interval(estimate=0.0, low=-0.1, high=0.1)}}),
            r"floors: fail \(the gain in APGR over a coin, 0.000 \[-0.100, 0.100\], may be zero\)",
        ),
        (GOOD.model_copy(update={"better_than_floors": {}}), r"floors: could not run"),
        (GOOD.model_copy(update={"groups_in_more_than_one_part": 3}), r"leakage: fail \(3 groups"),
        (GOOD.model_copy(update={"n_test_rows": 0}), r"leakage: could not run"),
    ],
)
def test_a_version_whose_evidence_does_not_hold_is_refused_and_the_refusal_recorded(
    desk, add_version, evidence, sentence
):
    add_version(evidence)

    with pytest.raises(RegistryError, match=sentence):
        promote(NAME, 1, "champion", by=BY, desk=desk)
    assert champion(desk) is None
    assert actions(desk) == ["release.refuse"]


def test_nan_in_the_evidence_never_passes_a_gate(tmp_path):
    nan = float("nan")
    evidence = GOOD.model_copy(update={"better_than_base": Interval.model_construct(estimate=nan, low=nan, high=nan)})
    (tmp_path / "evidence.json").write_text(json.dumps(evidence.model_dump()))

    gates = run_gates(tmp_path, check_bundle=lambda _: None, in_force=InForce(datetime.now(UTC)))
    (base,) = (gate for gate in gates if gate.name == "base")
    assert (base.name, base.result == "pass") == ("base", False)


def test_limits_that_were_edited_after_training_refuse_the_version(desk, add_version):
    add_version()
    edited = dataclasses.replace(desk, gates_sha256=gates_fingerprint(GateSettings(stratum_margin=0.2)))

    with pytest.raises(RegistryError, match=r"limits: fail \(settings `gates` were edited after training"):
        promote(NAME, 1, "champion", by=BY, desk=edited)
    same = dataclasses.replace(desk, gates_sha256=gates_fingerprint(GateSettings()))
    assert promote(NAME, 1, "champion", by=BY, desk=same).version_after == 1


def test_an_altered_bundle_is_refused(desk, add_version, tmp_path):
    add_version()
    next((tmp_path / "artifacts").rglob("router.json")).write_text("altered")

    with pytest.raises(RegistryError, match="manifest: fail"):
        promote(NAME, 1, "champion", by=BY, desk=desk)


def test_a_rollback_to_an_altered_bundle_is_refused_and_the_alias_stays(desk, add_version, tmp_path):
    for version in (1, 2):
        add_version()
        promote(NAME, version, "champion", by=BY, desk=desk)
    first = list_versions(NAME, tracking_uri=desk.tracking_uri)[1]
    (desk.cache / first.bundle_sha256 / "router.json").write_text("altered")

    with pytest.raises(RegistryError, match="cannot be rolled back to"):
        rollback(NAME, "champion", by=BY, desk=desk)
    assert champion(desk) == 2


def test_a_rollback_to_a_version_whose_tag_was_changed_is_refused(desk, add_version):
    for version in (1, 2):
        add_version()
        promote(NAME, version, "champion", by=BY, desk=desk)
    second = list_versions(NAME, tracking_uri=desk.tracking_uri)[0]
    set_tag(NAME, 1, "bundle_sha256", second.bundle_sha256, tracking_uri=desk.tracking_uri)

    with pytest.raises(RegistryError, match="is not the bundle that was approved"):
        rollback(NAME, "champion", by=BY, desk=desk)


def test_promoting_the_champion_again_is_refused(desk, add_version):
    add_version()
    promote(NAME, 1, "champion", by=BY, desk=desk)

    with pytest.raises(RegistryError, match="is version 1 already"):
        promote(NAME, 1, "champion", by=BY, desk=desk)


def test_an_alias_moved_outside_preceptor_is_found_refused_and_brought_back(desk, add_version):
    add_version(), add_version()
    promote(NAME, 1, "champion", by=BY, desk=desk)
    assert drift(desk) == []
    move_alias(NAME, "champion", 2, expected=1, tracking_uri=desk.tracking_uri)

    (found,) = drift(desk)
    assert (found.in_registry, found.in_ledger, found.why) == (2, 1, "the alias was moved outside Preceptor")
    with pytest.raises(RegistryError, match="version 2 in MLflow and version 1 in the ledger"):
        promote(NAME, 2, "champion", by=BY, desk=desk)
    assert rollback(NAME, "champion", by=BY, desk=desk).version_after == 1
    assert drift(desk) == []


def test_a_champion_that_the_ledger_does_not_know_is_drift_until_it_is_acknowledged(desk, add_version):
    add_version()
    move_alias(NAME, "champion", 1, expected=None, tracking_uri=desk.tracking_uri)

    assert [(found.in_registry, found.in_ledger) for found in drift(desk)] == [(1, None)]
    with pytest.raises(RegistryError, match="`--expected 1` promotes all the same"):
        promote(NAME, 1, "champion", by=BY, desk=desk)
    promote(NAME, 1, "champion", by=BY, desk=desk, expected=1)
    assert drift(desk) == []


def test_a_changed_hash_behind_the_champion_is_drift(desk, add_version):
    add_version()
    promote(NAME, 1, "champion", by=BY, desk=desk)
    set_tag(NAME, 1, "bundle_sha256", "0" * 64, tracking_uri=desk.tracking_uri)

    assert [found.why for found in drift(desk)] == ["the version's bundle hash is not the approved one"]


def test_an_expectation_that_does_not_hold_is_refused(desk, add_version):
    add_version()

    with pytest.raises(RegistryError, match="is not set, not version 7"):
        promote(NAME, 1, "champion", by=BY, desk=desk, expected=7)


def test_a_broken_ledger_stops_promotion_and_rollback(desk, add_version):
    add_version(), add_version()
    promote(NAME, 1, "champion", by=BY, desk=desk)
    with desk.store.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER ledger_event_no_update")
        connection.exec_driver_sql("UPDATE ledger_event SET actor = 'mal' WHERE seq = 2")

    with pytest.raises(LedgerError, match="broken at event 2"):
        promote(NAME, 2, "champion", by=BY, desk=desk)
    with pytest.raises(LedgerError, match="broken at event 2"):
        rollback(NAME, "champion", by=BY, desk=desk)
