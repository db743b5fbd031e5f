"""A pair's vector over its own adapted encoder, as a router: text in, probability out. Trains nothing, decides nothing.

It takes no vectors from outside: the update of the encoder belongs to it, so it encodes the text itself. Torch is
imported when one is loaded, not before. As files:

    encoder.json         the base encoder by name and hash, the hash of base and update together, how training went
    head.safetensors     the pair's vector and intercept
    update/              the encoder's update, as PEFT's two files

Every router holds merged weights of its own: an encoder's size in memory, and no slower than the encoder.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from core.calibrator import sigmoid
from core.errors import BundleError
from models.encoder_adaptation import AdaptedEncoder, EncoderUpdate
from models.encoders import EncoderSpec
from models.matrix_factorization import PairScorer
from models.router import Queries

FORMAT = 1
RECORD, HEAD, UPDATE = "encoder.json", "head.safetensors", "update/"


@dataclass(frozen=True, eq=False)
class EncoderRouter:
    """An adapted encoder and the vector that reads it. Safe to share between threads."""

    update: EncoderUpdate
    _encoder: AdaptedEncoder

    @classmethod
    def of(cls, update: EncoderUpdate, *, n_threads: int = 1) -> "EncoderRouter":
        """The router of a trained update.

        Args:
            update: what `adapt_encoder` gave, or `from_files` read.
            n_threads: CPU threads; torch has one number for the whole process.

        Raises:
            BundleError: the base encoder is missing or another than the one trained over, or update or vector do not
                fit it.
            MissingExtra: torch, transformers or peft is not installed.
        """
        encoder = AdaptedEncoder(update, n_threads=n_threads)
        if update.head.vector.shape != (encoder.dimension,):
            raise BundleError(
                f"The router's vector is of shape {update.head.vector.shape}, and its encoder '{update.spec.name}' "
                f"gives {encoder.dimension} numbers. Train it anew."
            )
        return cls(update, encoder)

    @property
    def family(self) -> str:
        """`mf_encoder`."""
        return "mf_encoder"

    @property
    def dimension(self) -> None:
        """None: it reads no vectors from outside."""
        return None

    @property
    def n_truncated(self) -> int:
        """How many texts, since loading, were longer than the encoder reads and were cut."""
        return self._encoder.n_truncated

    def score(self, queries: Queries) -> Float[np.ndarray, " n"]:
        """P(strong's answer is the better one) per query; NaN where the logit is not finite."""
        return self.score_texts(queries.texts)

    def score_texts(self, texts: Sequence[str]) -> Float[np.ndarray, " n"]:
        """P(strong's answer is the better one) per text; NaN where the logit is not finite."""
        with np.errstate(over="ignore", invalid="ignore"):
            logits = self._encoder.encode(texts) @ self.update.head.vector
        logits = logits.astype(np.float64) + self.update.head.intercept
        return np.where(np.isfinite(logits), sigmoid(logits), np.nan)

    def to_files(self) -> dict[str, bytes]:
        """The router as files of safetensors and JSON.

        No file names a path of this machine, unless the settings named the encoder by one.
        """
        update = self.update
        record = {
            "format": FORMAT,
            "spec": update.spec.model_dump(mode="json"),
            "base_encoder_sha256": update.base_encoder_sha256,
            "encoder_sha256": update.encoder_sha256,
            "best_epoch": update.best_epoch,
            "held_out_gains": list(update.held_out_gains),
            "n_labels": update.n_labels,
        }
        head = {"vector": update.head.vector, "intercept": np.array([update.head.intercept], dtype=np.float64)}
        return {
            RECORD: (json.dumps(record, indent=1, sort_keys=True) + "\n").encode(),
            HEAD: safetensors.save(head),
            **{UPDATE + name: content for name, content in update.files.items()},
        }

    @classmethod
    def from_files(cls, files: Mapping[str, bytes], *, n_threads: int = 1) -> "EncoderRouter":
        """The router that `to_files` took apart.

        Raises:
            BundleError: a file is missing or altered, or as `of`.
            MissingExtra: torch, transformers or peft is not installed.
        """
        update, expected = _read(files)
        if update.encoder_sha256 != expected:
            raise BundleError(
                f"The encoder's update has hash {update.encoder_sha256[:12]} with its base, and {RECORD} says "
                f"{expected[:12]}. Fetch the bundle again."
            )
        return cls.of(update, n_threads=n_threads)


def _read(files: Mapping[str, bytes]) -> tuple[EncoderUpdate, str]:
    """The update of the files, and the hash that their record gives it."""
    try:
        record = json.loads(files[RECORD])
        if record["format"] != FORMAT:
            raise ValueError(f"its format is {record['format']}, known is {FORMAT}")
        head = safetensors.load(files[HEAD])
        vector, intercept = np.asarray(head["vector"], dtype=np.float32), float(head["intercept"][0])
        if not np.all(np.isfinite(vector)) or not np.isfinite(intercept):
            raise ValueError("its vector is not finite")
        update = EncoderUpdate(
            files={name.removeprefix(UPDATE): files[name] for name in files if name.startswith(UPDATE)},
            spec=EncoderSpec.model_validate(record["spec"]),
            base_encoder_sha256=str(record["base_encoder_sha256"]),
            head=PairScorer(vector, intercept),
            best_epoch=int(record["best_epoch"]),
            held_out_gains=tuple(map(float, record["held_out_gains"])),
            n_labels=int(record["n_labels"]),
        )
        return update, str(record["encoder_sha256"])
    except (KeyError, TypeError, ValueError, IndexError, SafetensorError) as error:
        raise BundleError(
            f"The router over an adapted encoder does not read ({error!r}). Fetch the bundle again, or train it anew."
        ) from error
