"""A router taken from a bundle as it is, to be calibrated and certified anew: for another pair, or on newer labels.

Nothing of it is trained. It is refused where its scores do not rank the harm of the pair in question, where another
encoder or family is set than its own, and where nobody can say which questions it has seen.
"""

import numpy as np
from jaxtyping import Bool

from assurance.certificates import Rows as Trial
from core.errors import NotEnoughLabels, PreceptorError, SettingsError
from core.settings import RunSettings
from models.another_pair import for_pair
from models.bundle import Bundle
from models.bundle_files import bundle_sha256
from models.registry import fetch_bundle
from models.router import Queries, Router
from pipeline.applying import bundle_of
from pipeline.engine import Work
from pipeline.novel_pair import NovelPair, check_novel_pair
from pipeline.results import Rows, read_json
from pipeline.table import OutcomeTable


def sha256_of_taken(settings: RunSettings) -> str | None:
    """The hash of the bundle whose router is taken; None where a router is trained.

    Raises:
        RegistryError: the registry does not know the name, version or alias.
        BundleError: the folder is no bundle.
    """
    reference = settings.router.bundle
    if reference is None:
        return None
    from models.encoders import cache_folder

    tracking_uri = settings.mlflow.tracking_uri
    return bundle_sha256(fetch_bundle(reference, tracking_uri=tracking_uri, cache=cache_folder() / "bundles"))


def seen_by_taken(settings: RunSettings, table: OutcomeTable) -> Bool[np.ndarray, " n"]:
    """Rows whose questions the bundle was made from; none where a router is trained.

    Raises:
        PreceptorError: the bundle keeps no hashes of its questions.
    """
    if settings.router.bundle is None:
        return np.zeros(len(table), dtype=bool)
    seen = _bundle(settings).papers.seen
    if seen is None:
        raise PreceptorError(
            f"{settings.router.bundle} keeps no hashes of its questions, so what it learned from cannot be left out. "
            "Train a router on these labels, or take one that was made with evaluation.remember_questions."
        )
    return seen.contains(table.texts)


def take_router(settings: RunSettings, work: Work, rows: Rows) -> tuple[Router, NovelPair | None]:
    """The bundle's router, and the check of the pair where it is another than the bundle's.

    Raises:
        SettingsError: the settings name another family or encoder than the bundle's.
        PreceptorError: the router may not be taken up for this pair.
        NotEnoughLabels: it may, and too few labels are there for the certificate that settings ask for.
    """
    bundle = _bundle(settings)
    _refuse_another(bundle, settings, work)
    pair = settings.pair.weak.name, settings.pair.strong.name
    router = for_pair(bundle.router, *pair)
    if pair == (bundle.weak, bundle.strong):
        return router, None
    index = np.flatnonzero(np.isin(rows.parts, ("train", "calibrate", "certify", "test")))
    scores = router.score(Queries([rows.table.texts[i] for i in index], lambda texts: rows.embeddings[index]))
    weak, strong = rows.table.pair_quality(*pair)
    found = check_novel_pair(
        Trial(np.where(np.isfinite(scores), scores, 1.0), weak[index], strong[index]),
        pair,
        groups=rows.component[index],
        terms=settings.certificate,
        rng=np.random.default_rng(0),
    )
    if not found.is_ranking:
        raise PreceptorError(found.sentence)
    if not found.is_allowed and settings.makes_certificate:
        raise NotEnoughLabels(found.sentence)
    return router, found


def _bundle(settings: RunSettings) -> Bundle:
    assert settings.router.bundle is not None, "a router is trained"
    return bundle_of(settings.router.bundle, tracking_uri=settings.mlflow.tracking_uri)


def _refuse_another(bundle: Bundle, settings: RunSettings, work: Work) -> None:
    reference, family = settings.router.bundle, settings.router.family
    if bundle.family != family:
        raise SettingsError(
            f"{reference} holds a router of the family '{bundle.family}', and router.family is '{family}'. "
            f"Set router.family to {bundle.family}."
        )
    if bundle.router.dimension is None:
        return
    encoder = read_json(work.inputs["embed"] / "encoder.json")
    if encoder is None or encoder["sha256"] != bundle.facts.encoder_sha256:
        wanted = bundle.facts.encoder
        assert wanted is not None, "a router that reads vectors has an encoder"
        raise SettingsError(
            f"{reference} reads vectors of another encoder than the settings'. "
            f"Set encoder.name to {wanted.name} and encoder.runtime to {wanted.runtime}."
        )
