"""The registry: bundles as versions of registered models in MLflow, by name, number and alias.

The one file that speaks to the MLflow model registry. It stores files and moves names; it never runs what it fetched,
never unpickles, and judges nothing: whether a bundle may be promoted is `pipeline.promotion`'s business.

A version's source is a folder of the run that made it:

    runs:/RUN_ID/models/SHA/      MLmodel          names one flavor, `preceptor`: no loader, no code
                                  bundle/...       the files, as `models.bundle` wrote them

Its SHA is that of the bundle's MANIFEST.json, which holds the hash of every other file.
"""

import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from core.errors import BundleError, RegistryError
from models.bundle_files import MANIFEST, bundle_sha256, put_in_place, refuse_code
from models.manifest import read_folder
from models.mlflow_store import error_code, open_client, speaking_to, store_lock
from models.versions import (
    TAG,
    ModelVersion,
    aliases_of,
    check_name,
    get_version,
    list_names,
    list_versions,
    resolve,
    version_of,
    versions_in,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = [
    "ModelVersion",
    "aliases_of",
    "bundle_sha256",
    "fetch_bundle",
    "fetch_whole",
    "get_version",
    "list_names",
    "list_versions",
    "move_alias",
    "register_bundle",
    "resolve",
    "set_tag",
    "version_of",
]

LONGEST_TAG = 4000
"""MLflow cuts long tags without a word, so longer ones are refused; evidence belongs into the bundle."""

_ALIAS = re.compile(r"(?!v[0-9]+$)(?!latest$)[A-Za-z0-9_-]{1,200}")


def register_bundle(folder: Path, *, name: str, tracking_uri: str, run_id: str, tags: Mapping[str, str]) -> int:
    """Store a bundle as a new version of `name` and return its number.

    The same bundle of the same run keeps its number. Safe to repeat after a kill: files are logged under their
    content's hash, and the version is made last.

    Args:
        folder: the bundle.
        name: the registered model, made when it is not there.
        tracking_uri: a SQLite file's or a server's.
        run_id: the MLflow run that made the bundle; it keeps the files.
        tags: what a list of versions should show: dataset, weak, strong, family, trainer.

    Raises:
        RegistryError: a malformed name, an unknown run, a tag too long, or no answer.
        BundleError: not a bundle, or a file in it is not data.
    """
    check_name(name)
    sha256 = bundle_sha256(folder)
    refuse_code(folder)
    all_tags = {**tags, "bundle_sha256": sha256, "status": "registered"}
    for key, value in all_tags.items():
        if len(value) > LONGEST_TAG:
            raise RegistryError(
                f"Tag '{key}' has {len(value)} characters, more than {LONGEST_TAG}. "
                "Keep long texts in the bundle's files."
            )
    root = f"models/{sha256[:16]}"
    client = open_client(tracking_uri)
    with speaking_to(tracking_uri):
        for version in versions_in(client, name, {}):
            if version.run_id == run_id and version.bundle_sha256 == sha256:
                return version.version
        client.get_run(run_id)  # an unknown run is refused before anything is stored
        client.log_artifacts(run_id, str(folder), f"{root}/bundle")
        client.log_text(run_id, _mlmodel(run_id, root, sha256), f"{root}/MLmodel")
        with store_lock(tracking_uri):
            _make_model(client, name, tracking_uri)
            made = client.create_model_version(
                name,
                source=f"runs:/{run_id}/{root}",
                run_id=run_id,
                tags={f"{TAG}{key}": value for key, value in all_tags.items()},
                await_creation_for=0,
            )
    return int(made.version)


def fetch_bundle(reference: str | Path, *, tracking_uri: str, cache: Path) -> Path:
    """The local folder of a bundle: `models:/NAME@ALIAS` and `models:/NAME/3` are copied once, a folder stays put.

    Copies live in `cache` under their content's hash. A copy appears whole or not at all; a copy whose manifest is not
    the registered one is refused. The other files are for `models.bundle.load_bundle` to check against the manifest.

    Raises:
        RegistryError: no such folder, name, version or alias; not made by Preceptor; altered since it was registered.
    """
    text = str(reference)
    if not text.startswith("models:"):
        if Path(text).is_dir():
            return Path(text)
        raise RegistryError(
            f"There is no folder {text}. Name a bundle's folder, models:/NAME@ALIAS or models:/NAME/VERSION."
        )
    return _fetch(resolve(text, tracking_uri=tracking_uri), tracking_uri, cache)


def fetch_whole(version: ModelVersion, *, tracking_uri: str, cache: Path, stored: Path | None = None) -> Path:
    """The cached copy of a version, of which every file is what its manifest says; an altered copy is fetched anew.

    Args:
        version: what to fetch.
        tracking_uri: asked where the copy is not there, and `stored` is None.
        cache: where copies are kept.
        stored: the folder in which this machine keeps the version's bundle, where it is known
            (`models.alias_tables`).

    Raises:
        RegistryError: as `fetch_bundle`.
        BundleError: the stored files are not those of the manifest, or are of another format.
    """
    folder = _fetch(version, tracking_uri, cache, stored)
    try:
        read_folder(folder)
    except BundleError:
        shutil.rmtree(folder)
        folder = _fetch(version, tracking_uri, cache, stored)
        read_folder(folder)
    return folder


def move_alias(name: str, alias: str, version: int | None, *, expected: int | None, tracking_uri: str) -> None:
    """Point an alias at a version, if it still points where the caller last saw it.

    MLflow itself lets the last writer win. Here compare and set happen under a lock that every process of this
    machine shares; between machines the promotion's ledger entry is what serialises (`pipeline.promotion`).

    Args:
        name: the registered model.
        alias: letters, digits, `_` and `-`; not `latest`, not `v1`.
        version: where it is to point; None takes the alias away.
        expected: where it points now; None when it is not set.
        tracking_uri: a SQLite file's or a server's.

    Raises:
        RegistryError: the alias points elsewhere by now, is malformed, or the version does not exist.
    """
    if not _ALIAS.fullmatch(alias):
        raise RegistryError(
            f"'{alias}' cannot be an alias: MLflow takes letters, digits, _ and -, "
            "and keeps 'latest' and 'v1' for itself. Use champion or challenger."
        )
    client = open_client(tracking_uri)
    if version is not None:
        get_version(name, version, tracking_uri=tracking_uri)
    with store_lock(tracking_uri), speaking_to(tracking_uri):
        current = aliases_of(name, tracking_uri=tracking_uri).get(alias)
        if current != expected:
            raise RegistryError(
                f"{name}@{alias} is {_at(current)}, not {_at(expected)}: someone moved it meanwhile. "
                "Look at it again, then repeat the command."
            )
        if version is None:
            client.delete_registered_model_alias(name, alias)
        elif current != version:
            client.set_registered_model_alias(name, alias, str(version))


def set_tag(name: str, version: int, key: str, value: str, *, tracking_uri: str) -> None:
    """Set one of our tags on a version, for people who browse; what was decided is in the ledger."""
    client = open_client(tracking_uri)
    with speaking_to(tracking_uri):
        client.set_model_version_tag(name, str(version), f"{TAG}{key}", value)


def _fetch(version: ModelVersion, tracking_uri: str, cache: Path, stored: Path | None = None) -> Path:
    sha256 = version.bundle_sha256
    if sha256 is None or not re.fullmatch(r"[0-9a-f]{64}", sha256) or not version.source.startswith("runs:/"):
        raise RegistryError(
            f"{version.name} version {version.version} was not registered by Preceptor "
            f"(its source is {version.source}). "
            "Choose another version; `preceptor run` registers them."
        )
    kept = cache / sha256
    if (kept / MANIFEST).is_file() and bundle_sha256(kept) == sha256:
        return kept
    cache.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=cache))
    try:
        copy = _download(version, tracking_uri, partial) if stored is None else _copied(stored, partial)
        if bundle_sha256(copy) != sha256:
            raise RegistryError(
                f"The stored files of {version.name} version {version.version} are not those that were registered: the "
                f"manifest's hash is {bundle_sha256(copy)[:12]}, registered was {sha256[:12]}. "
                "Restore the artifact store from its backup, or roll back to another version."
            )
        put_in_place(copy, kept)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return kept


