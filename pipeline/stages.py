"""The journey of a run, stage by stage. Read this file to know what `preceptor run` does.

    files -> prepare -> split -> embed -> train -> calibrate -> suspect -> certify -> evaluate -> register -> promote
                                            |         |           |          |           |           |          |
                                   base and adapted   |     classifier of    |     figures with  bundle, a    alias
                                        router    calibrator  weak answers   |      intervals   model ver. `challenger`
                                                  threshold    (if asked)  certificate report.html
                                                                         (if asked)

Each function reads the folders of earlier stages (`work.inputs`) and writes its own (`work.out`).
The champion is never moved here: that is `preceptor promote`, with gates and a second person.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from jaxtyping import Int
from safetensors.numpy import save_file

from core import fingerprint
from core.errors import NotEnoughLabels
from core.outcomes import read_outcomes
from core.settings import RunSettings
from models.embedding_cache import embed as embed_cached
from models.encoders import EncoderSpec, load_encoder
from pipeline.assessing import evaluate
from pipeline.certifying import certify_run
from pipeline.engine import Stage, Work
from pipeline.fitting import reads_vectors
from pipeline.releasing import promote, register
from pipeline.results import read_json, write_json
from pipeline.split import assign_parts, commonest_chance, components, crossing_components, with_certify_rows
from pipeline.suspecting import suspect
from pipeline.table import OutcomeTable, load_table, save_table, table_of
from pipeline.taking import seen_by_taken, sha256_of_taken
from pipeline.tracking import TrackedRun
from pipeline.training import calibrate, train
from verifiers.assembling import verifier_policy


def stages_of(settings: RunSettings, tracked: TrackedRun | None = None) -> list[Stage]:
    """The stages of a run, each with what its outcome depends on.

    Args:
        settings: the YAML.
        tracked: the open MLflow run; None is enough to make a plan.
    """
    s = settings
    pair = {"weak": s.pair.weak.name, "strong": s.pair.strong.name}

    def files() -> object:
        return [[str(path), fingerprint.of_file(path) if path.is_file() else None] for path in s.data.all_files]

    def of(*sections: str) -> object:
        return {"pair": pair} | {name: s.model_dump(mode="json")[name] for name in sections}

    return [
        Stage("prepare", "read the outcomes", partial(prepare, s), lambda: [of("data"), files()], revision=4),
        Stage(
            "split",
            "divide the rows",
            partial(split, s),
            lambda: [of("data", "split"), sha256_of_taken(s)],
            ("prepare",),
            revision=2,
        ),
        Stage(
            "embed", "encode the queries", partial(embed, s), lambda: [of("encoder"), reads_vectors(s)], ("prepare",)
        ),
        Stage(
            "train",
            "fit the base router, adapt it to the target",
            partial(train, s, tracked),
            lambda: [of("router", "adaptation", "network", "training", "threads"), sha256_of_taken(s)],
            ("prepare", "split", "embed"),
            revision=3,
        ),
        Stage(
            "calibrate",
            "turn scores into probabilities, set the threshold",
            partial(calibrate, s),
            lambda: of("calibration", "threshold"),
            ("prepare", "split", "train"),
            revision=3,
        ),
        Stage(
            "suspect",
            "learn which weak answers are wrong (if asked)",
            partial(suspect, s, tracked),
            lambda: _suspect_depends(s, of),
            ("prepare", "split", "embed"),
        ),
        Stage(
            "certify",
            "show that thresholds keep their promise",
            partial(certify_run, s),
            lambda: [
                of("certificate", "verifiers", "threshold"),
                s.makes_certificate,
                verifier_policy(s.verifiers, s.data.target_domains),
            ],
            ("prepare", "split", "embed", "train", "calibrate", "suspect"),
        ),
        Stage(
            "evaluate",
            "measure on unseen rows, write the report",
            partial(evaluate, s),
            lambda: of("evaluation", "name"),
            ("prepare", "split", "embed", "train", "calibrate", "suspect", "certify"),
            revision=3,
        ),
        Stage(
            "register",
            "register base and adapted router as model versions",
            partial(register, s, tracked),
            lambda: [of("name", "mlflow", "verifiers"), verifier_policy(s.verifiers, s.data.target_domains)],
            ("prepare", "split", "embed", "train", "calibrate", "suspect", "certify", "evaluate"),
            revision=4,
        ),
        Stage(
            "promote",
            "point the alias `challenger` at the adapted router",
            partial(promote, s),
            lambda: of("name", "mlflow", "store_url"),
            ("register",),
        ),
    ]


def _suspect_depends(settings: RunSettings, of: Callable[..., object]) -> object:
    """What the classifier depends on: nothing where there is none, the networks where one is fine-tuned."""
    asked = settings.verifiers.suspicion
    if asked.family is None:
        return None
    own = [asked.family, asked.pass_share, settings.threads]
    return [own, of(*(("network", "training") if asked.family == "bert" else ("encoder",)))]


def prepare(settings: RunSettings, work: Work) -> None:
    """Read every outcome file into one table; a bad row stops the run and is named."""
    outcomes = read_outcomes(settings.data.all_files)
    n_certify = len(read_outcomes(settings.data.certify_files))
    table = table_of(outcomes)
    save_table(table, work.out)
    known = table.has_pair(settings.pair.weak.name, settings.pair.strong.name)
    summary = {
        "data_sha256": fingerprint.of_json([fingerprint.of_file(path) for path in settings.data.all_files]),
        "rows": len(table),
        "rows_with_both_models": int(known.sum()),
        "rows_to_certify_alone": n_certify,
        "rows_by_domain": _counts(table.domains),
        "rows_by_source": _counts([str(outcome.source) for outcome in outcomes]),
        "mean_quality": {model: float(np.nanmean(table.quality[:, j])) for j, model in enumerate(table.models)},
    }
    write_json(work.out / "summary.json", summary)


def split(settings: RunSettings, work: Work) -> None:
    """Divide the rows; refuse when a group crosses parts or a part is empty."""
    table = load_table(work.inputs["prepare"])
    n_certify = read_json(work.inputs["prepare"] / "summary.json")["rows_to_certify_alone"]
    component, parts = divided(settings, table, n_certify=n_certify)
    crossing = crossing_components(component, parts)
    assert crossing == 0, f"{crossing} groups cross parts"
    save_file({"component": component}, work.out / "component.safetensors")
    write_json(work.out / "parts.json", list(parts))
    first = len(table) - n_certify
    tied = np.isin(component[:first], component[first:])
    summary = {
        "rows_by_part": _counts(parts),
        "groups_in_more_than_one_part": crossing,
        "rows_tied_to_rows_to_certify": int(tied.sum()),
        "rows_to_certify_left_out": parts[first:].count("left_out"),
    }
    write_json(work.out / "summary.json", summary)


def divided(
    settings: RunSettings, table: OutcomeTable, *, n_certify: int = 0
) -> tuple[Int[np.ndarray, " n"], tuple[str, ...]]:
    """The component and the part of each row; the last `n_certify` rows are for the certificate alone.

    Raises:
        NotEnoughLabels: no row is of the target domains, or a part that the run needs has no row.
    """
    is_target = np.isin(table.domains, settings.data.target_domains)
    if not is_target.any():
        raise NotEnoughLabels(
            f"No row is of the target domains {', '.join(settings.data.target_domains)}. "
            f"The files hold {', '.join(_counts(table.domains))}; correct data.target_domains."
        )
    component = components(table.texts, table.groups)
    has_pair = table.has_pair(settings.pair.weak.name, settings.pair.strong.name)
    parts = assign_parts(
        component,
        table.texts,
        is_target,
        has_pair,
        shares=(settings.split.train, settings.split.calibrate, settings.split.certify),
        seed=settings.split.seed,
    )
    if n_certify:
        is_alone = np.arange(len(table)) >= len(table) - n_certify
        is_fit = is_target & has_pair
        fit = np.flatnonzero(is_alone & is_fit)
        is_fit[fit] = commonest_chance(table.inclusion_probability[fit], [table.strata[i] for i in fit])
        parts = with_certify_rows(parts, component, is_alone, is_fit)
    seen = component[seen_by_taken(settings, table)]
    parts = tuple("left_out" if tied else part for part, tied in zip(parts, np.isin(component, seen), strict=True))
    counts = _counts(parts)
    needed = ("base", "train", "calibrate", *(("certify",) if settings.makes_certificate else ()), "test")
    for part in needed:
        if not counts.get(part):
            raise NotEnoughLabels(
                f"The split leaves no row for '{part}' (rows by part: {counts}). "
                "Add rows, or change split.train, split.calibrate and split.certify."
            )
    return component, parts


def embed(settings: RunSettings, work: Work) -> None:
    """Encode each text once, ever: vectors are cached by content beside the runs. Nothing to do where none are read."""
    table = load_table(work.inputs["prepare"])
    if not reads_vectors(settings):
        save_file({"embeddings": np.zeros((len(table), 0), dtype=np.float32)}, work.out / "embeddings.safetensors")
        write_json(work.out / "encoder.json", None)
        return
    e = settings.encoder
    spec = EncoderSpec(name=e.name, runtime=e.runtime, max_tokens=e.max_tokens)
    encoder = load_encoder(spec, n_threads=settings.threads)
    n = len(table)
    vectors = embed_cached(
        table.texts,
        encoder,
        folder=settings.folder / "embeddings",
        on_batch=lambda done: work.progress("queries encoded", done, n),
    )
    save_file({"embeddings": vectors}, work.out / "embeddings.safetensors")
    write_json(work.out / "encoder.json", {"spec": spec.model_dump(mode="json"), "sha256": encoder.sha256})


def _counts(values: Sequence[str]) -> dict[str, int]:
    return {value: values.count(value) for value in dict.fromkeys(values)}
