"""Fine-tunes a text network into a router: dev rows by group, the training loop, back through the router's files.

Knows nothing of domains, pairs or judgements: rows come with targets, weights and groups.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Shaped

from core.errors import NotEnoughLabels
from models.file_tree import below, put_files, within
from models.minilm_classifier import MinilmClassifier
from models.networks.building import (
    CHECKPOINT,
    TextNetwork,
    build_network,
    checkpoint_files,
    tokenizer_json,
)
from models.networks.reading import TextReader, plain_tokenizer
from models.networks.spec import Lora, NetworkSpec
from models.text_router import TextRouter, record_file
from models.training.job import Job, write_job
from models.training.network import Examples
from models.training.progress import StepReport, Trained
from models.training.recipe import TrainingRecipe
from models.training.weights import set_weights
from models.training.worker import run_job

Keep = Literal["adapter", "merged"]


@dataclass(frozen=True)
class TextLabels:
    """What is known of n texts: a text network's rows."""

    texts: Sequence[str]
    targets: Float[np.ndarray, "n 3"]
    """Probability of (strong, either, neither), as `models.targets.targets_of` gives it; rows sum to 1."""
    weights: Float[np.ndarray, " n"]
    gap: Float[np.ndarray, " n"]
    """Quality of the strong answer minus that of the weak one."""
    groups: Shaped[np.ndarray, " n"]
    """Rows of one group are never split between training and dev rows."""

    def rows(self, chosen: Bool[np.ndarray, " n"]) -> "TextLabels":
        """The chosen rows, in order."""
        texts = [self.texts[int(i)] for i in np.flatnonzero(chosen)]
        return TextLabels(
            texts, self.targets[chosen], self.weights[chosen], self.gap[chosen], np.asarray(self.groups)[chosen]
        )


@dataclass(frozen=True)
class TextTraining:
    """How and where a fine-tuning runs."""

    recipe: TrainingRecipe
    folder: Path
    """Of this training alone: an interrupted one is taken up from what it left here."""
    keep: Keep = "adapter"
    """What the router holds: its update beside the base's name and hash, or merged weights. Full fine-tuning merges."""
    dev_share: float = 0.15
    """Share of the groups whose rows choose when to stop; 0: none, and every epoch is run."""
    processes: int = 1
    """Training processes on this machine: one a GPU, or CPU processes."""


@dataclass(frozen=True)
class FineTuned:
    """A fine-tuned router and how it came about."""

    router: TextRouter
    trained: Trained
    n_train: int
    n_dev: int
    n_truncated: int
    """Rows that were longer than the network reads and were cut in their middle."""


def fine_tune(
    start: NetworkSpec | TextRouter | MinilmClassifier,
    labels: TextLabels,
    training: TextTraining,
    *,
    on_step: Callable[[StepReport], None] = lambda report: None,
) -> FineTuned:
    """A router fine-tuned on labelled texts.

    Starting from a router adapts it: its update is merged into its base, and a new update is trained on top. The router
    itself is not changed. What comes back was read from its own files, so it scores as it will when it is loaded.

    Args:
        start: a described network, or the router to adapt. The recipe decides update and seed; the length that a router
            reads stays.
        labels: at least one row to train on and, with a dev share, one group for the dev rows.
        training: how.
        on_step: told of every optimiser step.

    Raises:
        BundleError: the base is missing or another than described.
        NotEnoughLabels: there are too few groups to set dev rows aside.
        SettingsError: a target module's name matches no layer.
        TrainingError: the training could not go on.
        MissingExtra: torch, transformers, peft or accelerate is not installed.
    """
    job, n_truncated, files = training_job(start, labels, training)
    folder = training.folder / "job"
    write_job(job, folder)
    trained = run_job(folder, processes=training.processes, on_step=on_step)
    network = build_network(job.description)
    set_weights(network.module, trained.weights)
    router_files = files_of_trained(network, files, keep=training.keep)
    del network
    router = TextRouter.from_files(router_files, n_threads=training.recipe.n_threads)
    return FineTuned(router, trained, len(job.train), len(job.dev), n_truncated)


