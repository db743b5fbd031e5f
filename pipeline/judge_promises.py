"""What a judge's labels promise of a bundle's low-stakes strata; of high stakes they promise nothing, and it says so.

Every look at the rows is written into the ledger before, as for certificates, and spends its share of delta.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from assurance.attempts import delta_of_attempt
from assurance.certificates import Loss, Promise, Rows
from assurance.judge_error import JudgedPromise, JudgedRows, promise_on_judged, refuse_high_stakes
from core import fingerprint
from core.certificate_settings import CertificateSettings
from core.errors import PreceptorError
from pipeline.certify_looks import Looks, text_key, tried_hash
from pipeline.certifying import one_a_group, promised_of
from pipeline.judge_study import Experts, groups_of, words_of
from pipeline.judging import Judged

_UNLIKE = (
    "The experts' rows had different chances of being chosen, so what the judge misses on them says nothing of the "
    "others. Name rows drawn alike, such as audit.jsonl of a frozen version."
)


@dataclass(frozen=True)
class Ranking:
    """How a bundle ranks the judged rows."""

    probabilities: Float[np.ndarray, " n"]
    is_seen: Bool[np.ndarray, " n"] | None
    """Which questions the bundle was made from; None where it does not say."""
    thresholds: Mapping[str, float | None]
    """The bundle's own, where a trial starts; None: always strong."""

    def start_of(self, stratum: str) -> float | None:
        """The bundle's threshold for a stratum, fixed before these rows were judged."""
        return self.thresholds.get(stratum, self.thresholds.get("default"))


@dataclass(frozen=True)
class Promises:
    """What was tried, and why nothing was tried elsewhere, by stratum."""

    tried: tuple[JudgedPromise, ...]
    refused: Mapping[str, str]


@dataclass(frozen=True)
class Trial:
    """What is tried on one stratum's rows, and who counts the looks at them."""

    max_harm: float
    start: float
    delta: float
    """Of all attempts on these rows together."""
    attempts: int | None
    looks: Looks


def promises_on(
    judged: Judged, experts: Experts, ranking: Ranking, *, terms: CertificateSettings, looks: Looks
) -> Promises:
    """Try each low-stakes stratum's promise at its share of delta on rows that the bundle was not made from.

    Rows on which the judge is undecided, or that were left unanswered, count as harm.
    """
    strata = np.array([row.query.stratum_name for row in judged.rows])
    index_of = {str(name): np.flatnonzero(strata == name) for name in sorted(set(strata))}
    faults = {name: _fault(name, judged, index, ranking, terms) for name, index in index_of.items()}
    if not experts.is_drawn_alike:
        faults = {name: fault or _UNLIKE for name, fault in faults.items()}
    refused = {name: fault for name, fault in faults.items() if fault}
    fit = [name for name in index_of if name not in refused]
    groups, is_flagged = groups_of(judged), words_of(judged) != 0
    tried = []
    for name in fit:
        index = _unseen(index_of[name], ranking)
        index = index[one_a_group(groups[index], [judged.rows[i].query.id for i in index], seed=0)]
        known = np.array([i for i in index if int(i) in experts.is_harm], dtype=np.int64)
        is_harm = np.array([experts.is_harm[int(i)] for i in known], dtype=bool)
        max_harm, start = promised_of(name, terms), ranking.start_of(name)
        assert max_harm is not None and start is not None
        found = _try(
            name,
            JudgedRows(ranking.probabilities[index], is_flagged[index]),
            JudgedRows(ranking.probabilities[known], is_flagged[known], is_harm),
            [text_key(judged.rows[i].query.text) for i in index],
            Trial(max_harm, start, terms.delta / len(fit), terms.attempts, looks),
        )
        if isinstance(found, str):
            refused[name] = found
        else:
            tried.append(found)
    return Promises(tuple(tried), refused)


def _fault(
    stratum: str, judged: Judged, index: Int[np.ndarray, " k"], ranking: Ranking, terms: CertificateSettings
) -> str:
    """Why these rows can show no promise, whatever the judge says of them; empty where they can."""
    try:
        refuse_high_stakes(stratum)
    except PreceptorError as error:
        return str(error)
    if promised_of(stratum, terms) is None:
        return "Settings ask for none."
    if terms.loss != "harm" or terms.is_selective:
        return "A judge's labels show harm over all queries alone, and settings promise another loss."
    if ranking.is_seen is None:
        return "The bundle keeps no hashes of its questions, so whether it was made from these rows cannot be said."
    if not len(_unseen(index, ranking)):
        return "The bundle was made from all of these questions. Judge others."
    if ranking.start_of(stratum) is None:
        return "The bundle sends this stratum to the strong model always, so there is no threshold to start from."
    chances = {judged.rows[i].sampling.get("inclusion_probability", 1.0) for i in index}
    if max(chances) - min(chances) > 1e-9:
        return (
            "The rows had different chances of being chosen, so they are not like the traffic. Judge rows drawn alike."
        )
    return ""


def _try(stratum: str, rows: JudgedRows, experts: JudgedRows, keys: list[str], trial: Trial) -> JudgedPromise | str:
    """Write the look down, then try at what is left of delta; a sentence where nothing is left."""
    asked = {"max_loss": trial.max_harm, "start": trial.start, "loss": "harm", "labels": "judge"}
    labels = Rows(rows.probability, rows.is_flagged.astype(float), np.zeros(len(keys)))
    assert experts.is_harm is not None
    known = [fingerprint.of_array(one) for one in (experts.probability, experts.is_flagged, experts.is_harm)]
    attempt, _, _ = trial.looks.look(stratum, tried_hash(asked | {"experts": known}, labels), keys)
    delta = delta_of_attempt(trial.delta, attempt, trial.attempts)
    if delta <= 0:
        return f"This would be attempt {attempt} on these rows, and {trial.attempts} were declared. Judge new rows."
    promise = Promise(loss=Loss.HARM, max_loss=trial.max_harm, delta=delta)
    return promise_on_judged(stratum, rows, experts, promise, start=trial.start)


def _unseen(index: Int[np.ndarray, " k"], ranking: Ranking) -> Int[np.ndarray, " j"]:
    assert ranking.is_seen is not None
    return np.asarray(index[~ranking.is_seen[index]])
