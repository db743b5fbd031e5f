"""What a certificate is bound to, by hash, and what voids it, in sentences."""

import numpy as np
from jaxtyping import Bool

from core import fingerprint
from core.calibrator import Calibrator
from core.settings import RunSettings
from models.certificate_check import Deciding, hashes_of
from models.families import files_of
from pipeline.certify_looks import text_key
from pipeline.engine import Work
from pipeline.results import Rows, read_json
from pipeline.suspecting import Suspected
from pipeline.training import trained_router
from verifiers.assembling import verifier_policy


def deciding_hashes(settings: RunSettings, work: Work, calibration: dict[str, object]) -> dict[str, str]:
    """The hash of everything that decides, by name, as the bundle will compute it when it is loaded."""
    router = trained_router(settings, work, "adapted")
    encoder = read_json(work.inputs["embed"] / "encoder.json")
    return hashes_of(
        Deciding(
            router_files=files_of(router),
            calibrator=Calibrator.model_validate(calibration["calibrator"]),
            encoder_sha256=None if router.dimension is None else encoder["sha256"],
            pair=(settings.pair.weak.name, settings.pair.strong.name),
            data_fingerprint=read_json(work.inputs["prepare"] / "summary.json")["data_sha256"],
            settings=settings.model_dump(mode="json"),
            verifier=verifier_policy(settings.verifiers, settings.data.target_domains),
            suspicion_files=Suspected(work).files,
        )
    )


def rows_hash(rows: Rows, chosen: Bool[np.ndarray, " n"]) -> str:
    """The hash of the questions of the chosen rows, whatever their order."""
    return fingerprint.of_texts(sorted(text_key(rows.table.texts[i]) for i in np.flatnonzero(chosen)))


def voids_of(settings: RunSettings) -> tuple[str, ...]:
    """What ends the promise, in sentences that a reader without statistics can check."""
    weak, strong, terms = settings.pair.weak.name, settings.pair.strong.name, settings.certificate
    sentences: tuple[str, ...] = (
        f"Another model, or another version of a model, behind the name {weak} or {strong}.",
        "A change of anything whose hash stands here; the bundle is then refused.",
        "Queries unlike these rows: another department, another time, or more harmful ones than here.",
        "Stakes told by another policy than the one hashed here, or by metadata, which these rows do not hold.",
        "An alarm of the stratum's monitoring.",
        f"{terms.expires_days} days after it was made.",
        "Use of these rows for anything else than this trial, such as choosing a router or a prompt.",
    )
    if terms.loss == "net":
        sentences += ("It limits the net loss; harm alone may exceed it.",)
    if settings.verifiers.pack != "none":
        sentences += (
            "Facts that clients send beside their messages, such as a source: these rows hold none, and with them a "
            "check may let an answer leave that it stopped here.",
        )
    return (
        *sentences,
        "It never covers the strong model's own errors: all is measured against always asking it.",
    )
