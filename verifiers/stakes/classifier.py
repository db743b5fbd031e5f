"""A small classifier of stakes: hashed words and neighbours of words, one weight each, kept as JSON.

It only raises: a probability from the policy's limit on makes a request high, one below it changes nothing. Reads the
same readings as the rules. It learns nothing here; `verifiers.stakes.fitting` does.
"""

import json
import math
import zlib
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from core.errors import SettingsError
from core.records import Record
from verifiers.stakes.phrases import Words

BUCKETS = 1 << 14
"""Numbers that words are hashed to."""

MAX_WORDS = 4000
"""Words of a text that are counted, from its start and as many from its end."""

Weight = Annotated[float, Field(allow_inf_nan=False)]


class StakesClassifier(Record):
    """A weight for each hashed word: P(high) = 1 / (1 + exp(-(bias + the weighted sum of `features_of`)))."""

    format: Literal["preceptor-stakes-1"] = "preceptor-stakes-1"
    bias: Weight
    weights: Mapping[int, Weight]
    high_if_p_at_least: Annotated[float, Field(gt=0, le=1)]
    n_rows: int = 0
    recall_lower: float | None = None
    """Exact lower limit of its recall on the rows that chose the threshold."""

    def probability(self, words: Words) -> float:
        """The probability that a text is of high stakes, in [0, 1].

        >>> known = StakesClassifier(bias=-1.0, weights={bucket_of("wire"): 3.0}, high_if_p_at_least=0.5)
        >>> round(known.probability(Words("Wire")), 3), round(known.probability(Words("")), 3)
        (0.881, 0.269)
        """
        features = features_of(words)
        score = self.bias + sum(self.weights.get(bucket, 0.0) * value for bucket, value in features.items())
        return 1.0 / (1.0 + math.exp(-min(max(score, -700.0), 700.0)))


def features_of(words: Words) -> Mapping[int, float]:
    """Bucket to value: each word and each two neighbouring words that occur, together of length 1."""
    known = words.words
    if len(known) > 2 * MAX_WORDS:
        known = (*known[:MAX_WORDS], *known[-MAX_WORDS:])
    found = Counter({bucket_of(word) for word in known})
    found.update({bucket_of(f"{one} {two}") for one, two in pairwise(known)})
    length = math.sqrt(sum(count * count for count in found.values())) or 1.0
    return {bucket: count / length for bucket, count in found.items()}


def bucket_of(word: str) -> int:
    """The bucket of a word or of two; the same on every machine."""
    return zlib.crc32(word.encode()) % BUCKETS


def load_classifier(path: Path, *, high_if_p_at_least: float | None = None) -> StakesClassifier:
    """The classifier of a file that `preceptor policy fit` wrote, with the policy's threshold where one is given.

    Raises:
        SettingsError: there is none, or it is of another form.
    """
    try:
        found = StakesClassifier.model_validate(json.loads(path.read_bytes()))
    except FileNotFoundError as error:
        raise SettingsError(
            f"There is no classifier at {path}. Make it with `preceptor policy fit`, or leave `classifier` out."
        ) from error
    except (ValidationError, ValueError) as error:
        raise SettingsError(f"{path} is no classifier of stakes. Make it anew with `preceptor policy fit`.") from error
    return found if high_if_p_at_least is None else found.model_copy(update={"high_if_p_at_least": high_if_p_at_least})
