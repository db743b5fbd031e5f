"""LoRA on the encoder, together with the pair's vector: what the text means may change, where the vector alone fails.

    P(strong) = sigmoid(u . (e(text) - center) * scale + b)

Two ways to learn are tried on the labels, a grouped share of which is held out from both. One moves u and b alone, as
in `models.shrinkage`. The other trains them together with a low-rank update of the attention's query and value in e, by
the logistic loss on (1 + gap) / 2, so a tie is half a win; u is pulled back to the base router's. The epoch that ranks
the held-out share best is kept. If none ranks it better than u moved alone, e stays as it was, and u is what all labels
make of it.

An epoch of 635 texts takes 9 s on one core at 17 tokens a text and 27 s at 45 (all-MiniLM-L6-v2). Training and running
need torch and stay on the CPU; the update is PEFT's two files, and the adapted encoder has a hash of its own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped

from core.errors import BundleError, DataError, NotEnoughLabels
from core.fingerprint import of_json
from models.encoder_training import EncoderRecipe, TrainableEncoder, Training, TrainingRows
from models.encoders import EncoderSpec
from models.matrix_factorization import MatrixFactorization, PairScorer
from models.networks.updates import load_update, merged, update_sha256
from models.selection import grouped_folds, ranking_gain
from models.shrinkage import choose_strength, move_from
from models.torch_encoder import TorchEncoder

FEWEST_OF_ALL = 20
"""Below this, nothing is adapted."""

FEWEST_LABELS = 100
"""Below this, the held-out share has too few rows to tell one epoch from another: the vector alone is moved."""

DEV_FOLDS = 5
"""One of so many folds is held out."""


@dataclass(frozen=True)
class DomainLabels:
    """Labelled queries of one domain and pair."""

    texts: Sequence[str]
    gap: Float[np.ndarray, " n"]
    """Quality of the strong answer minus that of the weak one, in [-1, 1]."""
    groups: Shaped[np.ndarray, " n"] | None = None
    """Rows of one group share the split; None: each row alone."""
    weights: Float[np.ndarray, " n"] | None = None
    """How much each row counts, > 0, as `models.targets.row_weights` gives it; None: each once."""


@dataclass(frozen=True)
class EncoderUpdate:
    """A trained update of one encoder, and the pair's vector that reads the encoder so updated."""

    files: Mapping[str, bytes]
    """adapter_config.json and adapter_model.safetensors, as PEFT writes them."""
    spec: EncoderSpec
    base_encoder_sha256: str
    head: PairScorer
    best_epoch: int
    """0: no epoch ranked the held-out rows better than the vector alone did; the encoder is the base encoder."""
    held_out_gains: tuple[float, ...]
    """`ranking_gain` on the held-out rows: of the vector moved alone, then after each epoch. Empty: too few labels to
    hold out any."""
    n_labels: int

    @property
    def encoder_sha256(self) -> str:
        """Hash of the adapted encoder: of its base and of the update."""
        return of_json({"base": self.base_encoder_sha256, "update": update_sha256(self.files)})


class AdaptedEncoder(TorchEncoder):
    """The base encoder with an update merged in: as fast as the base, and told from it by its hash.

    Raises:
        BundleError: the base here is another one, or the update does not fit it.
        MissingExtra: torch, transformers or peft is not installed.
    """

    def __init__(self, update: EncoderUpdate, *, n_threads: int = 1) -> None:
        super().__init__(update.spec, n_threads=n_threads)
        if self.sha256 != update.base_encoder_sha256:
            raise BundleError(
                f"The update belongs to encoder {update.base_encoder_sha256[:12]}, and '{update.spec.name}' here is "
                f"{self.sha256[:12]}. Install that encoder, or train on this one."
            )
        self._model = merged(load_update(self._model, update.files, "default")).eval()
        self.sha256 = update.encoder_sha256


