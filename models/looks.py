"""How a text looks, ready for a linear model: the standardised features and smooth curves of them. Learns no labels.

The curves are random Fourier features (Rahimi and Recht, 2007) of the kernel exp(-|z - z'|^2 / f) over the f
standardised features z. Linear part and curves have equal weight. The directions are kept as data, so a router scores
the same under any version of numpy.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from models.text_features import text_features

N_CURVES = 512

FARTHEST = 4.0
"""Standard deviations at which a feature is cut: a text of 100,000 digits is no farther out than that."""


@dataclass(frozen=True)
class Looks:
    """The map from text features to model features, with the means and spreads of the fitting texts."""

    center: Float32[np.ndarray, " f"]
    spread: Float32[np.ndarray, " f"]
    directions: Float32[np.ndarray, "f r"]
    phases: Float32[np.ndarray, " r"]

    def vectors(self, texts: Sequence[str]) -> Float32[np.ndarray, "n f+r"]:
        """One row a text: the features, then the curves; always finite."""
        return self.of_features(text_features(texts))

    def of_features(self, features: Float32[np.ndarray, "n f"]) -> Float32[np.ndarray, "n f+r"]:
        """The same of features that were computed already."""
        standardised = np.clip((features - self.center) / self.spread, -FARTHEST, FARTHEST)
        linear = standardised * np.float32(np.sqrt(0.5 / len(self.center)))
        curves = np.cos(standardised @ self.directions + self.phases) * np.float32(np.sqrt(1.0 / len(self.phases)))
        return np.hstack([linear, curves])


def fit_looks(texts: Sequence[str], *, seed: int = 0) -> Looks:
    """The map whose means and spreads are those of `texts`; equal texts and seed give an equal map."""
    return fit_looks_of(text_features(texts), seed=seed)


def fit_looks_of(features: Float32[np.ndarray, "n f"], *, seed: int = 0) -> Looks:
    """The same of any features, of texts or of answers."""
    rng = np.random.default_rng(seed)
    n_features = features.shape[1]
    directions = rng.normal(size=(n_features, N_CURVES)) * np.sqrt(2.0 / n_features)
    phases = rng.uniform(0.0, 2.0 * np.pi, size=N_CURVES)
    return Looks(
        features.mean(axis=0),
        features.std(axis=0) + np.float32(1e-3),
        directions.astype(np.float32),
        phases.astype(np.float32),
    )
