"""How well routers rank on real outcomes: `python -m benchmarks.quality --data DIR [--target NAME] [--json]`.

| column | router |
|---|---|
| base | matrix factorization fitted on rows of other domains (for mmlu medical: other subjects), never on the target |
| adapted | the base after LoRA on the target's training rows |
| similarity, words, combined | fitted on the target's training rows alone |
| joint | with `--joint`: combined, offered the other medical set's rows (gaps of another pair, moved to one mean) |
| stack | adapted, similarity, words and combined; weights from the other folds' out-of-fold scores |
| floors | random, prompt length, topic prior (it is told the topic, which no router is), TF-IDF ridge |

Texts are dealt into as many folds as there are seeds; seed i holds fold i out, so each row is tested once, by routers
that never saw its text. Every method has one set of defaults; strengths are chosen on training rows. Scores are
compared by rank within a fold. Intervals are 95 %, paired, from a bootstrap over texts: they cover the choice of test
rows, not of training rows. Calibration of the combined router: a fold's map is fitted on the other folds' out-of-fold
scores.
"""

import csv
import gzip
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import click
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import rankdata

from assurance.bootstrap import apgr_interval, paired_apgr_difference
from assurance.calibration import fit_calibrator
from assurance.reliability import check_calibration
from benchmarks.public_sets import (
    BASE_PAIR,
    TARGETS,
    Rows,
    Target,
    as_dict,
    as_text,
    cache_option,
    data_option,
    load_rows,
    say,
    seeds_option,
)
from core.calibrator import sigmoid
from core.fingerprint import of_text
from models.adaptation import Recipe, adapt, merge
from models.combined_adapt import LabelledRows, fit_adapted
from models.combined_fit import Labels, fit_combined
from models.embedding_cache import embed
from models.encoders import EncoderSpec, cache_folder, load_encoder
from models.factorization_fit import choose_l2, fit
from models.floors import FLOORS
from models.matrix_factorization import MatrixFactorization
from models.selection import grouped_folds
from models.similarity_fit import fit as fit_similarity
from models.stacking import fit_stack, verdict
from models.words import fit_words
from pipeline.split import normalised_text

MMLU_PAIR = ("mixtral-8x7b", "gpt-4-1106")
MMLU_TARGETS = {"mmlu": "", "mmlu medical": "medical"}
MEDICAL = frozenset(
    {"anatomy", "clinical_knowledge", "college_biology", "college_medicine", "human_aging"}
    | {"medical_genetics", "nutrition", "professional_medicine", "virology"}
)
MEMBERS = ("adapted", "similarity", "words", "combined")
JOINT = {"medagents": "mirage", "mirage": "medagents"}
"""Sets of one domain whose rows are offered to each other, though other models answered them."""


