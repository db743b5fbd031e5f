"""From settings to what the recheck asks and reads: endpoints, a judge's proof, a bundle's classifier. Asks nobody."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.settings import RunSettings
    from gateway.certified import RoutingBundle
    from models.bundle import Bundle
    from verifiers.assembling import Recheck


def recheck_for(settings: "RunSettings", bundle: "RoutingBundle | None", *, reads_facts: bool = False) -> "Recheck":
    """The recheck of the settings, with the models that they name.

    Args:
        settings: the YAML.
        bundle: whose classifier measures suspicion for the checks that ask for it; None: nothing does.
        reads_facts: whether facts may say what models said, as rows of a file may and a client may not.

    Raises:
        SettingsError: a pack, a model's endpoint or the judge's proof cannot be used.
        MissingExtra: a library that a check needs is not installed.
    """
    from verifiers.assembling import recheck_of

    return recheck_of(settings.verifiers, resources=resources_of(settings, bundle, reads_facts=reads_facts))


def resources_of(settings: "RunSettings", bundle: "RoutingBundle | None", *, reads_facts: bool) -> Mapping[str, object]:
    """What the checks that ask models are handed (`verifiers.catalogue`)."""
    from core.endpoint import endpoint_of
    from core.judge_proof import read_proof
    from verifiers.doubt.endpoint_ask import EndpointAsk

    verifiers, data_class = settings.verifiers, settings.labeling.data_class
    resources: dict[str, object] = {"reads_facts": reads_facts}
    if verifiers.n_samples > 0 and settings.pair.weak.base_url is not None:
        weak = settings.pair.weak
        resources["weak"] = EndpointAsk.of(endpoint_of("pair.weak", weak, data_class))
        resources["weak_timeout_s"] = weak.timeout_s
    if verifiers.second is not None:
        resources["second"] = EndpointAsk.of(endpoint_of("verifiers.second", verifiers.second, data_class))
    if verifiers.judge is not None:
        resources["judge"] = EndpointAsk.of(endpoint_of("verifiers.judge", verifiers.judge, data_class))
        resources["judge_name"] = verifiers.judge.name
    if verifiers.judge_proof is not None:
        resources["proof"] = read_proof(verifiers.judge_proof)
    gauge = _gauge_of(bundle)
    if gauge is not None:
        resources["gauge"] = gauge
    return resources


def load_deciding(settings: "RunSettings", reference: str) -> "Bundle":
    """The bundle that a reference names, fetched into the run's folder.

    Raises:
        RegistryError, BundleError: it cannot be fetched or read.
    """
    from models.bundle import load_bundle
    from models.registry import fetch_bundle

    cache = settings.folder / settings.name / "bundles"
    return load_bundle(fetch_bundle(reference, tracking_uri=settings.mlflow.tracking_uri, cache=cache))


def _gauge_of(bundle: Any) -> object | None:  # noqa: ANN401 - a bundle with or without a classifier
    from verifiers.case import Case
    from verifiers.doubt.gauge import FunctionGauge

    if getattr(bundle, "suspicion", None) is None:
        return None

    def suspicion(case: Case) -> float:
        return float(bundle.suspicions([(case.query.text, case.answer)])[0])

    return FunctionGauge(suspicion)
