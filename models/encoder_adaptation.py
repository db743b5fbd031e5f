"""LoRA on the encoder, together with the pair's vector: what the text means may change, where the vector alone fails.

    P(strong) = sigmoid(u . (e(text) - center) * scale + b)

The encoder e gets a low-rank update of its attention's query and value; u and b start where the base router has them
and are pulled back to it as in `models.shrinkage`. The loss is the logistic loss on (1 + gap) / 2, so a tie is half a
win. A grouped share of the labels is held out; the epoch that ranks it best is kept, the base itself being epoch 0.

Use it where thousands of labels exist: an epoch on a CPU takes about a minute per thousand short texts. Training and
running need torch; the update is PEFT's two files, and the adapted encoder has a hash of its own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from core.errors import BundleError, DataError, NotEnoughLabels
from core.fingerprint import of_json
from models.encoder_training import EncoderRecipe, TrainableEncoder, Training
from models.encoders import EncoderSpec
from models.matrix_factorization import MatrixFactorization, PairScorer
from models.networks.updates import load_update, merged, update_sha256
from models.selection import grouped_folds
from models.torch_encoder import TorchEncoder

FEWEST_LABELS = 100
"""Below this, the held-out share has too few rows to tell one epoch from another."""

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


@dataclass(frozen=True)
class EncoderUpdate:
    """A trained update of one encoder, and the pair's vector that reads the encoder so updated."""

    files: Mapping[str, bytes]
    """adapter_config.json and adapter_model.safetensors, as PEFT writes them."""
    spec: EncoderSpec
    base_encoder_sha256: str
    head: PairScorer
    best_epoch: int
    """0: no epoch ranked the held-out rows better than the base did."""
    held_out_gains: tuple[float, ...]
    """`ranking_gain` on the held-out rows before training and after each epoch."""
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
        labels: of the domain.
        base: the router whose vector for `pair` is the start; it is not changed.
        pair: names of the weak and the strong model; the base must know both.
        spec: the encoder that `base` was fitted with; its runtime becomes torch.
        recipe: step sizes, epochs, seed, threads.
        on_epoch: told of the epoch (0: before training) and the held-out `ranking_gain`.

    Raises:
        NotEnoughLabels: fewer than `FEWEST_LABELS` rows or `DEV_FOLDS` groups, or the models never differ.
        DataError: texts and gaps disagree in number, or a gap is outside [-1, 1].
        BundleError: the base does not know a model, or reads vectors of another length.
        MissingExtra: torch, transformers or peft is not installed.
    """
    gap = _checked(labels)
    spec = spec.model_copy(update={"runtime": "torch"})
    encoder = TrainableEncoder(spec, n_threads=recipe.n_threads)
    if encoder.dimension != base.dimension:
        raise BundleError(
            f"The base reads vectors of {base.dimension} numbers, and encoder '{spec.name}' gives {encoder.dimension}. "
            "Name the encoder that the base was fitted with."
        )
    fold = grouped_folds(len(gap), n_folds=DEV_FOLDS, seed=recipe.seed, groups=labels.groups)
    start = base.collapse(*pair)
    training = Training(encoder, base, start, recipe)
    rows = [encoder.ids(text) for text in labels.texts]
    seen, held_out = np.flatnonzero(fold != 0), np.flatnonzero(fold == 0)
    gains = [training.gain(rows, gap, held_out)]
    on_epoch(0, gains[0])
    best, best_epoch = training.state(), 0
    for epoch in range(1, recipe.max_epochs + 1):
        training.epoch(rows, (1.0 + gap) / 2.0, seen, epoch)
        gains.append(training.gain(rows, gap, held_out))
        on_epoch(epoch, gains[-1])
        if gains[-1] > gains[best_epoch]:
            best, best_epoch = training.state(), epoch
        elif epoch - best_epoch >= recipe.patience:
            break
    training.restore(best)
    return EncoderUpdate(
        files=training.files(),
        spec=spec,
        base_encoder_sha256=encoder.sha256,
        head=start if best_epoch == 0 else training.head(),
        best_epoch=best_epoch,
        held_out_gains=tuple(gains),
        n_labels=len(gap),
    )


def _checked(labels: DomainLabels) -> Float[np.ndarray, " n"]:
    gap = np.asarray(labels.gap, dtype=np.float64)
    faults = []
    if len(labels.texts) != len(gap):
        faults.append(f"{len(labels.texts)} texts for {len(gap)} gaps")
    if not np.all(np.abs(gap) <= 1):
        faults.append("a gap lies outside [-1, 1]")
    if faults:
        raise DataError(faults, "Mend the labels that were passed to the encoder's adaptation.")
    if len(gap) < FEWEST_LABELS or not np.any(gap):
        raise NotEnoughLabels(
            f"Adapting the encoder has {len(gap)} labels, {np.count_nonzero(gap)} of which tell the two models apart; "
            f"it needs at least {FEWEST_LABELS} and a difference. Label more pairs, or adapt the vector alone "
            "(`models.adaptation`)."
        )
    return gap