class Sets:
    """The public sets as rows by target, with the base that each target starts from."""

    def __init__(self, data: Path, cache: Path) -> None:
        """Read everything; embeddings come from the cache or are made."""
        self.cache, self.encoder = cache, load_encoder(EncoderSpec())
        self.rows = {name: load_rows(data / one.data, one.pair, one.domain) for name, one in TARGETS.items()}
        mmlu = _load_mmlu(data)
        is_medical = np.array([topic in MEDICAL for topic in mmlu.topics])
        self.rows |= {"mmlu": mmlu, "mmlu medical": _part(mmlu, is_medical)}
        self.others = {name: _other_models(data, target) for name, target in TARGETS.items()}
        self._general = load_rows(data / "mmlu-pro-outcomes", BASE_PAIR, "general")
        self._mmlu_rest = _part(mmlu, ~is_medical)
        self._bases: dict[str, MatrixFactorization] = {}

    def vectors(self, rows: Rows) -> Float[np.ndarray, "n d"]:
        """The rows' embeddings."""
        return embed(rows.texts, self.encoder, folder=self.cache)

    def beside(self, target: str, train: Int[np.ndarray, " n"], test: Int[np.ndarray, " m"]) -> LabelledRows:
        """The rows of the set that stands beside the target, without any text of its test rows."""
        rows, own = self.rows[JOINT[target]], self.rows[target]
        rows = rows.without(own.text_key[test])
        gap, own_gap = np.diff(rows.quality)[:, 0], np.diff(own.quality[train])[:, 0]
        labels = Labels(gap - gap.mean() + own_gap.mean(), rows.topics, groups=rows.text_key)
        return LabelledRows(rows.texts, self.vectors(rows), labels)

    def base(self, target: str) -> MatrixFactorization:
        """The router fitted on other rows; texts of any target are left out."""
        is_mmlu = target == "mmlu medical"
        name = "mmlu" if is_mmlu else "general"
        if name not in self._bases:
            targets = [rows.text_key for key, rows in self.rows.items() if not is_mmlu or key != "mmlu"]
            rows = (self._mmlu_rest if is_mmlu else self._general).without(np.concatenate(targets))
            pair, vectors = (MMLU_PAIR if is_mmlu else BASE_PAIR), self.vectors(rows)
            l2 = choose_l2(vectors, rows.quality, pair, groups=rows.text_key)
            self._bases[name] = fit(vectors, rows.quality, pair, l2=l2)
        base, pair = self._bases[name], _pair(target)
        return base.with_stand_ins(dict(zip(pair, MMLU_PAIR if is_mmlu else BASE_PAIR, strict=True)))


def measure(sets: Sets, name: str, *, n_seeds: int, joint: bool = False) -> dict[str, Any]:
    """Every figure of one target."""
    rows, base, pair = sets.rows[name], sets.base(name), _pair(name)
    embeddings, others = sets.vectors(rows), sets.others.get(name)
    gap, keys = rows.quality[:, 1] - rows.quality[:, 0], rows.text_key
    fold = grouped_folds(len(gap), n_folds=n_seeds, seed=0, groups=keys)
    joint = joint and name in JOINT
    columns = ("base", *MEMBERS, *(["joint"] if joint else []), "stack", *FLOORS)
    raw, base_weights = {column: np.zeros(len(gap)) for column in columns}, []
    for seed in range(n_seeds):
        train, test = np.flatnonzero(fold != seed), np.flatnonzero(fold == seed)
        texts, test_texts = [rows.texts[i] for i in train], [rows.texts[i] for i in test]
        topics, seen, unseen = [rows.topics[i] for i in train], embeddings[train], embeddings[test]
        raw["base"][test] = sigmoid(base.score_embeddings(unseen, weak=pair[0], strong=pair[1]))
        adapter = adapt(base, seen, gap[train], pair=pair, groups=keys[train], recipe=Recipe(seed=seed))
        raw["adapted"][test] = merge(base, adapter).score_embeddings(unseen, weak=pair[0], strong=pair[1])
        similarity = fit_similarity(seen, gap[train], groups=keys[train], seed=seed)
        raw["similarity"][test] = similarity.score_embeddings(unseen)
        raw["words"][test] = fit_words(texts, gap[train], groups=keys[train], seed=seed)[0].score_texts(test_texts)
        labels = Labels(gap[train], topics, others[train] if others is not None else None, groups=keys[train])
        combined = fit_combined(texts, seen, labels, seed=seed)
        raw["combined"][test] = combined.router.score_texts(test_texts, unseen)
        if joint:
            fitted = fit_adapted(LabelledRows(texts, seen, labels), sets.beside(name, train, test), seed=seed)
            raw["joint"][test] = fitted.fit.router.score_texts(test_texts, unseen)
            base_weights.append(fitted.base_weight)
        for floor, fit_floor in FLOORS.items():
            raw[floor][test] = fit_floor(texts, topics, gap[train], seed=seed)(
                test_texts, [rows.topics[i] for i in test]
            )
        say(f"  {name}: fold {seed + 1} of {n_seeds}")
    stacked(raw, gap, fold)
    probability = calibrated(raw["combined"], gap > 0, fold)
    scores = {column: _ranked(values, fold) for column, values in raw.items()}
    figures = figures_of(rows, scores, probability)
    if joint:
        figures["joint_weights"] = base_weights
    return figures | {"pair": list(pair), "n_train": int(len(gap) * (1 - 1 / n_seeds))}


