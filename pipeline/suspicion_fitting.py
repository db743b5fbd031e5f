"""Fits a classifier of weak answers of any family, from judged pair texts. Reads texts and arrays alone.

| family in settings | router | what it reads |
|---|---|---|
| words | words | the pair text's words |
| combined | pair | vectors of question and answer, the words of each, and how the answer looks |
| bert | bert | question and answer together, by a cross-encoder fine-tuned as `network` and `training` say |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Float32, Int

from models.embedding_cache import embed as embed_cached
from models.encoders import Encoder, EncoderSpec
from models.pair_fit import fit_pair
from models.pair_router import pair_vectors
from models.router import Router
from models.words import fit_words
from pipeline.fitting import How, recipe_of

Family = Literal["words", "combined", "bert"]


@dataclass(frozen=True)
class JudgedAnswers:
    """Weak answers of which it is known how good they are; n rows."""

    texts: Sequence[str]
    """Pair texts (`models.pair_text`)."""
    quality: Float[np.ndarray, " n"]
    """Of the weak answer, in [0, 1]."""
    weights: Float[np.ndarray, " n"]
    groups: Int[np.ndarray, " n"]

    @property
    def lean(self) -> Float[np.ndarray, " n"]:
        """1 where the answer is not acceptable, -1 where it is."""
        return 1.0 - 2.0 * self.quality


@dataclass(frozen=True)
class CachedEncoder:
    """An encoder that encodes each text once, ever: vectors are kept by content beside the runs."""

    encoder: Encoder
    how: How

    @property
    def spec(self) -> EncoderSpec:
        """What was asked for."""
        return self.encoder.spec

    @property
    def sha256(self) -> str:
        """Hash of the weights."""
        return self.encoder.sha256

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self.encoder.dimension

    @property
    def n_truncated(self) -> int:
        """How many texts were cut."""
        return self.encoder.n_truncated

    def encode(self, texts: Sequence[str]) -> Float32[np.ndarray, "n d"]:
        """One vector a text, in order."""
        return embed_cached(
            texts,
            self.encoder,
            folder=self.how.settings.folder / "embeddings",
            on_batch=lambda done: self.how.progress("questions and answers encoded", done, len(texts)),
        )


def fit_suspicion(family: Family, rows: JudgedAnswers, how: How, encoder: Encoder | None) -> Router:
    """The router of pair texts that these answers teach; `encoder` is read by `combined` alone.

    Raises:
        NotEnoughLabels: too few rows, or all of one kind.
        DataError: no word occurs in two texts.
    """
    if family == "words":
        return fit_words(rows.texts, rows.lean, groups=rows.groups, weights=rows.weights)[0]
    if family == "bert":
        return _cross_encoder(rows, how)
    assert encoder is not None, "the combined family reads vectors"
    vectors = pair_vectors(encoder, rows.texts)
    return fit_pair(rows.texts, vectors, rows.lean, groups=rows.groups, weights=rows.weights).router


def _cross_encoder(rows: JudgedAnswers, how: How) -> Router:
    """A classifier fine-tuned on the pair texts: of its three classes the first means wrong, the second acceptable."""
    from models.networks.spec import describe
    from models.text_training import TextLabels, TextTraining, fine_tune
    from models.training.progress import StepReport

    def on_step(report: StepReport) -> None:
        how.progress("steps of the cross-encoder", report.step, report.n_steps)
        values: Mapping[str, float] = {"loss": report.loss, "tokens_per_s": report.tokens_per_s}
        if report.dev is not None:
            values = {**values, "dev_ranking_gain": report.dev.ranking, "dev_loss": report.dev.loss}
        how.curve("suspicion", report.step, values)

    s, recipe = how.settings, recipe_of(how.settings)
    targets = np.stack([1.0 - rows.quality, rows.quality, np.zeros_like(rows.quality)], axis=1)
    return fine_tune(
        describe("bert", s.network.base if s.router.family == "bert" else None, recipe=recipe),
        TextLabels(rows.texts, targets, rows.weights, rows.lean, rows.groups),
        TextTraining(
            recipe,
            how.folder / "cross-encoder",
            keep=s.network.keep,
            dev_share=s.training.dev_share,
            processes=s.training.processes,
        ),
        on_step=on_step,
    ).router
