"""The threshold that holds for a request: the bundle's for its stratum, and never above what its certificate allows.

Hashes are checked when a bundle is loaded; here a promise that has ended, or that names other thresholds than the
bundle decides with, sends every query to the strong model. Costs microseconds; scores nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Float

from core.certificate_record import FORMAT
from core.records import Stakes
from gateway.model_names import Routed


class RoutingBundle(Protocol):
    """What the gateway needs of a bundle; `models.bundle.Bundle` is one."""

    @property
    def weak(self) -> str:
        """Name of the weak model the bundle was calibrated for."""
        ...

    @property
    def strong(self) -> str:
        """Name of the strong model the bundle was calibrated for."""
        ...

    @property
    def sha256(self) -> str:
        """Hash of everything in the bundle that decides."""
        ...

    @property
    def thresholds(self) -> Mapping[str, float | None]:
        """Threshold per stratum, with `default`; None sends the stratum to the strong model."""
        ...

    @property
    def certificate(self) -> Mapping[str, Any] | None:
        """The evidence for a promise; None where thresholds keep a budget alone."""
        ...

    def probabilities(self, texts: Sequence[str], strata: Sequence[str | None] = ()) -> Float[np.ndarray, " n"]:
        """Calibrated probability that the strong model is needed, a text; by the map of its stratum where it is known.

        Args:
            texts: what the queries ask.
            strata: the stratum of each, None where it is not known; empty: of none.
        """
        ...


def threshold_in_force(
    bundle: RoutingBundle, asked: Routed, *, stakes: Stakes, now: datetime
) -> tuple[float, tuple[str, ...]] | str:
    """The threshold and the reasons that go on record with it; or the reason why the strong model answers.

    | the bundle | the request | threshold |
    |---|---|---|
    | has no certificate | names its own | its own |
    | has no certificate | names none | the stratum's, else the default |
    | has one that ended, or that is not about its thresholds | any | none: strong |
    | has one | of a stratum that is not certified | none: strong |
    | has one | names its own, above the certified one | the certified one, on record |
    """
    fault = standing_of(bundle, now=now).fault
    if fault is not None:
        return fault
    of_stratum = _threshold_of(bundle.thresholds, asked.domain, stakes)
    lowered: tuple[str, ...] = ()
    if bundle.certificate is None:
        threshold = of_stratum if asked.threshold is None else asked.threshold
    elif of_stratum is None:
        return "not_certified"
    elif asked.threshold is not None and asked.threshold > of_stratum:
        threshold, lowered = of_stratum, ("threshold_lowered_to_certified",)
    else:
        threshold = of_stratum if asked.threshold is None else asked.threshold
    if threshold is None or not 0.0 <= threshold <= 1.0:
        return "no_threshold"
    return threshold, lowered


class Standing(NamedTuple):
    """Whether a bundle's promise holds at a moment; without a certificate there is none that could end."""

    fault: str | None = None
    expires_at: datetime | None = None


def standing_of(bundle: RoutingBundle, *, now: datetime) -> Standing:
    """What certificate and thresholds of the bundle say; a bundle is read once, after that two times are compared."""
    certificate, thresholds = bundle.certificate, bundle.thresholds
    if certificate is None:
        return Standing()
    known = _READ.get(bundle)
    if known is None or known.certificate is not certificate or known.thresholds is not thresholds:
        known = _READ[bundle] = _Read(certificate, thresholds, _read(certificate, thresholds))
    return _at(known.standing, now)


def certificate_fault(
    certificate: Mapping[str, Any], thresholds: Mapping[str, float | None], *, now: datetime
) -> str | None:
    """Why a certificate does not hold now; None when it does. What cannot be read does not hold."""
    return _at(_read(certificate, thresholds), now).fault


