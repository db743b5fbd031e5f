"""Bundles in a real MLflow registry: SQLite with a folder of artifacts, and one server over HTTP."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
import yaml

from core.errors import BundleError, RegistryError
from models.mlflow_store import open_client, speaking_to, store_lock
from models.registry import (
    aliases_of,
    bundle_sha256,
    fetch_bundle,
    list_names,
    list_versions,
    move_alias,
    register_bundle,
    version_of,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow.*"),
    pytest.mark.filterwarnings("ignore::FutureWarning:mlflow.*"),
]

TAGS = {"dataset": "d" * 64, "weak": "cheap", "strong": "dear", "family": "mf", "trainer": "ann"}
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def uri(empty_mlflow, tmp_path):
    shutil.copy(empty_mlflow, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


@pytest.fixture
def run_id(uri, tmp_path):
    return new_run(uri, (tmp_path / "artifacts").as_uri())


def new_run(uri, artifact_location=None):
    client = open_client(uri)
    experiment = client.create_experiment(f"e{time.time_ns()}", artifact_location=artifact_location)
    return client.create_run(experiment).info.run_id


def make_bundle(folder, content="one"):
    folder.mkdir(parents=True)
    (folder / "router.json").write_text(json.dumps({"content": content}))
    (folder / "MANIFEST.json").write_text(json.dumps({"files": {"router.json": content}}))
    return folder


def register(folder, uri, run_id, name="medical-coding", **tags):
    return register_bundle(folder, name=name, tracking_uri=uri, run_id=run_id, tags=TAGS | tags)


def test_a_registered_bundle_comes_back_file_by_file(uri, run_id, tmp_path):
    folder = make_bundle(tmp_path / "bundle")

    version = register(folder, uri, run_id)
    fetched = fetch_bundle(f"models:/medical-coding/{version}", tracking_uri=uri, cache=tmp_path / "cache")

    assert version == 1
    assert fetched == tmp_path / "cache" / bundle_sha256(folder)
    assert {p.name: p.read_text() for p in fetched.iterdir()} == {p.name: p.read_text() for p in folder.iterdir()}


def test_a_version_shows_what_it_was_made_from(uri, run_id, tmp_path):
    folder = make_bundle(tmp_path / "bundle")

    register(folder, uri, run_id)
    (version,) = list_versions("medical-coding", tracking_uri=uri)

    assert version.tags == TAGS | {"bundle_sha256": bundle_sha256(folder), "status": "registered"}
    assert version.run_id == run_id
    assert list_names(tracking_uri=uri) == ["medical-coding"]


def test_mlflow_reads_the_version_as_a_model_without_code(uri, run_id, tmp_path):
    from mlflow.models import Model

    register(make_bundle(tmp_path / "bundle"), uri, run_id)
    path = next((tmp_path / "artifacts").rglob("MLmodel"))

    assert list(Model.load(str(path.parent)).flavors) == ["preceptor"]
    assert [p.suffix for p in path.parent.rglob("*") if p.is_file() and p != path] == [".json", ".json"]


def test_registering_the_same_bundle_of_the_same_run_again_keeps_its_version(uri, run_id, tmp_path):
    folder = make_bundle(tmp_path / "bundle")

    assert register(folder, uri, run_id) == register(folder, uri, run_id) == 1


def test_another_bundle_of_the_same_run_is_another_version_and_leaves_the_first_intact(uri, run_id, tmp_path):
    first, second = make_bundle(tmp_path / "a", "one"), make_bundle(tmp_path / "b", "two")

    register(first, uri, run_id)
    assert register(second, uri, run_id) == 2

    fetched = fetch_bundle("models:/medical-coding/1", tracking_uri=uri, cache=tmp_path / "cache")
    assert fetched.name == bundle_sha256(first)


def test_a_folder_without_a_manifest_is_refused(uri, run_id, tmp_path):
    with pytest.raises(BundleError, match=r"holds no MANIFEST\.json"):
        register(tmp_path, uri, run_id)


@pytest.mark.parametrize("name", ["weights.pkl", "router.py", "model.pt"])
def test_a_bundle_with_code_or_a_pickle_is_refused(uri, run_id, tmp_path, name):
    folder = make_bundle(tmp_path / "bundle")
    (folder / name).write_text("x")

    with pytest.raises(BundleError, match=name):
        register(folder, uri, run_id)


def test_a_bundle_with_a_link_is_refused(uri, run_id, tmp_path):
    folder = make_bundle(tmp_path / "bundle")
    (folder / "card.json").symlink_to("/etc/hostname")

    with pytest.raises(BundleError, match=r"card\.json"):
        register(folder, uri, run_id)


def test_an_unknown_run_is_refused_before_anything_is_registered(uri, tmp_path):
    with pytest.raises(RegistryError, match="refused"):
        register(make_bundle(tmp_path / "bundle"), uri, "0" * 32)

    assert list_names(tracking_uri=uri) == []


def test_a_tag_that_mlflow_would_cut_is_refused(uri, run_id, tmp_path):
    with pytest.raises(RegistryError, match="Tag 'note' has 4001 characters"):
        register(make_bundle(tmp_path / "bundle"), uri, run_id, note="x" * 4001)


def test_a_name_that_a_reference_cannot_hold_is_refused(uri, run_id, tmp_path):
    with pytest.raises(RegistryError, match="cannot be a model's name"):
        register(make_bundle(tmp_path / "bundle"), uri, run_id, name="a/b")


def test_an_unknown_model_name_lists_the_names_that_work(uri, run_id, tmp_path):
    register(make_bundle(tmp_path / "bundle"), uri, run_id)

    with pytest.raises(RegistryError, match=r"No model is registered as 'medical'. Registered are: medical-coding\."):
        fetch_bundle("models:/medical@champion", tracking_uri=uri, cache=tmp_path)


def test_an_unknown_alias_lists_the_aliases_that_work(uri, run_id, tmp_path):
    register(make_bundle(tmp_path / "bundle"), uri, run_id)
    move_alias("medical-coding", "challenger", 1, expected=None, tracking_uri=uri)

    with pytest.raises(RegistryError, match=r"no alias 'champion'. Its aliases are: challenger \(version 1\)"):
        version_of("medical-coding", "champion", tracking_uri=uri)


def test_an_unknown_version_lists_the_versions_that_work(uri, run_id, tmp_path):
    register(make_bundle(tmp_path / "bundle"), uri, run_id)

    with pytest.raises(RegistryError, match=r"no version 7. Its versions are: 1\."):
        fetch_bundle("models:/medical-coding/7", tracking_uri=uri, cache=tmp_path)


@pytest.mark.parametrize("reference", ["models:/", "models:/a/b/c", "models:/a@b@c", "models:/name/latest"])
def test_a_malformed_reference_is_refused_with_an_example(uri, tmp_path, reference):
    with pytest.raises(RegistryError, match="models:/medical-coding@champion"):
        fetch_bundle(reference, tracking_uri=uri, cache=tmp_path)


def test_a_local_folder_is_returned_as_it_is(tmp_path):
    assert fetch_bundle(tmp_path, tracking_uri="sqlite:///unused.db", cache=tmp_path / "cache") == tmp_path
    assert not (tmp_path / "cache").exists()


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(RegistryError, match="There is no folder"):
        fetch_bundle(tmp_path / "absent", tracking_uri="sqlite:///unused.db", cache=tmp_path)


def test_files_altered_in_the_artifact_store_are_refused_and_leave_no_copy(uri, run_id, tmp_path):
    register(make_bundle(tmp_path / "bundle"), uri, run_id)
    next((tmp_path / "artifacts").rglob("MANIFEST.json")).write_text("{}")

    with pytest.raises(RegistryError, match="not those that were registered"):
        fetch_bundle("models:/medical-coding/1", tracking_uri=uri, cache=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_files_missing_from_the_artifact_store_are_a_sentence(uri, run_id, tmp_path):
    register(make_bundle(tmp_path / "bundle"), uri, run_id)
    shutil.rmtree(tmp_path / "artifacts")

    with pytest.raises(RegistryError, match="refused or did not answer"):
        fetch_bundle("models:/medical-coding/1", tracking_uri=uri, cache=tmp_path / "cache")


def test_a_version_that_preceptor_did_not_make_is_refused(uri, run_id, tmp_path):
    client = open_client(uri)
    client.create_registered_model("foreign")
    client.create_model_version("foreign", source=f"runs:/{run_id}/model", run_id=run_id)

    with pytest.raises(RegistryError, match="was not registered by Preceptor"):
        fetch_bundle("models:/foreign/1", tracking_uri=uri, cache=tmp_path)
    assert list_names(tracking_uri=uri) == []


def test_a_cached_copy_is_used_when_the_artifact_store_is_gone(uri, run_id, tmp_path):
    register(make_bundle(tmp_path / "bundle"), uri, run_id)
    first = fetch_bundle("models:/medical-coding/1", tracking_uri=uri, cache=tmp_path / "cache")
    shutil.rmtree(tmp_path / "artifacts")

    assert fetch_bundle("models:/medical-coding/1", tracking_uri=uri, cache=tmp_path / "cache") == first


def test_a_cached_copy_with_another_manifest_is_fetched_again(uri, run_id, tmp_path):
    register(make_bundle(tmp_path / "bundle"), uri, run_id)
    first = fetch_bundle("models:/medical-coding/1", tracking_uri=uri, cache=tmp_path / "cache")
    (first / "MANIFEST.json").write_text("{}")

    fetch_bundle("models:/medical-coding/1", tracking_uri=uri, cache=tmp_path / "cache")
    assert bundle_sha256(first) == first.name


def test_an_alias_moves_only_from_where_it_was_seen(uri, run_id, tmp_path):
    register(make_bundle(tmp_path / "a", "one"), uri, run_id)
    register(make_bundle(tmp_path / "b", "two"), uri, run_id)
    move_alias("medical-coding", "champion", 1, expected=None, tracking_uri=uri)

    with pytest.raises(RegistryError, match="is version 1, not not set"):
        move_alias("medical-coding", "champion", 2, expected=None, tracking_uri=uri)
    move_alias("medical-coding", "champion", 2, expected=1, tracking_uri=uri)

    assert version_of("medical-coding", "champion", tracking_uri=uri) == 2


def test_an_alias_never_points_to_a_version_that_is_not_there(uri, run_id, tmp_path):
    register(make_bundle(tmp_path / "bundle"), uri, run_id)

    with pytest.raises(RegistryError, match="no version 2"):
        move_alias("medical-coding", "champion", 2, expected=None, tracking_uri=uri)
    assert aliases_of("medical-coding", tracking_uri=uri) == {}


@pytest.mark.parametrize("alias", ["latest", "v1", "a b", ""])
def test_an_alias_that_mlflow_keeps_for_itself_is_refused(uri, alias):
    with pytest.raises(RegistryError, match="cannot be an alias"):
        move_alias("medical-coding", alias, 1, expected=None, tracking_uri=uri)


@pytest.mark.parametrize("bad", ["mlruns", "file:///tmp/mlruns", "sqlite://", ""])
def test_a_uri_that_names_no_store_is_refused_with_examples(bad):
    with pytest.raises(RegistryError, match=r"sqlite:///mlflow\.db"):
        open_client(bad)


def test_a_server_that_is_down_is_a_sentence_without_its_password(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

    with pytest.raises(RegistryError, match=r"http://127\.0\.0\.1:9 refused or did not answer") as caught:
        open_client("http://ann:secret@127.0.0.1:9")
    assert "secret" not in str(caught.value)


def test_the_store_lock_keeps_others_out_and_says_so(tmp_path):
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"

    with (
        store_lock(uri),
        pytest.raises(RegistryError, match=r"held .*mlflow\.db\.lock"),
        store_lock(uri, timeout_s=0.1),
    ):
        pass


@pytest.mark.slow
def test_two_processes_may_touch_a_new_sqlite_store_at_once(tmp_path):
    code = f"from models.mlflow_store import open_client; open_client('sqlite:///{tmp_path}/new/mlflow.db')"
    starts = [
        subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]

    assert [(p.communicate()[1], p.returncode) for p in starts] == [("", 0), ("", 0)]


@pytest.fixture
def server(empty_mlflow, tmp_path):
    shutil.copy(empty_mlflow, tmp_path / "server.db")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{tmp_path}/server.db", "--artifacts-destination", f"{tmp_path}/kept"]
    team = yaml.safe_load((REPOSITORY / "mlflow" / "compose.yaml").read_text())["services"]["server"]["environment"]
    hardening = {key: value.replace("$$", "$") for key, value in team.items() if "${" not in value}
    del hardening["MLFLOW_AUTH_CONFIG_PATH"]  # sign-in needs Flask-WTF, which only the server's image has
    environment = os.environ | hardening
    with (tmp_path / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env=environment, cwd=tmp_path, start_new_session=True
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/health", process, tmp_path / "server.log")
        yield url
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=20)


def wait_for(url, process, log, timeout_s=60):
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"The MLflow server did not start:\n{log.read_text()[-2000:]}")


@pytest.mark.slow
def test_a_real_server_registers_moves_and_gives_back_the_same_bytes(server, tmp_path):
    folder = make_bundle(tmp_path / "bundle")
    run_id = new_run(server)

    version = register(folder, server, run_id)
    move_alias("medical-coding", "champion", version, expected=None, tracking_uri=server)
    fetched = fetch_bundle("models:/medical-coding@champion", tracking_uri=server, cache=tmp_path / "cache")

    assert bundle_sha256(fetched) == bundle_sha256(folder)
    assert (fetched / "router.json").read_bytes() == (folder / "router.json").read_bytes()
    with pytest.raises(RegistryError, match="is version 1, not not set"):
        move_alias("medical-coding", "champion", version, expected=None, tracking_uri=server)
    with pytest.raises(RegistryError, match="Registered are: medical-coding"):
        version_of("absent", "champion", tracking_uri=server)
    with pytest.raises(RegistryError, match="Invalid model version source"), speaking_to(server):
        open_client(server).create_model_version("medical-coding", source="s3://elsewhere/model", run_id=run_id)
