"""The stages register and promote: two bundles become model versions, and the challenger's alias moves.

Both routers are registered, the base first, so that the adapted version's lineage has a version of its own to point at.
"""

import getpass
import secrets
from datetime import UTC, datetime

import numpy as np

from core import fingerprint
from core.calibrator import Calibrator
from core.certificate_record import Certificate
from core.ledger import Ledger
from core.settings import RunSettings
from core.store import open_store
from models.bundle import BundleFacts, Papers, save_bundle
from models.encoders import EncoderSpec
from models.registry import move_alias, register_bundle
from models.router import Router
from models.seen import KEY_BYTES, SeenTexts, seen_texts
from models.versions import aliases_of
from pipeline.assessing import headline_metrics
from pipeline.certifying import certificate_in
from pipeline.engine import Work
from pipeline.evaluation import Evaluation
from pipeline.gates import EVIDENCE
from pipeline.results import load_rows, read_json, write_json
from pipeline.suspecting import suspicion_metrics, trained_suspicion
from pipeline.taking import sha256_of_taken
from pipeline.tracking import TrackedRun
from pipeline.training import trained_router
from verifiers.assembling import verifier_policy

CHALLENGER = "challenger"


def register(settings: RunSettings, tracked: TrackedRun | None, work: Work) -> None:
    """Write both bundles, register them as versions of the run's name, and put figures and report on the MLflow run."""
    assert tracked is not None, "registering needs an open MLflow run"
    report_folder = work.inputs["evaluate"]
    report = read_json(report_folder / "report.json")
    evaluation = Evaluation.model_validate(report["evaluation"])
    tracked.log_metrics(headline_metrics(evaluation))
    data_sha256 = report["lineage"]["data"]
    sources = ", ".join(str(path) for path in settings.data.all_files)
    tracked.log_data(
        "outcomes", sha256=data_sha256, source=sources, context="train", n_rows=sum(report["rows"].values())
    )
    for path in sorted(report_folder.glob("report.*")) + sorted(report_folder.glob("*.svg")):
        tracked.log_file(path, "report")

    evidence = read_json(report_folder / EVIDENCE)
    tracked.log_metrics(suspicion_metrics(evidence["suspicion"]))
    seen = _seen(settings, work)
    certificate = certificate_in(work.inputs["certify"])
    routers = {role: trained_router(settings, work, role) for role in ("base", "adapted")}
    base_sha256 = save_bundle(
        work.out / "base",
        _facts(settings, work, routers["base"], role="base", data_sha256=data_sha256),
        router=routers["base"],
        papers=Papers(
            settings=settings.model_dump(mode="json"), card=_card(settings, "base", evaluation, None), seen=seen
        ),
    )
    save_bundle(
        work.out / "adapted",
        _certified(
            _facts(
                settings,
                work,
                routers["adapted"],
                role="adapted",
                data_sha256=data_sha256,
                base_sha256=sha256_of_taken(settings) or base_sha256,
            ),
            certificate,
        ),
        router=routers["adapted"],
        papers=Papers(
            settings=settings.model_dump(mode="json"),
            card=_card(settings, "adapted", evaluation, certificate),
            certificate=None if certificate is None else certificate.model_dump(mode="json"),
            verifier=verifier_policy(settings.verifiers, settings.data.target_domains),
            evidence=evidence,
            seen=seen,
        ),
        suspicion=trained_suspicion(settings, work),
    )
    registered = {
        role: register_bundle(
            work.out / role,
            name=settings.name,
            tracking_uri=settings.mlflow.tracking_uri,
            run_id=tracked.run_id,
            tags={
                "role": role,
                "family": routers[role].family,
                "weak": settings.pair.weak.name,
                "strong": settings.pair.strong.name,
                "data_sha256": data_sha256,
                "trainer": getpass.getuser(),
            },
        )
        for role in ("base", "adapted")
    }
    write_json(work.out / "registered.json", {"name": settings.name, "run_id": tracked.run_id, **registered})


def promote(settings: RunSettings, work: Work) -> None:
    """Point `challenger` at the adapted version and write it into the ledger; the champion is not touched."""
    registered = read_json(work.inputs["register"] / "registered.json")
    name, tracking_uri = settings.name, settings.mlflow.tracking_uri
    before = aliases_of(name, tracking_uri=tracking_uri).get(CHALLENGER)
    after = int(registered["adapted"])
    move_alias(name, CHALLENGER, after, expected=before, tracking_uri=tracking_uri)
    event = Ledger(open_store(settings.store_url)).append(
        getpass.getuser(),
        "release.challenge",
        f"{name}@{CHALLENGER}",
        {"version_before": before, "version_after": after, "run_id": registered["run_id"]},
    )
    write_json(work.out / "challenger.json", {"version": after, "ledger_seq": event.seq})


