"""Calibration: from raw scores to probabilities that mean what they say, on all rows and stratum by stratum.

Fitted on rows that trained nothing else. The map is `core.calibrator.Calibrator`, so serving needs none of this.
Whether it holds on other rows: `assurance.reliability`.

| labels | map |
|---|---|
| fewer than 200 | Platt's two numbers |
| 200 and more | beta, three numbers, drawn toward Platt's |
| 1,000 and more | isotonic, where it is clearly better than beta on rows left out |
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from assurance.calibration_maps import LEAST_KEPT, beta, isotonic, likeliest, platt, share_kept
from assurance.curves import check_rows
from core.calibrator import Calibrator, logit, sigmoid
from core.errors import NotEnoughLabels

Method = Literal["auto", "platt", "beta", "isotonic"]

BETA_FROM = 200
"""Labels from which three numbers do better than two."""

ISOTONIC_FROM = 1000
"""Labels from which the isotonic map is tried beside beta; below, it overfits."""

STRATUM_FROM = 30
"""Labels from which a stratum may have a map of its own."""

FOLDS = 10
"""Parts of the labels in whose turn the isotonic map must do better than beta, by one standard error."""


def fit_calibrator(
    scores: Float[np.ndarray, " n"], events: Bool[np.ndarray, " n"], *, method: Method = "auto"
) -> Calibrator:
    """The calibrator for these labels, by the table above unless `method` names one.

    Platt's and beta are shrunk by what chance alone would show of their rise, so scores that say nothing become the
    base rate. The isotonic map is taken if its squared error on rows left out, over 10 folds dealt by score, is lower
    than beta's by more than one standard error of the difference: it mends what three numbers cannot, and costs ten
    times as much in error where there is nothing to mend.

    All are non-decreasing and keep apart what the router kept apart (slopes of 0 excepted: scores that rank the event
    backwards carry no probability, and the map is then the base rate).

    Args:
        scores: raw scores in [0, 1].
        events: whether the strong model was needed.
        method: the map, or `auto`.

    Raises:
        NotEnoughLabels: every row has the event, or none has; or isotonic is asked of fewer than 1,000.
        ValueError: columns differ in length or hold what is not a number, or a score is outside [0, 1].

    >>> scores = np.repeat([0.2, 0.8], 50)
    >>> events = np.tile(np.arange(50) < 25, 2) & (scores > 0.5) | (np.arange(100) < 5)
    >>> fit_calibrator(scores, events).apply(np.array([0.2, 0.8])).round(2).tolist()
    [0.12, 0.48]
    """
    _check(scores, events)
    if method == "auto":
        method = "platt" if len(scores) < BETA_FROM else "beta"
        if len(scores) >= ISOTONIC_FROM and _isotonic_is_better(scores, events):
            method = "isotonic"
    if method == "isotonic" and len(scores) < ISOTONIC_FROM:
        raise NotEnoughLabels(
            f"An isotonic map of {len(scores)} labels follows their noise; it needs {ISOTONIC_FROM}. "
            "Set calibration.method to auto, or label more rows."
        )
    return {"platt": platt, "beta": beta, "isotonic": isotonic}[method](scores, events)


def with_strata(
    calibrator: Calibrator,
    scores: Float[np.ndarray, " n"],
    events: Bool[np.ndarray, " n"],
    strata: Sequence[str],
) -> Calibrator:
    """The calibrator with a map for each stratum of at least 30 labels, drawn toward the map of all.

    A stratum's map has two numbers on top of it: logit(p) = slope * logit(p of all) + intercept. Of what they change,
    the share is kept that chance does not explain (`share_kept`, with two numbers); a stratum of which nothing is left
    has no map of its own. Few labels must show much to move a stratum, many move it wherever it truly lies elsewhere.

    Args:
        calibrator: the map of all rows.
        scores: raw scores in [0, 1].
        events: whether the strong model was needed.
        strata: stratum per row, known when a query comes.

    >>> scores, strata = np.full(200, 0.5), ["easy"] * 100 + ["hard"] * 100
    >>> events = (np.arange(200) % 10 < 1) | (np.arange(200) >= 100) & (np.arange(200) % 10 < 9)
    >>> both = with_strata(fit_calibrator(scores, events), scores, events, strata)
    >>> both.apply(np.full(3, 0.5), ["easy", "hard", "unheard"]).round(1).tolist()
    [0.1, 0.9, 0.5]
    """
    _check(scores, events)
    named = np.array(strata)
    own: dict[str, Calibrator] = {}
    for stratum in sorted(set(strata)):
        inside = named == stratum
        if STRATUM_FROM <= inside.sum() < len(scores):
            found = _of_stratum(calibrator, scores[inside], events[inside])
            own |= {} if found is None else {str(stratum): found}
    return calibrator.model_copy(update={"strata": own})


def _of_stratum(
    calibrator: Calibrator, scores: Float[np.ndarray, " n"], events: Bool[np.ndarray, " n"]
) -> Calibrator | None:
    """The map of all with two numbers of this stratum on top, shrunk; None where nothing of them is kept."""
    overall = calibrator.apply(scores)
    z = logit(overall)
    slope, intercept = _two_numbers(overall, events)
    own = sigmoid(slope * z + intercept)
    kept = min(share_kept(own, overall, n_numbers=2), share_kept(overall, own, n_numbers=2))
    if kept == 0:
        return None
    slope, intercept = kept * slope + (1.0 - kept), kept * intercept
    change = {
        "slope": slope * calibrator.slope,
        "slope_high": slope * calibrator.slope_high,
        "intercept": slope * calibrator.intercept + intercept,
        "knot_probabilities": tuple(
            sigmoid(slope * logit(np.array(calibrator.knot_probabilities)) + intercept).tolist()
        ),
        "n_labels": len(events),
    }
    return calibrator.model_copy(update=change)


def _two_numbers(overall: Float[np.ndarray, " n"], events: Bool[np.ndarray, " n"]) -> tuple[float, float]:
    """Slope and intercept on the logit of the overall probability; the slope at least so large that nothing ties."""
    fitted = likeliest("platt", overall, events)
    return max(fitted.slope, LEAST_KEPT), fitted.intercept


def _check(scores: Float[np.ndarray, " n"], events: Bool[np.ndarray, " n"]) -> None:
    check_rows(scores=scores, events=events)
    if scores.min() < 0 or scores.max() > 1:
        raise ValueError(
            f"Scores lie in [{scores.min():.4g}, {scores.max():.4g}]; a calibrator takes scores in [0, 1]."
        )
    n_events = int(np.sum(events))
    if n_events in (0, len(events)):
        raise NotEnoughLabels(
            f"The strong model was needed in {n_events} of {len(events)} calibration rows; a calibrator needs rows of "
            "both kinds. Give more calibration rows, or lower the quality that counts as acceptable."
        )


def _isotonic_is_better(scores: Float[np.ndarray, " n"], events: Bool[np.ndarray, " n"]) -> bool:
    fold = np.empty(len(scores), dtype=int)
    fold[np.argsort(scores, kind="stable")] = np.arange(len(scores)) % FOLDS
    gain = np.zeros(len(scores))
    for k in range(FOLDS):
        seen, held_out = fold != k, fold == k
        if len(np.unique(events[seen])) < 2:
            return False
        error = beta(scores[seen], events[seen]).apply(scores[held_out]) - events[held_out]
        isotonic_error = isotonic(scores[seen], events[seen]).apply(scores[held_out]) - events[held_out]
        gain[held_out] = error**2 - isotonic_error**2
    return bool(gain.mean() > gain.std() / np.sqrt(len(gain)))