def _make_model(client: "MlflowClient", name: str, tracking_uri: str) -> None:
    try:
        with speaking_to(tracking_uri):
            client.create_registered_model(name, tags={f"{TAG}kind": "router"})
    except RegistryError as error:
        if error_code(error) != "RESOURCE_ALREADY_EXISTS":
            raise


def _download(version: ModelVersion, tracking_uri: str, into: Path) -> Path:
    client = open_client(tracking_uri)
    run_id, _, path = version.source.removeprefix("runs:/").partition("/")
    with speaking_to(tracking_uri):
        return Path(client.download_artifacts(run_id, f"{path}/bundle", str(into)))


def _copied(stored: Path, into: Path) -> Path:
    """Links stay links, and are refused as such when the copy is read."""
    return Path(shutil.copytree(stored, into / "bundle", symlinks=True))


def _mlmodel(run_id: str, root: str, sha256: str) -> str:
    """MLflow's description of a model, with one flavor that says where the bundle is and loads nothing."""
    flavor = {"bundle": "bundle", "bundle_sha256": sha256, "format": 1}
    return yaml.safe_dump({"artifact_path": root, "flavors": {"preceptor": flavor}, "run_id": run_id})


def _at(version: int | None) -> str:
    return "not set" if version is None else f"version {version}"
