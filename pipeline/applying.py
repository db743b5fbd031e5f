"""A bundle applied to a file: scores for every query, or figures on outcomes with the floors beside them."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from pydantic import ValidationError

from assurance.bootstrap import Interval
from assurance.certificates import Rows
from core.certificate_settings import CertificateSettings
from core.errors import DataError
from core.outcomes import query_of, read_outcomes
from core.reading import read_rows
from core.records import Query
from models.bundle import Bundle, load_bundle
from models.encoders import cache_folder
from models.registry import fetch_bundle
from pipeline.evaluation import Evaluation, crossfitted_floors, evaluate_routers
from pipeline.novel_pair import check_novel_pair
from pipeline.split import components
from pipeline.table import table_of


def bundle_of(reference: str, *, tracking_uri: str) -> Bundle:
    """The bundle behind a folder or a models:/ reference, every hash checked.

    Raises:
        RegistryError: the registry does not know the name, version or alias.
        BundleError: the bundle is absent, altered or of another format.
    """
    return load_bundle(fetch_bundle(reference, tracking_uri=tracking_uri, cache=cache_folder() / "bundles"))


def score_file(reference: str, source: Path, output: Path, *, tracking_uri: str) -> int:
    """Write one probability a line for the queries of `source`; how many. The file appears when it is complete.

    Raises:
        DataError: a row holds no query; all of them are named, and nothing is written.
    """
    queries: list[Query] = []
    faults: list[str] = []
    for row in read_rows(source):
        try:
            queries.append(query_of(row))
        except ValidationError as error:
            faults.extend(f"{row.place}: {fault['msg']}" for fault in error.errors())
        except ValueError as error:
            faults.append(f"{row.place}: {error}")
    if faults:
        raise DataError(faults, "Mend these rows, then run the command again.")
    bundle = bundle_of(reference, tracking_uri=tracking_uri)
    probabilities = bundle.probabilities(
        [query.routing_text for query in queries], [query.stratum_name for query in queries]
    )
    partial = output.with_name(output.name + ".partial")
    partial.write_text("".join(f"{probability:.6f}\n" for probability in probabilities), encoding="ascii")
    partial.replace(output)
    return len(queries)


def evaluate_bundle(
    reference: str,
    data: Sequence[Path],
    *,
    pair: tuple[str | None, str | None],
    domains: Sequence[str],
    n_resamples: int,
    tracking_uri: str,
) -> Evaluation:
    """Figures of the bundle on every row that knows both models, beside floors fitted out of fold on these rows.

    Where the pair is another than the bundle's, it is checked whether the bundle may be taken up for that one, by the
    promise that the bundle's own settings make.

    Raises:
        DataError: the rows cannot be read, or hold no outcome of a model of the pair.
        NotEnoughLabels: too few rows to measure on.
    """
    table = table_of(read_outcomes(data))
    bundle = bundle_of(reference, tracking_uri=tracking_uri)
    weak, strong = pair[0] or bundle.weak, pair[1] or bundle.strong
    chosen = table.has_pair(weak, strong)
    if domains:
        chosen &= np.isin(table.domains, domains)
    table = table.rows(chosen)
    quality = table.pair_quality(weak, strong)
    component = components(table.texts, table.groups)
    scores: dict[str, Float[np.ndarray, " n"]] = {}
    if len(table):
        scores["bundle"] = bundle.probabilities(table.texts, table.strata)
        scores |= crossfitted_floors(table.texts, table.topics, quality[1] - quality[0], component)
    measured = evaluate_routers(scores, quality, pair=(weak, strong), groups=component, n_resamples=n_resamples)
    seen = bundle.papers.seen
    n_trained_rows = None if seen is None else int(seen.contains(table.texts).sum())
    novel = None
    if (weak, strong) != (bundle.weak, bundle.strong):
        rows = Rows(scores["bundle"], *quality)
        made_with = bundle.papers.settings
        terms = CertificateSettings.model_validate(made_with.get("certificate", {}))
        rng = np.random.default_rng(0)
        novel = check_novel_pair(rows, (weak, strong), groups=component, terms=terms, rng=rng)
    return measured.model_copy(update={"n_trained_rows": n_trained_rows, "novel_pair": novel})


def warning_of(evaluation: Evaluation) -> str | None:
    """What must be known before the figures are believed; None when nothing stands against them."""
    n = evaluation.n_trained_rows
    if n is None:
        return "The bundle keeps no hashes of its questions: whether it was trained on these rows cannot be said."
    if n:
        return (
            f"{n} of {evaluation.n} rows have questions that the bundle was trained or calibrated on; "
            "the figures flatter it. Measure on rows that it has not seen."
        )
    return None


def evaluation_json(evaluation: Evaluation) -> str:
    """One JSON object: the bundle's figures at the top, the floors below, each with its interval."""
    first, *floors = evaluation.routers
    figures = {name: router.model_dump(mode="json") for name, router in evaluation.routers.items()}
    facts = evaluation.model_dump(
        mode="json", include={"n", "novel_pair", "n_trained_rows", "weak", "strong", "weak_quality", "strong_quality"}
    )
    better_than = {name: gain.model_dump(mode="json") for name, gain in evaluation.better_than.items()}
    return json.dumps(
        {**facts, **figures[first], "floors": {name: figures[name] for name in floors}, "better_than": better_than}
    )


def evaluation_text(evaluation: Evaluation) -> str:
    """The same as a table."""
    lines = [
        f"{evaluation.n} rows, {evaluation.weak} {evaluation.weak_quality:.3f}, "
        f"{evaluation.strong} {evaluation.strong_quality:.3f} mean quality; 95 % intervals",
        "",
        f"{'':<14}  {'APGR':<22}  {'CPT(50 %)':<22}  {'CPT(80 %)':<22}  bundle better by",
    ]
    for name, figures in evaluation.routers.items():
        gain: Interval | str = evaluation.better_than.get(name, "")
        columns = "  ".join(f"{figure!s:<22}" for figure in (figures.apgr, figures.cpt50, figures.cpt80))
        lines.append(f"{name:<14}  {columns}  {gain}".rstrip())
    if evaluation.novel_pair is not None:
        lines += ["", evaluation.novel_pair.sentence]
    return "\n".join(lines)
