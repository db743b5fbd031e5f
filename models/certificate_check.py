"""Whether a certificate belongs to a bundle: it names by hash everything that decides. Says nothing of its promise."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from core import fingerprint
from core.calibrator import Calibrator
from core.certificate_record import FORMAT, Certificate
from core.errors import BundleError
from models.bundle_facts import BundleFacts, Papers

SECTIONS = (
    "data",
    "split",
    "encoder",
    "router",
    "adaptation",
    "network",
    "training",
    "threshold",
    "certificate",
)
"""Sections of the settings that decide what a certificate is about; where it is served is not among them."""


@dataclass(frozen=True)
class Deciding:
    """Everything that decides which model answers a query."""

    router_files: Mapping[str, bytes]
    calibrator: Calibrator
    encoder_sha256: str | None
    pair: tuple[str, str]
    data_fingerprint: str
    settings: Mapping[str, Any]
    """The whole YAML as JSON values."""
    verifier: Mapping[str, Any] | None
    suspicion_files: Mapping[str, bytes] = field(default_factory=dict)
    """The classifier of weak answers; empty where there is none."""


def hashes_of(deciding: Deciding) -> dict[str, str]:
    """The hashes that a certificate is bound to, by name."""
    with_classifier = {"suspicion": _of_files(deciding.suspicion_files)} if deciding.suspicion_files else {}
    return with_classifier | {
        "router": _of_files(deciding.router_files),
        "calibrator": fingerprint.of_json(deciding.calibrator.model_dump(mode="json")),
        "encoder": deciding.encoder_sha256 or "none",
        "pair": fingerprint.of_json(list(deciding.pair)),
        "data": deciding.data_fingerprint,
        "settings": fingerprint.of_json({name: deciding.settings.get(name) for name in SECTIONS}),
        "verifier": fingerprint.of_json(None if deciding.verifier is None else dict(deciding.verifier)),
    }


def check_certificate(
    facts: BundleFacts,
    papers: Papers,
    router_files: Mapping[str, bytes],
    suspicion_files: Mapping[str, bytes] | None = None,
) -> None:
    """Refuse a bundle whose certificate is about something else.

    Raises:
        BundleError: the certificate does not read, names another hash, or the bundle's thresholds are not its own.
    """
    if papers.certificate is None or (
        facts.status == "not_certified" and papers.certificate.get("format") != FORMAT
    ):  # what does not claim to be a certificate promises nothing
        return
    try:
        certificate = Certificate.model_validate(papers.certificate)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise BundleError(
            f"The certificate of '{facts.name}' does not read ({where}: {fault['msg']}). Run `preceptor run` again."
        ) from error
    deciding = Deciding(
        router_files,
        facts.calibrator,
        facts.encoder_sha256,
        (facts.weak, facts.strong),
        facts.data_fingerprint,
        papers.settings,
        papers.verifier,
        suspicion_files or {},
    )
    here = hashes_of(deciding)
    if "suspicion" in certificate.hashes and "suspicion" not in here:
        raise BundleError(
            f"The certificate of '{facts.name}' counts on a classifier of weak answers, and the bundle holds none. "
            "Certify this one with `preceptor run`."
        )
    for name, found in here.items():
        if certificate.hashes.get(name) != found:
            raise BundleError(
                f"The certificate of '{facts.name}' is about another {name} "
                f"({certificate.hashes.get(name)!s:.12}, here {found:.12}), so it promises nothing here. "
                "Certify this one with `preceptor run`."
            )
    if dict(facts.thresholds) != certificate.thresholds:
        raise BundleError(
            f"The thresholds of '{facts.name}' are not those of its certificate. Certify with `preceptor run` again."
        )
    if (facts.status == "certified") != certificate.is_certified:
        raise BundleError(
            f"The status of '{facts.name}' is {facts.status}, and its certificate says otherwise. "
            "Certify with `preceptor run` again."
        )


def _of_files(files: Mapping[str, bytes]) -> str:
    return fingerprint.of_json({name: hashlib.sha256(content).hexdigest() for name, content in files.items()})
