"""From a folder to a bundle that may decide here: hashes, pair, certificate, recheck, one text scored. Or why not.

Synchronous, and slow (a second where an encoder is loaded): `gateway.bundles.live_bundles` calls it in its own thread.
"""

import json
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from core.errors import PreceptorError
from gateway.certified import RoutingBundle, certificate_fault, recheck_fault
from gateway.routing import bundle_mismatch
from verifiers.assembling import verifier_policy

if TYPE_CHECKING:
    from core.settings import RunSettings
    from models.bundle import Bundle
    from models.encoders import Encoder

WARM_UP = "Warm up."
"""The text that is scored before a bundle decides; it loads the encoder and checks that it is the right one."""


class Admitted(NamedTuple):
    """A bundle that may decide, or the slug and the sentence that say why none may."""

    bundle: RoutingBundle | None
    fault: str | None = None
    sentence: str = ""


class Admitting(Protocol):
    """Who says whether the bundle in a folder may decide."""

    def admit(
        self, folder: Path, *, sha256: str | None, now: datetime, beside: Sequence[RoutingBundle] = ()
    ) -> Admitted:
        """The bundle, or why it may not decide.

        Args:
            folder: where it is.
            sha256: the hash under which it was registered; None: a folder that the settings name.
            now: the moment, for its certificate.
            beside: bundles that are loaded, whose encoders it may share.
        """
        ...


class Admission:
    """Admits bundles to a gateway with these settings."""

    def __init__(self, settings: "RunSettings") -> None:
        self._settings = settings
        self._n_threads = max(1, settings.threads // settings.gateway.workers)
        self._policy: Mapping[str, Any] | None = None
        self._lock = threading.Lock()

    def admit(
        self, folder: Path, *, sha256: str | None, now: datetime, beside: Sequence[RoutingBundle] = ()
    ) -> Admitted:
        """See `Admitting.admit`. Every byte is checked against the bundle's manifest, whatever a cache has promised."""
        try:
            bundle = _load(folder, beside, n_threads=self._n_threads)
            if sha256 is not None and bundle.sha256 != sha256:
                found = f"{folder} holds the bundle {bundle.sha256[:12]}, and {sha256[:12]} was registered. Delete it."
                return Admitted(None, "bundle_altered", found)
            weak, strong = self._settings.pair.weak.name, self._settings.pair.strong.name
            if (fault := bundle_mismatch(bundle, weak=weak, strong=strong)) is not None:
                pair = f"{bundle.weak} and {bundle.strong}"
                return Admitted(None, fault, f"The bundle was made for {pair}, not for {weak} and {strong}.")
            if bundle.certificate is not None:
                if (fault := certificate_fault(bundle.certificate, bundle.thresholds, now=now)) is not None:
                    # It is kept: the certificate says so again with each request, and its hash stays on record.
                    return Admitted(bundle, None, f"Its certificate does not hold ({fault}). Certify it anew.")
                if sentence := recheck_fault(bundle.certificate, bundle.papers.verifier, self._here()):
                    return Admitted(None, "certificate_of_another_recheck", sentence)
            bundle.probabilities([WARM_UP])
            if bundle.suspicion is not None:
                bundle.suspicions([(WARM_UP, WARM_UP)])
        except PreceptorError as error:
            return Admitted(None, "bundle_not_loaded", str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not decide
            return Admitted(None, "bundle_not_loaded", f"It broke while it was loaded ({type(error).__name__}).")
        return Admitted(bundle)

    def _here(self) -> Mapping[str, Any]:
        """This gateway's policy of the recheck; reading the pack takes most of a second, so it is done once."""
        with self._lock:
            if self._policy is None:
                self._policy = verifier_policy(self._settings.verifiers, self._settings.data.target_domains)
            return self._policy


def _load(folder: Path, beside: Sequence[RoutingBundle], *, n_threads: int) -> "Bundle":
    from models.bundle import load_bundle

    shared = _encoder_to_share(folder, beside)
    if shared is not None:
        try:
            return load_bundle(folder, encoder=shared, n_threads=n_threads)
        except PreceptorError:
            pass  # what bundle.json hints at was not so; loading it alone says what is
    return load_bundle(folder, n_threads=n_threads)


def _encoder_to_share(folder: Path, beside: Sequence[RoutingBundle]) -> "Encoder | None":
    """The encoder of a loaded bundle that this one names too, by what it says of itself; `load_bundle` checks it."""
    try:
        wanted = json.loads((folder / "bundle.json").read_bytes())["encoder_sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    for other in beside:
        facts = getattr(other, "facts", None)
        if wanted is not None and getattr(facts, "encoder_sha256", None) == wanted:
            encoder: Encoder | None = getattr(other, "encoder", None)
            return encoder
    return None