def recheck_fault(
    certificate: Mapping[str, Any] | None, certified_with: Mapping[str, Any] | None, here: Mapping[str, Any]
) -> str | None:
    """Why this gateway is not the one that the certificate is about; None where it is, or there is none.

    The rules of stakes must be the same, since they say which requests a promise is about. The checks must be where the
    certificate counts on them, or where what they take away may raise the loss that it limits.

    Args:
        certificate: the bundle's.
        certified_with: the bundle's policy of the recheck (`verifiers.assembling.verifier_policy`).
        here: this gateway's.
    """
    if certificate is None:
        return None
    said = certified_with or {}
    if said.get("stakes_sha256") is None or said["stakes_sha256"] != here.get("stakes_sha256"):
        return (
            f"The certificate is about other rules of stakes ({said.get('stakes_sha256')!s:.12}) than this gateway's "
            f"({here.get('stakes_sha256')!s:.12}). Bring back verifiers.stakes, verifiers.policy, data.target_domains "
            "and the pack's rules as they were, or certify with these."
        )
    if not _counts_on_checks(certificate) or _same_checks(said, here):
        return None
    wanted, name = said.get("pack"), here.get("pack")
    if wanted == name:
        return (
            f"The certificate counts on the recheck '{wanted}' as it was ({said.get('pack_sha256')!s:.12}), and its "
            f"checks have changed since ({here.get('pack_sha256')!s:.12}). Certify with these, or bring the pack back "
            "as it was."
        )
    return (
        f"The certificate counts on the recheck '{wanted}', and this gateway makes '{name}'. "
        f"Set verifiers.pack to {wanted}, or certify with this one."
    )


def stratum_of(thresholds: Mapping[str, float | None], domain: str | None, stakes: Stakes) -> str | None:
    """The request's stratum: the domain at these stakes, or the domain where only that has a threshold; else None.

    >>> stratum_of({"default": None, "oncology": 0.2}, "oncology", Stakes.HIGH)
    'oncology'
    >>> stratum_of({"default": 0.3}, "law", Stakes.HIGH), stratum_of({"default": 0.3}, None, Stakes.HIGH)
    ('law/high', None)
    """
    if domain is None:
        return None
    stratum = f"{domain}/{stakes}"
    return domain if domain in thresholds and stratum not in thresholds else stratum


class _Read(NamedTuple):
    certificate: Mapping[str, Any]
    thresholds: Mapping[str, float | None]
    standing: Standing


_READ: "WeakKeyDictionary[RoutingBundle, _Read]" = WeakKeyDictionary()


def _read(certificate: Mapping[str, Any], thresholds: Mapping[str, float | None]) -> Standing:
    """What holds until the certificate ends; a fault of its own holds for ever."""
    try:
        if certificate["format"] != FORMAT:
            return Standing("certificate_mismatch")
        expires_at = datetime.fromisoformat(certificate["expires_at"])
        named: dict[str, float | None] = {"default": None, **certificate["budgets"]}
        named |= {one["stratum"]: one["threshold"] if one["is_certified"] else None for one in certificate["strata"]}
    except (KeyError, TypeError, ValueError, AttributeError):
        return Standing("certificate_mismatch")
    return Standing(None if named == dict(thresholds) else "certificate_mismatch", expires_at)


def _at(standing: Standing, now: datetime) -> Standing:
    """What it is at a moment. An end that cannot be compared with now, for want of a zone, does not hold."""
    if standing.expires_at is None:
        return standing
    try:
        has_ended = now >= standing.expires_at
    except TypeError:
        return Standing("certificate_mismatch")
    return Standing("certificate_expired", standing.expires_at) if has_ended else standing


def _threshold_of(thresholds: Mapping[str, float | None], domain: str | None, stakes: Stakes) -> float | None:
    """The most specific threshold: of the domain at these stakes, else of the domain, else the default's."""
    stratum = stratum_of(thresholds, domain, stakes)
    if stratum is None or domain is None:
        return thresholds.get("default")
    if stratum in thresholds:
        return thresholds[stratum]
    if any(stratum.startswith(f"{domain}/") for stratum in thresholds):
        return None  # the domain has thresholds, and none for these stakes
    return thresholds.get("default")


def _counts_on_checks(certificate: Mapping[str, Any]) -> bool:
    promise = certificate.get("promise") or {}
    may_rise = promise.get("loss") == "net" or promise.get("is_selective") is True
    return may_rise or any(one.get("is_rechecked") for one in certificate.get("strata", ()))


def _same_checks(said: Mapping[str, Any], here: Mapping[str, Any]) -> bool:
    """Whether both make the same checks; that nobody makes any is the same only where both say so."""
    if said.get("pack") == here.get("pack") == "none":
        return True
    return said.get("pack_sha256") is not None and said["pack_sha256"] == here.get("pack_sha256")