def stacked(raw: dict[str, Float[np.ndarray, " n"]], gap: Float[np.ndarray, " n"], fold: Int[np.ndarray, " n"]) -> None:
    """Fill the stack's column, fold by fold, by weights fitted on the other folds."""
    columns = np.stack([raw[member] for member in MEMBERS], axis=1)
    for held_out in np.unique(fold):
        stack = fit_stack(columns[fold != held_out], gap[fold != held_out], member_names=MEMBERS)
        raw["stack"][fold == held_out] = stack.score(columns[fold == held_out])


def calibrated(
    scores: Float[np.ndarray, " n"], events: Bool[np.ndarray, " n"], fold: Int[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """Probabilities of each fold's rows, by the map fitted on the other folds' out-of-fold scores."""
    probability = np.zeros(len(scores))
    for held_out in np.unique(fold):
        calibrator = fit_calibrator(scores[fold != held_out], events[fold != held_out])
        probability[fold == held_out] = calibrator.apply(scores[fold == held_out])
    return probability


def figures_of(
    rows: Rows, scores: Mapping[str, Float[np.ndarray, " n"]], probability: Float[np.ndarray, " n"]
) -> dict[str, Any]:
    """APGR of every column, the best router against each floor, the stack against each member, and calibration."""
    weak, strong, keys = rows.quality[:, 0], rows.quality[:, 1], rows.text_key
    apgr = {name: apgr_interval(column, weak, strong, rng=_rng(), groups=keys) for name, column in scores.items()}

    def minus(name: str, other: str) -> dict[str, float]:
        gap = strong - weak
        return as_dict(paired_apgr_difference(scores[name], scores[other], gap, rng=_rng(), groups=keys))

    best = max((name for name in scores if name not in FLOORS), key=lambda name: apgr[name].estimate)
    against_members = {member: minus("stack", member) for member in MEMBERS}
    events = strong > weak
    check = check_calibration(probability, events, rng=_rng())
    gain = (probability - events) ** 2 - (events.mean() - events) ** 2
    margin = 1.96 * float(gain.std()) / np.sqrt(len(gain))
    brier_less = {
        "estimate": float(gain.mean()),
        "low": float(gain.mean() - margin),
        "high": float(gain.mean() + margin),
    }
    return {
        "n_rows": len(weak),
        "apgr": {name: as_dict(interval) for name, interval in apgr.items()},
        "best": best,
        "best_minus_floor": {floor: minus(best, floor) for floor in FLOORS},
        "combined_minus": {name: minus("combined", name) for name in scores if name != "combined"},
        "stack_minus_member": against_members,
        "stack_verdict": verdict(
            {m: (d["estimate"], d["low"], d["high"]) for m, d in against_members.items()}
        ).sentence,
        "calibration": check.model_dump(exclude={"bins"}) | {"brier_minus_base_rate": brier_less},
    }


def table(figures: Mapping[str, Any]) -> str:
    """The figures for people."""
    lines = [f"APGR with 95 % intervals; each row tested once in {figures['n_seeds']} folds; random is 0.5."]
    for name, one in figures["targets"].items():
        lines.append(f"\n{name}: {one['n_rows']} rows, {one['n_train']} labels a fold, {' / '.join(one['pair'])}")
        for router, interval in one["apgr"].items():
            less = one["combined_minus"].get(router)
            tail = f"   combined minus it {as_text(less, '+')}" if less else ""
            lines.append(f"  {router:14} {as_text(interval)}{tail}")
        beaten = ", ".join(f"{floor} {as_text(gain, '+')}" for floor, gain in one["best_minus_floor"].items())
        check = one["calibration"]
        lines += [
            f"  best router: {one['best']}; minus floors: {beaten}",
            f"  {one['stack_verdict']}",
            f"  calibration: ECE {check['ece']:.4f} (95 % of perfect models below {check['ece_null_high']:.4f}), "
            f"Brier {check['brier']:.4f} (base rate {check['brier_base_rate']:.4f}; less "
            + "{estimate:+.4f} [{low:+.4f}, {high:+.4f}])".format(**check["brier_minus_base_rate"]),
        ]
        if "joint_weights" in one:
            lines.append(f"  weight of the other set's rows by fold, 0: left out: {one['joint_weights']}")
    return "\n".join(lines)


def _pair(target: str) -> tuple[str, str]:
    return MMLU_PAIR if target in MMLU_TARGETS else TARGETS[target].pair


def _part(rows: Rows, kept: np.ndarray) -> Rows:
    places = np.flatnonzero(kept).tolist()
    return Rows(
        [rows.texts[i] for i in places], [rows.topics[i] for i in places], rows.text_key[places], rows.quality[places]
    )


def _load_mmlu(data: Path) -> Rows:
    with gzip.open(data / "routellm" / "mmlu_responses.csv.gz", "rt", encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["contaminated"].lower() not in {"true", "1"}]
    texts = [row["prompt"] for row in rows]
    is_true = {"true": 1.0, "1": 1.0, "false": 0.0, "0": 0.0}
    return Rows(
        texts,
        [row["subject"] for row in rows],
        np.array([int(of_text(normalised_text(text))[:15], 16) for text in texts]),
        np.array([[is_true[row[f"{tier}_correct"].lower()] for tier in ("weak", "strong")] for row in rows]),
    )


def _other_models(data: Path, target: Target) -> Float[np.ndarray, "n M"] | None:
    """Qualities of the models that answered every row of the target, the pair left out."""
    with gzip.open(data / target.data / "outcomes.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    results = [row["results"] for row in rows if row["domain"] == target.domain]
    results = [one for one in results if all(model in one for model in target.pair)]
    complete = sorted(set.intersection(*(set(one) for one in results)) - set(target.pair))
    return np.array([[float(one[model]["correct"]) for model in complete] for one in results]) if complete else None


def _ranked(values: Float[np.ndarray, " n"], fold: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    ranks = np.zeros(len(values))
    for one in np.unique(fold):
        ranks[fold == one] = rankdata(values[fold == one]) / np.sum(fold == one)
    return ranks


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def run(data: Path, *, targets: Sequence[str], n_seeds: int, cache: Path, joint: bool = False) -> dict[str, Any]:
    """Every figure by target."""
    sets = Sets(data, cache)
    return {
        "n_seeds": n_seeds,
        "targets": {name: measure(sets, name, n_seeds=n_seeds, joint=joint) for name in targets},
    }


ALL_TARGETS = (*TARGETS, *MMLU_TARGETS)


@click.command()
@data_option
@seeds_option
@click.option("--target", "targets", multiple=True, type=click.Choice(ALL_TARGETS), help="Only this one; may repeat.")
@click.option("--joint", is_flag=True, help="Also train the two medical sets together.")
@cache_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(data: Path, n_seeds: int, targets: tuple[str, ...], joint: bool, cache: Path | None, as_json: bool) -> None:
    """Measure every router and floor. Example: python -m benchmarks.quality --data ../data --json."""
    cache = cache or cache_folder() / "embeddings"
    figures = run(data, targets=targets or ALL_TARGETS, n_seeds=n_seeds, cache=cache, joint=joint)
    click.echo(json.dumps(figures, indent=1) if as_json else table(figures))


if __name__ == "__main__":
    main()
