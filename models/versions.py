"""Versions of registered models: which there are, and where each alias points. Reads only.

Every refusal names what does exist, since a mistyped name is the commonest fault.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from core.errors import RegistryError
from core.records import Record
from models.mlflow_store import error_code, open_client, speaking_to

if TYPE_CHECKING:
    from mlflow import MlflowClient

TAG = "preceptor."
"""Every tag of ours begins with this."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_REFERENCE = re.compile(r"models:/(?P<name>[^/@]+)(?:/(?P<version>[0-9]+)|@(?P<alias>[^/@]+))")


class ModelVersion(Record):
    """One version of a registered model; `tags` are without their `preceptor.` prefix."""

    name: str
    version: int
    run_id: str | None
    source: str
    tags: Mapping[str, str]
    aliases: tuple[str, ...]

    @property
    def bundle_sha256(self) -> str | None:
        """The hash under which the bundle was registered; None for a version that Preceptor did not make."""
        return self.tags.get("bundle_sha256")


def resolve(reference: str, *, tracking_uri: str) -> ModelVersion:
    """The version that `models:/NAME@ALIAS` or `models:/NAME/3` stands for now.

    Raises:
        RegistryError: malformed, or no such name, version or alias; the message names those that exist.
    """
    name, number, alias = parts_of(reference)
    version = version_of(name, alias or "", tracking_uri=tracking_uri) if number is None else number
    return get_version(name, version, tracking_uri=tracking_uri)


def parts_of(reference: str) -> tuple[str, int | None, str | None]:
    """Name, and number or alias, of a model reference.

    Raises:
        RegistryError: it is malformed.

    >>> parts_of("models:/medical-coding@champion"), parts_of("models:/medical-coding/3")
    (('medical-coding', None, 'champion'), ('medical-coding', 3, None))
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise RegistryError(
            f"'{reference}' is not a model reference. Write models:/NAME@ALIAS or models:/NAME/VERSION, "
            "as in models:/medical-coding@champion."
        )
    return match["name"], int(match["version"]) if match["version"] else None, match["alias"]


def get_version(name: str, version: int, *, tracking_uri: str) -> ModelVersion:
    """One version of a registered model.

    Raises:
        RegistryError: no such name or version; the message names those that exist.
    """
    versions = list_versions(name, tracking_uri=tracking_uri)
    found = next((each for each in versions if each.version == version), None)
    if found is None:
        numbers = ", ".join(str(each.version) for each in versions[:20]) or "none"
        raise RegistryError(f"{name} has no version {version}. Its versions are: {numbers}.")
    return found


def list_versions(name: str, *, tracking_uri: str) -> list[ModelVersion]:
    """All versions of a registered model, newest first.

    Raises:
        RegistryError: no such name; the message names those that exist.
    """
    client = open_client(tracking_uri)
    aliases = _existing(client, name, tracking_uri).aliases
    with speaking_to(tracking_uri):
        return versions_in(client, name, aliases)


def list_names(*, tracking_uri: str) -> list[str]:
    """Names of the registered models that Preceptor made, sorted."""
    client = open_client(tracking_uri)
    with speaking_to(tracking_uri):
        return sorted(each.name for each in _models(client) if each.tags.get(f"{TAG}kind") == "router")


def aliases_of(name: str, *, tracking_uri: str) -> dict[str, int]:
    """Each alias of a registered model with the version it points to.

    Raises:
        RegistryError: no such name; the message names those that exist.
    """
    client = open_client(tracking_uri)
    aliases = _existing(client, name, tracking_uri).aliases
    return {alias: int(version) for alias, version in aliases.items()}


def version_of(name: str, alias: str, *, tracking_uri: str) -> int:
    """The version that an alias points to now.

    Raises:
        RegistryError: no such name or alias; the message names those that exist.
    """
    aliases = aliases_of(name, tracking_uri=tracking_uri)
    if alias not in aliases:
        known = ", ".join(f"{each} (version {aliases[each]})" for each in sorted(aliases)) or "none"
        raise RegistryError(
            f"{name} has no alias '{alias}'. Its aliases are: {known}. "
            f"Set one with `preceptor promote {name} VERSION --to {alias}`."
        )
    return aliases[alias]


def check_name(name: str) -> None:
    """Refuse a name that a reference could not hold.

    Raises:
        RegistryError: says what a name may hold.
    """
    if not _NAME.fullmatch(name):
        raise RegistryError(
            f"'{name}' cannot be a model's name. "
            "Use letters, digits, '.', '_' and '-', beginning with a letter or digit."
        )


def _models(client: "MlflowClient") -> list[Any]:
    found: list[Any] = []
    token = None
    while True:
        page = client.search_registered_models(max_results=500, page_token=token)
        found.extend(page)
        token = page.token
        if not token:
            return found


def _existing(client: "MlflowClient", name: str, tracking_uri: str) -> Any:  # noqa: ANN401 - MLflow's RegisteredModel
    check_name(name)
    try:
        with speaking_to(tracking_uri):
            return client.get_registered_model(name)
    except RegistryError as error:
        if error_code(error) != "RESOURCE_DOES_NOT_EXIST":
            raise
    with speaking_to(tracking_uri):
        known = ", ".join(sorted(each.name for each in _models(client))[:20]) or "none"
    raise RegistryError(
        f"No model is registered as '{name}'. Registered are: {known}. `preceptor run CONFIG` registers one."
    )


def versions_in(client: "MlflowClient", name: str, aliases: Mapping[str, Any]) -> list[ModelVersion]:
    """Versions of a name, newest first; none where nothing is registered. To be called inside `speaking_to`."""
    found: list[Any] = []
    token = None
    while True:
        page = client.search_model_versions(f"name = '{name}'", max_results=1000, page_token=token)
        found.extend(page)
        token = page.token
        if not token:
            break
    versions = [
        ModelVersion(
            name=name,
            version=int(each.version),
            run_id=each.run_id or None,
            source=each.source,
            tags={key.removeprefix(TAG): value for key, value in each.tags.items() if key.startswith(TAG)},
            aliases=tuple(sorted(alias for alias, at in aliases.items() if int(at) == int(each.version))),
        )
        for each in found
    ]
    return sorted(versions, key=lambda each: each.version, reverse=True)
