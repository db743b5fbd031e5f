"""A registry, a ledger and versions to promote, for the tests of promotion."""

import json
import shutil
import time
from pathlib import Path

import pytest

from assurance.bootstrap import Interval
from core.errors import BundleError
from core.gate_settings import GateSettings
from core.store import open_store
from models.mlflow_store import open_client
from models.registry import aliases_of, register_bundle
from pipeline.alias_moves import Desk
from pipeline.gates import CalibrationEvidence, Evidence, SliceEvidence, gates_fingerprint
from pipeline.promotion import Signers

NAME = "medical-coding"
BY = Signers(actor="bob", approver="eve", reason="beats the base")
REPOSITORY = Path(__file__).parents[2]
GOOD = Evidence(
    n_test_rows=500,
    apgr=Interval(estimate=0.79, low=0.75, high=0.83),
    better_than_base=Interval(estimate=0.30, low=0.22, high=0.38),
    better_than_floors={"random": Interval(estimate=0.29, low=0.21, high=0.37)},
    groups_in_more_than_one_part=0,
    calibration=CalibrationEvidence(ece=0.04, null_high=0.06, p_value=0.4),
    slices=(
        SliceEvidence(stratum="coding/high", n=500, better_than_base=Interval(estimate=0.30, low=0.22, high=0.38)),
    ),
    gates_sha256=gates_fingerprint(GateSettings()),
)


def check(folder):
    """A stand-in for load_bundle: the manifest names each file with its content."""
    for name, content in json.loads((folder / "MANIFEST.json").read_text()).items():
        if (folder / name).read_text() != content:
            raise BundleError(f"{name} is altered. Fetch the bundle again.")


@pytest.fixture
def desk(empty_mlflow, tmp_path):
    shutil.copy(empty_mlflow, tmp_path / "mlflow.db")
    store = open_store(f"sqlite:///{tmp_path / 'preceptor.db'}")
    yield Desk(f"sqlite:///{tmp_path / 'mlflow.db'}", store, tmp_path / "cache", check)
    store.dispose()


@pytest.fixture
def add_version(desk, tmp_path):
    client = open_client(desk.tracking_uri)
    run_id = client.create_run(
        client.create_experiment("e", artifact_location=(tmp_path / "artifacts").as_uri())
    ).info.run_id

    def add(evidence=GOOD, trainer="ann"):
        folder = tmp_path / f"bundle-{time.time_ns()}"
        folder.mkdir()
        files = {"router.json": folder.name}
        if evidence is not None:
            files["evidence.json"] = evidence if isinstance(evidence, str) else evidence.model_dump_json()
        for name, content in files.items():
            (folder / name).write_text(content)
        (folder / "MANIFEST.json").write_text(json.dumps(files))
        tags = {"trainer": trainer} if trainer else {}
        return register_bundle(folder, name=NAME, tracking_uri=desk.tracking_uri, run_id=run_id, tags=tags)

    return add


def champion(desk):
    return aliases_of(NAME, tracking_uri=desk.tracking_uri).get("champion")


def actions(desk):
    return [event.action for event in desk.ledger.events()]
