"""`preceptor prioritise`: what the routers say about the queries that wait, written for the labeling queue.

| signal | what it is |
|---|---|
| probability, threshold | the bundle's, for the query's stratum; where it has no threshold, 0.5: there it cannot tell |
| disagreement | Jensen-Shannon divergence of the bundle and the others named, in bits |
| novelty | 1 - cosine to the nearest query of the target's labelled rows, in the bundle's encoder |
| verifier conflict | not measured |

Reads queries and labelled rows, writes signals; it trains nothing, and answers are never read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import sqlalchemy as sa
from jaxtyping import Float
from scipy.special import entr

from core.errors import PreceptorError
from core.items import shown_queries
from core.outcomes import read_outcomes
from core.records import Query
from core.settings import RunSettings
from core.signals import Signal, write_signals
from core.store import create_tables, open_store
from models.bundle import Bundle
from models.embedding_cache import embed
from models.encoders import cache_folder
from pipeline.applying import bundle_of

UNDECIDED = 0.5
"""The probability at which a router without a threshold cannot tell."""

ROWS_AT_ONCE = 2_000
"""Queries compared with all labelled ones at a time."""


@dataclass(frozen=True)
class Prioritised:
    """What was written: how many signals, by which bundle, and which parts were not measured and why."""

    n_queries: int
    bundle: str
    remarks: tuple[str, ...]


def prioritise(settings: RunSettings, *, reference: str | None, also: Sequence[str], now: datetime) -> Prioritised:
    """Score every query that experts may see, and keep the signals in the store.

    Args:
        settings: say where store, registry and labelled rows are.
        reference: the bundle; None: `RunSettings.bundle_reference`.
        also: further bundles, of other families, that may disagree.
        now: the moment.

    Raises:
        PreceptorError: the store holds no query.
        RegistryError, BundleError: a bundle cannot be had.
    """
    engine = open_store(settings.store_url)
    try:
        create_tables(engine)
        return _prioritise(engine, settings, reference=reference, also=also, now=now)
    finally:
        engine.dispose()


def disagreement(probabilities: Float[np.ndarray, "k n"]) -> Float[np.ndarray, " n"]:
    """Jensen-Shannon divergence of k routers' yes-or-no predictions, in bits: 0 where they agree, at most 1.

    Source: Lin (1991), *Divergence measures based on the Shannon entropy*, equation 5.1, equal weights.

    >>> disagreement(np.array([[0.0, 0.5, 0.9], [1.0, 0.5, 0.9]])).round(6).tolist()
    [1.0, 0.0, 0.0]
    """

    def bits(p: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        return np.asarray((entr(p) + entr(1.0 - p)) / np.log(2.0))

    return np.asarray(np.clip(bits(probabilities.mean(axis=0)) - bits(probabilities).mean(axis=0), 0.0, 1.0))


def novelty(
    vectors: Float[np.ndarray, "n d"], labelled: Float[np.ndarray, "m d"], *, rows_at_once: int = ROWS_AT_ONCE
) -> Float[np.ndarray, " n"]:
    """1 - cosine to the nearest labelled vector, cut to [0, 1]. Vectors have length 1.

    >>> novelty(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 0.0]])).tolist()
    [0.0, 1.0]
    """
    pieces = (vectors[start : start + rows_at_once] for start in range(0, len(vectors), rows_at_once))
    nearest = [np.max(piece @ labelled.T, axis=1) for piece in pieces]
    return np.asarray(np.clip(1.0 - np.concatenate(nearest), 0.0, 1.0), dtype=np.float64)


def threshold_of(bundle: Bundle, query: Query) -> float:
    """The bundle's threshold for the query's stratum, as a share; `UNDECIDED` where it always asks the strong model."""
    threshold = bundle.thresholds.get(query.stratum_name, bundle.thresholds["default"])
    return UNDECIDED if threshold is None else min(threshold, 1.0)


def _prioritise(
    engine: sa.Engine, settings: RunSettings, *, reference: str | None, also: Sequence[str], now: datetime
) -> Prioritised:
    with engine.connect() as connection:
        queries = list(shown_queries(connection))
    if not queries:
        raise PreceptorError("The store holds no query to score. Import some: preceptor label import FILE.")
    uri = settings.mlflow.tracking_uri
    bundle = bundle_of(reference or settings.bundle_reference, tracking_uri=uri)
    texts = [query.routing_text for query in queries]
    strata = [query.stratum_name for query in queries]
    probability = bundle.probabilities(texts, strata)
    others = [bundle_of(name, tracking_uri=uri).probabilities(texts, strata) for name in also]
    apart = disagreement(np.stack([probability, *others])) if others else None
    new, why_not_new = _novelty(bundle, settings, texts)
    name = f"{bundle.name} {bundle.sha256[:12]}"
    signals = (
        Signal(
            query_id=query.id,
            bundle=name,
            probability=float(probability[i]),
            threshold=threshold_of(bundle, query),
            disagreement=None if apart is None else float(apart[i]),
            novelty=None if new is None else float(new[i]),
        )
        for i, query in enumerate(queries)
    )
    remarks = [] if others else ["Disagreement is not measured: name another router's bundle with --also."]
    remarks += [why_not_new] if why_not_new else []
    return Prioritised(write_signals(engine, signals, now=now), name, tuple(remarks))


def _novelty(
    bundle: Bundle, settings: RunSettings, texts: Sequence[str]
) -> tuple[Float[np.ndarray, " n"] | None, str | None]:
    if bundle.facts.encoder is None:
        return None, f"Novelty is not measured: a router of family {bundle.family} has no encoder."
    files = [path for path in settings.data.files if path.exists()]
    wanted = set(settings.data.target_domains)
    labelled = [one.query.routing_text for one in read_outcomes(files) if one.query.domain in wanted] if files else []
    if not labelled:
        return None, "Novelty is not measured: data.files hold no labelled row of the target domains yet."
    folder = cache_folder() / "embeddings"
    vectors, known = (embed(some, bundle.encoder, folder=folder) for some in (texts, labelled))
    return novelty(vectors, known), None
