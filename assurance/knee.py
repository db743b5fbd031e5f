"""The knee of a cost-quality curve: where a further strong call begins to bring less than the average one.

It is the point that lies highest above the chord from weak alone to strong alone, which is where the curve's slope
passes that of the chord. A description of the curve at hand: it is no optimum (what a mistake costs does not enter it)
and promises nothing about other rows.

Source: Satopaa, Albrecht, Irwin, Raghavan (2011), *Finding a "Kneedle" in a Haystack*, section II; of their local
maxima the highest one.
"""

from dataclasses import dataclass

import numpy as np

from assurance.curves import ROUNDING, CostQualityCurve


@dataclass(frozen=True)
class Knee:
    """The point itself: its share of strong calls, its mean quality, and how far above the chord that is."""

    share_strong: float
    quality: float
    lift: float
    """Quality above that of routing the same share at random; in (0, 1]."""


def knee(curve: CostQualityCurve) -> Knee | None:
    """The point highest above the chord, the cheapest of equals; None where no point is above it.

    On rows without a ranking (all scores equal) there is none. A ranking by chance has one all the same, slightly
    above the chord, so read `lift` beside the curve's band.

    Half of the calls bring all there is to gain, where a coin would bring half of it:

    >>> knee(CostQualityCurve(np.array([0.0, 0.25, 0.5, 1.0]), np.array([0.5, 0.75, 1.0, 1.0])))
    Knee(share_strong=0.5, quality=1.0, lift=0.25)
    >>> knee(CostQualityCurve(np.array([0.0, 1.0]), np.array([0.5, 1.0]))) is None
    True
    """
    chord = curve.weak_quality + (curve.strong_quality - curve.weak_quality) * curve.share_strong
    above = curve.quality - chord
    highest = float(above.max())
    if highest <= ROUNDING:
        return None
    at = int(np.flatnonzero(above >= highest - ROUNDING)[0])
    return Knee(float(curve.share_strong[at]), float(curve.quality[at]), float(above[at]))