def _facts(
    settings: RunSettings, work: Work, router: Router, *, role: str, data_sha256: str, base_sha256: str | None = None
) -> BundleFacts:
    calibration = read_json(work.inputs["calibrate"] / "calibration.json")[role]
    encoder = read_json(work.inputs["embed"] / "encoder.json")
    return BundleFacts(
        name=settings.name,
        family=router.family,
        weak=settings.pair.weak.name,
        strong=settings.pair.strong.name,
        encoder=None if router.dimension is None else EncoderSpec.model_validate(encoder["spec"]),
        encoder_sha256=None if router.dimension is None else encoder["sha256"],
        calibrator=Calibrator.model_validate(calibration["calibrator"]),
        thresholds={"default": calibration["threshold"]},
        settings_fingerprint=fingerprint.of_json(settings.model_dump(mode="json")),
        data_fingerprint=data_sha256,
        base_sha256=base_sha256,
        created_at=datetime.now(UTC),
    )


def _certified(facts: BundleFacts, certificate: Certificate | None) -> BundleFacts:
    """The facts with the certificate's thresholds, where there is one: what it does not certify always goes strong."""
    if certificate is None:
        return facts
    status = "certified" if certificate.is_certified else "not_certified"
    return facts.model_copy(update={"thresholds": certificate.thresholds, "status": status})


def _seen(settings: RunSettings, work: Work) -> SeenTexts | None:
    """The questions behind base, adaptation, calibration and certificate; the test rows are not among them."""
    if not settings.evaluation.remember_questions:
        return None
    rows = load_rows(work)
    used = rows.part("base") | rows.part("base_test") | rows.part("train") | rows.part("calibrate")
    used |= rows.part("certify")
    return seen_texts([rows.table.texts[i] for i in np.flatnonzero(used)], key=secrets.token_bytes(KEY_BYTES))


def _card(settings: RunSettings, role: str, evaluation: Evaluation, certificate: Certificate | None) -> str:
    """What a person should know about a version before it decides."""
    figures = evaluation.routers[role]
    promised = _budget_text(settings) if certificate is None else _promise_text(certificate)
    return f"""# {settings.name}, {role} router

Gives the probability that `{evaluation.strong}` is needed where `{evaluation.weak}` would answer.
A query goes to `{evaluation.strong}` iff the probability is at least the threshold.

| on {evaluation.n} unseen queries of {", ".join(settings.data.target_domains)} | 95 % interval |
|---|---|
| APGR (a coin has 0.5) | {figures.apgr} |
| CPT(50 %) | {figures.cpt50} |
| CPT(80 %) | {figures.cpt80} |

{promised} The figures hold for queries like those rows, and for this pair of models.
"""


def _budget_text(settings: RunSettings) -> str:
    return (
        f"Not certified: the threshold keeps a budget ({_budget_name(settings)}) on the calibration\n"
        "rows, not a promise about harm."
    )


def _budget_name(settings: RunSettings) -> str:
    asked = settings.threshold
    if asked.usd_per_day is not None:
        return f"{asked.usd_per_day:g} USD a day"
    if asked.quality_floor is not None:
        return f"a mean quality of {asked.quality_floor:g}"
    return f"the preset {asked.preset}" if asked.preset else f"{asked.share_strong:.0%} strong calls"


def _promise_text(certificate: Certificate) -> str:
    """The promise of each stratum, and what voids it, as Markdown."""
    promise = certificate.promise
    over = "the weak answers that leave" if promise.is_selective else "all queries"
    lines = [
        f"Promised, with probability at least {1 - promise.delta:g}: a mean {promise.loss} over {over} of at most",
        "",
        "| stratum | promised | shown on | weak answers leave | largest not ruled out |",
        "|---|---|---|---|---|",
    ]
    for one in certificate.strata:
        if one.is_certified:
            upper = "-" if one.upper is None else f"{one.upper:.2%}"
            lines.append(f"| {one.stratum} | {one.max_loss:.1%} | {one.n} rows | {one.share_weak:.1%} | {upper} |")
        else:
            lines.append(f"| {one.stratum} | not certified: always the strong model | {one.n} rows | 0 % | - |")
    notes = [f"- {one.stratum}: {one.why}" for one in certificate.strata]
    void = [f"- {sentence}" for sentence in certificate.voids]
    until = f"It ends on {certificate.expires_at:%Y-%m-%d}. Void before that by:"
    return "\n".join([*lines, "", *notes, "", until, "", *void, ""])
