"""From settings to what the recheck asks and reads: endpoints, a judge's proof, a bundle's classifier. Asks nobody."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.settings import RunSettings
    from core.verifier_settings import VerifierSettings
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
        SettingsError: a pack or a model's endpoint cannot be used.
        DataError: the judge's proof or the stack of signals cannot be read.
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
    gauge = _gauge_of(bundle, verifiers, resources)
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


def _gauge_of(
    bundle: Any,  # noqa: ANN401 - a bundle with or without a classifier
    verifiers: "VerifierSettings",
    resources: Mapping[str, object],
) -> object | None:
    """The stack of signals where settings name one, else the bundle's classifier; None: nothing measures suspicion."""
    from core.suspicion_stack import read_stack
    from verifiers.case import Case
    from verifiers.doubt.gauge import FunctionGauge, Sources, StackGauge

    def classifier(case: Case) -> float:
        return float(bundle.suspicions([(case.query.routing_text, case.answer)])[0])

    def router(case: Case) -> float:
        return float(bundle.probabilities([case.query.routing_text])[0])

    has_classifier = getattr(bundle, "suspicion", None) is not None
    if verifiers.stack is None:
        return FunctionGauge(classifier) if has_classifier else None
    sources: dict[str, Any] = {name: resources[name] for name in ("weak", "second", "reads_facts") if name in resources}
    return StackGauge(
        read_stack(verifiers.stack),
        Sources(
            router=router if bundle is not None else None,
            classifier=classifier if has_classifier else None,
            n_samples=verifiers.n_samples,
            **sources,
        ),
    )
