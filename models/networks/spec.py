"""The text network as a record: what a worker process or a bundle needs to build the same network again.

Making one reads the checkpoint's config and tokenizer; it loads no weights and needs no torch.
"""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from core.errors import BundleError
from core.fingerprint import of_json
from core.records import Record
from models.networks.loading import checkpoint_folder, checkpoint_sha256, read_config
from models.networks.prompt import INSTRUCTION, label_ids, prompt_ids
from models.networks.reading import Frame, plain_tokenizer, special_ids_around
from models.training.network import CLASSES
from models.training.recipe import Method, TrainingRecipe

Family = Literal["bert", "causal_lm"]


class Lora(Record):
    """The shape of a low-rank update; the part of a training recipe that the network must know."""

    method: Method = "rslora"
    rank: int = Field(ge=1)
    alpha: float = Field(gt=0)
    dropout: float = Field(ge=0, lt=1)
    target_modules: tuple[str, ...] = ()

    @classmethod
    def of(cls, recipe: TrainingRecipe) -> "Lora | None":
        """The recipe's update; None for full fine-tuning."""
        if recipe.method == "full":
            return None
        return cls(
            method=recipe.method,
            rank=recipe.lora_rank,
            alpha=recipe.lora_alpha,
            dropout=recipe.lora_dropout,
            target_modules=recipe.target_modules,
        )

    @property
    def recipe(self) -> TrainingRecipe:
        """A recipe with this update, all else at its default."""
        return TrainingRecipe(
            method=self.method,
            lora_rank=self.rank,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            target_modules=self.target_modules,
        )


class NetworkSpec(Record):
    """Everything that decides a text network but its trained weights. Equal specs build equal networks."""

    family: Family
    base: str | None
    """`minilm`, `smollm2`, a folder or a Hugging Face id; None: the checkpoint lies beside this record, merged."""
    base_sha256: str
    """Hash of the checkpoint's weights, config and tokenizer."""
    before_sha256: tuple[str, ...] = ()
    """Hashes of the updates that are merged into the base, in order, before this network's own."""
    frame: Frame
    label_ids: tuple[int, ...] = ()
    """causal_lm: token id of each class."""
    pooling: Literal["mean", "own"] = "mean"
    """bert: mean over tokens under a new layer, or the family's own classifier."""
    lora: Lora | None = None
    """The update that is trained; None: every weight is."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of the base's weights, whatever the checkpoint's own."""
    n_classes: int = Field(default=len(CLASSES), ge=2)
    seed: int = 0
    """Of new layers and of the update before training."""

    @model_validator(mode="after")
    def _labels_name_the_classes(self) -> Self:
        if self.family == "causal_lm" and len(set(self.label_ids)) != self.n_classes:
            raise ValueError(f"{self.n_classes} classes need as many distinct label tokens, not {self.label_ids}")
        if self.dtype == "bfloat16" and (self.lora is None or self.pooling == "own"):
            raise ValueError("trained weights are float32; bfloat16 is for a base under an update with pooling 'mean'")
        return self

    @property
    def held_sha256(self) -> str:
        """Hash of what networks with different updates have in common: one such base is held for all of them."""
        shared = self.model_dump(mode="json", exclude={"frame", "lora", "base", "seed"})
        return of_json({**shared, "is_4_bit": self.is_4_bit, "has_updates": self.lora is not None})

    @property
    def is_4_bit(self) -> bool:
        """Whether the base's weights are held in 4 bits."""
        return self.lora is not None and self.lora.method == "qlora"


def describe(
    family: Family,
    base: str | None = None,
    *,
    recipe: TrainingRecipe,
    pooling: Literal["mean", "own"] = "mean",
    dtype: Literal["float32", "bfloat16"] = "float32",
    instruction: str = INSTRUCTION,
) -> NetworkSpec:
    """The network of `family` over the checkpoint `base`, to be trained by `recipe`.

    Args:
        family: `bert` or `causal_lm`.
        base: `minilm`, `smollm2`, a folder or a Hugging Face id; None: `minilm` for bert, `smollm2` for causal_lm.
        recipe: its update, length and seed are taken.
        pooling: bert only.
        dtype: of the base's weights.
        instruction: causal_lm only: what the model is told before the question.

    Raises:
        BundleError: the checkpoint is missing, unfit, or knows fewer positions than the recipe reads.
        MissingExtra: a library that the checkpoint needs is not installed.
    """
    base = base or ("minilm" if family == "bert" else "smollm2")
    folder = checkpoint_folder(base)
    tokenizer = plain_tokenizer((folder / "tokenizer.json").read_text(encoding="utf-8"))
    labels: tuple[int, ...] = ()
    if family == "bert":
        before, after = special_ids_around(tokenizer)
        max_text_tokens = max(recipe.max_tokens - len(before) - len(after), 1)
    else:
        before, after = prompt_ids(tokenizer, folder, instruction=instruction)
        max_text_tokens = recipe.max_tokens
        labels = label_ids(tokenizer, len(CLASSES))
    frame = Frame(prefix_ids=before, suffix_ids=after, max_text_tokens=max_text_tokens, pad_id=_pad_id(folder))
    check_positions(folder, base, frame)
    return NetworkSpec(
        family=family,
        base=base,
        base_sha256=checkpoint_sha256(folder),
        frame=frame,
        label_ids=labels,
        pooling=pooling,
        lora=Lora.of(recipe),
        dtype=dtype,
        seed=recipe.seed,
    )


def check_positions(folder: Path, base: str, frame: Frame) -> None:
    """Refuse rows longer than the checkpoint has positions for.

    Raises:
        BundleError: says how many tokens of a text would fit.
    """
    config = read_config(folder)
    positions = config.get("max_position_embeddings")
    if positions is None:
        return
    if config.get("model_type") in _COUNTS_PAST_PADDING:
        positions -= int(config.get("pad_token_id", 1)) + 1
    if frame.longest > positions:
        raise BundleError(
            f"The model '{base}' has {positions} positions, and a row would take {frame.longest}. "
            f"Lower training.max_tokens by {frame.longest - positions}."
        )


_COUNTS_PAST_PADDING = frozenset({"camembert", "longformer", "mpnet", "roberta", "xlm-roberta"})
"""Families whose first position has the number after the padding token's id."""


def _pad_id(folder: Path) -> int:
    """The id that the config pads with, else the one that ends a text, else 0: masked positions count for nothing."""
    config = read_config(folder)
    for key in ("pad_token_id", "eos_token_id"):
        value = config.get(key)
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, int) and 0 <= value < int(config.get("vocab_size", value + 1)):
            return value
    return 0