def training_job(
    start: NetworkSpec | TextRouter | MinilmClassifier, labels: TextLabels, training: TextTraining
) -> tuple[Job, int, dict[str, bytes]]:
    """What the engine is given, how many rows were cut, and the files that the network starts from.

    For a dry run: the job's lengths and sizes say what the training will cost.

    Raises:
        BundleError: the base is missing.
        NotEnoughLabels: there are too few groups to set dev rows aside.
    """
    spec, files = _beginning(start, training.recipe)
    description: dict[str, Any] = {"spec": spec.model_dump(mode="json")}
    if files:
        put_files(files, training.folder / "start")
        description["starts_from"] = str(training.folder / "start")
    reader = TextReader(plain_tokenizer(tokenizer_json(spec, files)), spec.frame)
    is_dev = dev_rows(labels.groups, share=training.dev_share, seed=training.recipe.seed)
    rows, dev = (examples_of(reader, labels.rows(chosen)) for chosen in (~is_dev, is_dev))
    return Job(description=description, train=rows, dev=dev, recipe=training.recipe), reader.n_truncated, files


def examples_of(reader: TextReader, labels: TextLabels) -> Examples:
    """The rows as the training engine takes them, made to ids as scoring makes them."""
    return Examples(
        input_ids=reader.ids(labels.texts),
        targets=np.asarray(labels.targets, dtype=np.float64),
        weights=np.asarray(labels.weights, dtype=np.float64),
        gap=np.asarray(labels.gap, dtype=np.float64),
    )


def dev_rows(groups: Shaped[np.ndarray, " n"], *, share: float, seed: int) -> Bool[np.ndarray, " n"]:
    """Which rows choose when to stop: those of a random `share` of the groups, at least of one group.

    Raises:
        NotEnoughLabels: fewer than two groups and a share above 0.

    >>> dev_rows(np.array(["a", "a", "b", "b"]), share=0.5, seed=0).sum()
    np.int64(2)
    """
    groups = np.asarray(groups)
    if share <= 0:
        return np.zeros(len(groups), dtype=bool)
    names, unit_of_row = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        raise NotEnoughLabels(
            f"All {len(groups)} rows are of {len(names)} group, so none can be set aside to choose when to stop. "
            "Collect more labelled queries, or set training.dev_share to 0."
        )
    n_dev = min(max(round(share * len(names)), 1), len(names) - 1)
    is_dev = np.zeros(len(names), dtype=bool)
    is_dev[np.random.default_rng(seed).permutation(len(names))[:n_dev]] = True
    return np.asarray(is_dev[unit_of_row])


def files_of_trained(network: TextNetwork, started_from: Mapping[str, bytes], *, keep: Keep) -> dict[str, bytes]:
    """A trained network as a router's files; the network is used up.

    Args:
        network: what `build_network` gave, trained.
        started_from: files of the router that it started from; empty where it started from a plain checkpoint.
        keep: `adapter` or `merged`; full fine-tuning is always merged.
    """
    from models.networks.updates import merged, update_files

    spec = network.spec
    earlier = {name: content for name, content in started_from.items() if not name.startswith("update/")}
    if spec.lora is not None and keep == "adapter":
        update = update_files(network.module.core, "default", base=spec.base)
        return {**earlier, **record_file(spec), **below(update, "update")}
    tokenizer = tokenizer_json(spec, started_from)
    if spec.lora is not None:
        network.module.core = merged(network.module.core)
    checkpoint, sha256 = checkpoint_files(network, tokenizer)
    whole = spec.model_copy(update={"base": None, "base_sha256": sha256, "before_sha256": (), "lora": None})
    return {**record_file(whole), **below(checkpoint, CHECKPOINT)}


def _beginning(
    start: NetworkSpec | TextRouter | MinilmClassifier, recipe: TrainingRecipe
) -> tuple[NetworkSpec, dict[str, bytes]]:
    """The record to train by and the files that it needs: of the updates before, or of a merged base."""
    own = {"lora": Lora.of(recipe), "seed": recipe.seed}
    if isinstance(start, NetworkSpec):
        return start.model_copy(update=own), {}
    from models.networks.updates import update_sha256

    files = start.to_files()
    files.pop("network.json")
    update = within(files, "update")
    before = start.spec.before_sha256
    if update:
        files = {name: content for name, content in files.items() if not name.startswith("update/")}
        files |= below(update, f"before/{len(before)}")
        before = (*before, update_sha256(update))
    return start.spec.model_copy(update={**own, "before_sha256": before}), files
