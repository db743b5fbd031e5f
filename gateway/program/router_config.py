"""Which bundle stands behind each router that a program names, as RouteLLM's `config` says it. Loads them; asks nobody.

| where | what it names |
|---|---|
| `config={"mf": {"bundle": ...}}` | a bundle: a folder, or `models:/NAME@ALIAS` |
| `config={"mf": {"checkpoint_path": ...}}` | the same, by RouteLLM's word |
| `$PRECEPTOR_BUNDLE_MF`, `$PRECEPTOR_BUNDLE` | the same, where `config` says nothing of the router |
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import BundleError, SettingsError

if TYPE_CHECKING:
    from models.bundle import Bundle

BUNDLE_ENV = "PRECEPTOR_BUNDLE"

_FROM_REGISTRY = "models:"
_KEYS = ("bundle", "checkpoint_path")


def bundles_of(
    routers: Sequence[str], config: Mapping[str, Mapping[str, Any]] | None, *, weak: str, strong: str
) -> "dict[str, Bundle]":
    """The bundle of each router, in the order of their names.

    Args:
        routers: their names; the first one decides `auto`.
        config: what stands behind each.
        weak: the weak model's name without its provider.
        strong: the strong model's.

    Raises:
        SettingsError: no bundle is named for a router, it decides between other models, or its promise counts on a
            recheck that only settings can bring.
        BundleError, RegistryError: one cannot be fetched or read.
    """
    if not routers:
        raise SettingsError('No router is named. Name one, such as routers=["mf"].')
    references = {name: reference_of(name, config) for name in routers}
    loaded: dict[str, Bundle] = {one: _loaded(one) for one in dict.fromkeys(references.values())}
    for name, reference in references.items():
        _check(name, loaded[reference], weak=weak, strong=strong)
    return {name: loaded[reference] for name, reference in references.items()}


def reference_of(router: str, config: Mapping[str, Mapping[str, Any]] | None) -> str:
    """What is named for a router.

    Raises:
        SettingsError: nothing is.

    >>> reference_of("mf", {"mf": {"bundle": "bundles/mf"}})
    'bundles/mf'
    """
    own = dict((config or {}).get(router) or {})
    unknown = sorted(set(own) - set(_KEYS))
    if unknown:
        raise SettingsError(
            f"The config of router '{router}' says '{unknown[0]}', which nothing here reads. "
            "Name its bundle there alone: {'bundle': 'FOLDER or models:/NAME@champion'}."
        )
    own_env = f"{BUNDLE_ENV}_{''.join(one if one.isalnum() else '_' for one in router).upper()}"
    named = own.get("bundle") or own.get("checkpoint_path") or os.environ.get(own_env) or os.environ.get(BUNDLE_ENV)
    if not named:
        raise SettingsError(
            f"Nothing says which bundle router '{router}' is. Pass config={{'{router}': {{'bundle': 'FOLDER or "
            f"models:/NAME@champion'}}}}, or set ${BUNDLE_ENV}; `preceptor run` makes bundles."
        )
    return str(named)


def _loaded(reference: str) -> "Bundle":
    from models.bundle import load_bundle

    if reference.startswith(_FROM_REGISTRY):
        from core.settings import MlflowSettings
        from models.encoders import cache_folder
        from models.registry import fetch_bundle

        uri = os.environ.get("MLFLOW_TRACKING_URI") or MlflowSettings().tracking_uri
        return load_bundle(fetch_bundle(reference, tracking_uri=uri, cache=cache_folder() / "bundles"))
    folder = Path(reference)
    if not folder.is_dir():
        raise BundleError(
            f"There is no bundle in '{reference}'. Name the folder of one that `preceptor run` made, or "
            "models:/NAME@champion; weights of other projects do not load here."
        )
    return load_bundle(folder)


def _check(router: str, bundle: "Bundle", *, weak: str, strong: str) -> None:
    from gateway.certified import recheck_fault

    if (bundle.weak, bundle.strong) != (weak, strong):
        raise SettingsError(
            f"The bundle of router '{router}' decides between '{bundle.weak}' (weak) and '{bundle.strong}' (strong), "
            f"not between '{weak}' and '{strong}'. Name those two models, or train and certify a bundle for these."
        )
    fault = recheck_fault(bundle.certificate, bundle.papers.verifier, {})
    if fault is not None:
        raise SettingsError(
            f"The certificate of router '{router}' counts on rules of stakes and checks that only settings bring. "
            "Build the controller with Controller.from_settings('run.yaml')."
        )