def adapt_encoder(
    labels: DomainLabels,
    base: MatrixFactorization,
    pair: tuple[str, str],
    *,
    spec: EncoderSpec,
    recipe: EncoderRecipe,
    on_epoch: Callable[[int, float], None] = lambda epoch, gain: None,
) -> EncoderUpdate:
    """Train encoder and vector together on the labels of one domain; equal arguments give equal bytes on one machine.

    Args:
        labels: of the domain. With fewer than `FEWEST_LABELS` the vector alone is moved.
        base: the router whose vector for `pair` is the start; it is not changed.
        pair: names of the weak and the strong model; the base must know both.
        spec: the encoder that `base` was fitted with; its runtime becomes torch.
        recipe: step sizes, epochs, seed, threads.
        on_epoch: told of the epoch (0: the vector moved alone) and the held-out `ranking_gain`.

    Raises:
        NotEnoughLabels: fewer than `FEWEST_OF_ALL` rows or `DEV_FOLDS` groups, or the models never differ.
        DataError: texts, gaps and weights disagree in number, a gap is outside [-1, 1], or a weight not above 0.
        BundleError: the base does not know a model, or reads vectors of another length.
        MissingExtra: torch, transformers or peft is not installed.
    """
    rows = _checked(labels)
    spec = spec.model_copy(update={"runtime": "torch"})
    encoder = TrainableEncoder(spec, n_threads=recipe.n_threads)
    if encoder.dimension != base.dimension:
        raise BundleError(
            f"The base reads vectors of {base.dimension} numbers, and encoder '{spec.name}' gives {encoder.dimension}. "
            "Name the encoder that the base was fitted with."
        )
    vectors = encoder.encode(labels.texts)
    everyone = np.arange(len(rows.gap))

    def vector_alone(chosen: Int[np.ndarray, " m"]) -> PairScorer:
        return _moved(base, pair, vectors[chosen], rows.chosen(chosen), seed=recipe.seed)

    training = Training(encoder, base, base.collapse(*pair), recipe)
    if len(everyone) < FEWEST_LABELS:
        return _update(training, head=vector_alone(everyone), best_epoch=0, gains=(), n_labels=len(everyone))
    fold = grouped_folds(len(everyone), n_folds=DEV_FOLDS, seed=recipe.seed, groups=labels.groups)
    seen, held_out = np.flatnonzero(fold != 0), np.flatnonzero(fold == 0)
    read = TrainingRows([encoder.ids(text) for text in labels.texts], rows.gap, rows.weights)
    alone = vector_alone(seen).score(vectors[held_out])
    gains = [ranking_gain(alone, rows.gap[held_out], rows.weights[held_out])]
    on_epoch(0, gains[0])
    untouched = best = training.state()
    best_epoch = 0
    for epoch in range(1, recipe.max_epochs + 1):
        training.epoch(read, seen, epoch)
        gains.append(training.gain(read, held_out))
        on_epoch(epoch, gains[-1])
        if best_epoch == 0 or gains[-1] > gains[best_epoch]:
            best, best_epoch = training.state(), epoch
        elif epoch - best_epoch >= recipe.patience:
            break
    if gains[best_epoch] > gains[0]:
        training.restore(best)
        head = training.head()
    else:
        training.restore(untouched)
        best_epoch, head = 0, vector_alone(everyone)
    return _update(training, head=head, best_epoch=best_epoch, gains=tuple(gains), n_labels=len(everyone))


@dataclass(frozen=True)
class _Rows:
    gap: Float[np.ndarray, " n"]
    weights: Float[np.ndarray, " n"]
    groups: Shaped[np.ndarray, " n"] | None

    def chosen(self, index: Int[np.ndarray, " m"]) -> "_Rows":
        return _Rows(self.gap[index], self.weights[index], None if self.groups is None else self.groups[index])


def _moved(
    base: MatrixFactorization, pair: tuple[str, str], vectors: Float[np.ndarray, "n d"], rows: _Rows, *, seed: int
) -> PairScorer:
    """The pair's vector as the labels move it over the encoder as it is, as far as cross-validation lets them."""
    features = (vectors.astype(np.float64) - base.center) * base.scale
    targets, prior = (1.0 + rows.gap) / 2.0, base.collapse(*pair).vector.astype(np.float64) / base.scale
    strength, _ = choose_strength(features, targets, prior, weights=rows.weights, groups=rows.groups, seed=seed)
    moved, intercept = move_from(features, targets, prior, strength=strength, weights=rows.weights)
    vector = moved * base.scale
    return PairScorer(np.ascontiguousarray(vector, dtype=np.float32), intercept - float(vector @ base.center))


def _update(
    training: Training, *, head: PairScorer, best_epoch: int, gains: tuple[float, ...], n_labels: int
) -> EncoderUpdate:
    return EncoderUpdate(
        files=training.files(),
        spec=training.encoder.spec,
        base_encoder_sha256=training.encoder.sha256,
        head=head,
        best_epoch=best_epoch,
        held_out_gains=gains,
        n_labels=n_labels,
    )


def _checked(labels: DomainLabels) -> _Rows:
    gap = np.asarray(labels.gap, dtype=np.float64)
    weights = np.ones(len(gap)) if labels.weights is None else np.asarray(labels.weights, dtype=np.float64)
    faults = []
    if not len(labels.texts) == len(gap) == len(weights):
        faults.append(f"{len(labels.texts)} texts, {len(gap)} gaps and {len(weights)} weights")
    if not np.all(np.abs(gap) <= 1):
        faults.append("a gap lies outside [-1, 1]")
    if not np.all(np.isfinite(weights) & (weights > 0)):
        faults.append("a weight is not above 0")
    if faults:
        raise DataError(faults, "Mend the labels that were passed to the encoder's adaptation.")
    if len(gap) < FEWEST_OF_ALL or not np.any(gap):
        raise NotEnoughLabels(
            f"Adaptation has {len(gap)} labels, {np.count_nonzero(gap)} of which tell the two models apart; "
            f"it needs at least {FEWEST_OF_ALL} labels and a difference. Label more pairs of the target domain."
        )
    return _Rows(gap, weights, labels.groups)
