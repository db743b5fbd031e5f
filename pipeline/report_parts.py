"""What a report says beyond its figures: certificate, savings, the data and the model. Reads the stages' files.

Texts of queries and answers are never read here; a datasheet holds none.
"""

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np

from assurance.money import CostAssumptions, RoutedCosts, Savings, savings
from assurance.planning import plan_labels
from core import fingerprint
from core.certificate_record import Certificate
from core.errors import NotEnoughLabels
from core.settings import RunSettings
from pipeline.engine import Work
from pipeline.report_records import DataFacts, ModelFacts
from pipeline.report_slices import HeldOut, goes_to_strong
from pipeline.results import read_json
from pipeline.taking import sha256_of_taken

CERTIFICATE, MANIFEST, DATASHEET = "certificate.json", "MANIFEST.json", "datasheet.md"

PER = 1000
"""Queries for which costs are given where settings name no volume."""

LONGEST_DATASHEET = 200_000
"""Characters of a datasheet that are shown; what lies beyond is cut."""


class Money(NamedTuple):
    """The savings or why there are none, whether they are of a day, and whether what is sent on was measured."""

    found: Savings | None
    why_not: str
    is_per_day: bool
    escalation_is_measured: bool


def certificate_in(work: Work) -> Certificate | None:
    """The certificate that the stage certify wrote; None where it was not asked for one."""
    folder = work.inputs.get("certify")
    if folder is None or not (folder / CERTIFICATE).is_file():
        return None
    return Certificate.model_validate_json((folder / CERTIFICATE).read_bytes())


def thresholds_of(certificate: Certificate | None, budget: float) -> dict[str, float | None]:
    """The thresholds that the bundle carries: the certificate's, or the budget's for every stratum."""
    return {"default": budget} if certificate is None else certificate.thresholds


def money_of(
    settings: RunSettings,
    tested: HeldOut,
    thresholds: Mapping[str, float | None],
    *,
    escalated_share: float | None = None,
) -> Money:
    """What these thresholds save on queries like the test rows, at the volume that settings name.

    Args:
        settings: the YAML.
        tested: the test rows.
        thresholds: by which rows go to the strong model.
        escalated_share: share of weak answers that the recheck sends on, measured; it stands unless settings say one.
    """
    terms = settings.report
    queries = terms.queries_per_day or settings.threshold.queries_per_day
    assumptions = CostAssumptions(**terms.model_dump(exclude={"queries_per_day"}))
    is_measured = escalated_share is not None and "escalated_share" not in terms.model_fields_set
    if is_measured:
        assumptions = assumptions.model_copy(update={"escalated_share": escalated_share})
    costs = RoutedCosts(tested.weak_usd, tested.strong_usd, goes_to_strong(tested, thresholds), tested.groups)
    try:
        found = savings(
            costs,
            assumptions,
            queries=queries or PER,
            rng=np.random.default_rng(0),
            n_resamples=settings.evaluation.n_resamples,
        )
    except NotEnoughLabels as error:
        return Money(None, str(error), is_per_day=False, escalation_is_measured=False)
    return Money(found, "", is_per_day=queries is not None, escalation_is_measured=is_measured)


def plan_of(settings: RunSettings, strata: Sequence[str]) -> str:
    """What a certificate of these strata would take, in a sentence."""
    terms = settings.certificate
    share, attempt = (terms.delta, 1) if terms.attempts is None else (terms.delta / terms.attempts, None)
    return plan_labels(terms.max_harm_high, delta=share, n_strata=max(1, len(set(strata))), attempt=attempt).sentence


def data_facts(settings: RunSettings, work: Work) -> DataFacts:
    """The rows in counts, and the datasheets of the frozen versions among the files."""
    summary = read_json(work.inputs["prepare"] / "summary.json")
    return DataFacts(
        rows=summary["rows"],
        rows_with_both_models=summary["rows_with_both_models"],
        by_domain=summary["rows_by_domain"],
        by_source=summary["rows_by_source"],
        mean_quality=summary["mean_quality"],
        datasheets=datasheets_of(settings.data.all_files),
    )


def datasheets_of(files: Sequence[Path]) -> dict[str, str]:
    """Datasheet by name of each frozen version in whose folder a file lies; others have none."""
    folders = {file.parent for file in files if (file.parent / MANIFEST).is_file()}
    sheets = {folder.name: folder / DATASHEET for folder in sorted(folders)}
    return {
        name: sheet.read_text(encoding="utf-8")[:LONGEST_DATASHEET] for name, sheet in sheets.items() if sheet.is_file()
    }


def model_facts(settings: RunSettings, work: Work) -> ModelFacts:
    """The router in names."""
    summary = read_json(work.inputs["train"] / "summary.json")
    encoder = read_json(work.inputs["embed"] / "encoder.json")
    family = settings.router.family
    calibrator = read_json(work.inputs["calibrate"] / "calibration.json")["adapted"]["calibrator"]
    return ModelFacts(
        family=family if family != "stacked" else f"stacked ({', '.join(settings.router.members)})",
        method=settings.training.method if family in ("bert", "causal_lm") else "",
        encoder=f"{settings.encoder.name} ({settings.encoder.runtime})" if encoder else "none: it reads the text",
        calibrator=f"{calibrator['method']}, from {calibrator['n_labels']} labels",
        verifier=settings.verifiers.pack,
        labels=summary["labels"],
        texts_cut=summary.get("texts_cut", 0),
    )


def lineage_of(settings: RunSettings, work: Work) -> dict[str, str]:
    """Hashes, versions and seeds: what another run must share to give the same figures."""
    encoder = read_json(work.inputs["embed"] / "encoder.json")
    summary = read_json(work.inputs["prepare"] / "summary.json")
    return {
        "data": summary["data_sha256"],
        "router": settings.router.family,
        **({} if settings.router.bundle is None else {"router_taken_from_bundle": sha256_of_taken(settings) or ""}),
        "encoder": f"{settings.encoder.name} ({settings.encoder.runtime}) {encoder['sha256']}" if encoder else "none",
        "settings": read_json(work.inputs["train"] / "stage.json")["key"],
        "all_settings": fingerprint.of_json(settings.model_dump(mode="json")),
        "seed_of_the_split": str(settings.split.seed),
        "seed_of_the_resampling": f"0, {settings.evaluation.n_resamples} resamples",
        "preceptor": version("preceptor"),
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "command": f"preceptor run {settings.source or 'CONFIG'}, with settings of these hashes",
    }
