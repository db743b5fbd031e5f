"""Two thresholds in a certificate: the router's and the classifier's, tried on rows that set neither."""

import numpy as np
import pytest

from assurance.certificates import Promise, Rows
from core.records import Graded, Message, Outcome, Query, Stakes
from core.settings import RunSettings
from pipeline.certify_doubt import OFF, cheapest, doubt_of
from pipeline.certifying import Trial
from pipeline.results import Rows as RunRows
from pipeline.split import components
from pipeline.table import table_of

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")

N = 400


class Classified:
    """A classifier that is there: what it says of the rows, and its declared thresholds."""

    is_on = True

    def __init__(self, suspicion, taus, known=None):
        self.suspicion = suspicion
        self.is_known = np.ones(len(suspicion), dtype=bool) if known is None else known
        self._taus = taus

    def taus(self, path, stratum):
        return self._taus[path]


def harmful_rows(every=5, stakes=Stakes.HIGH):
    """Rows of one stratum, every fifth weak answer harmful."""
    outcomes = [
        Outcome(
            query=Query(
                id=f"q{i}", messages=(Message(role="user", content=f"Question {i}"),), domain="law", stakes=stakes
            ),
            results={"cheap": Graded(quality=float(i % every != 0)), "dear": Graded(quality=1.0)},
        )
        for i in range(N)
    ]
    table = table_of(outcomes)
    return RunRows(table, ("certify",) * N, components(table.texts, table.groups), np.zeros((N, 0)))


def tried(tmp_path, classified, *, path="fixed", stakes=Stakes.HIGH, passed=None):
    settings = RunSettings.model_validate(
        {
            "name": "trial",
            "store_url": f"sqlite:///{tmp_path / 'store.db'}",
            "pair": {"weak": {"name": "cheap"}, "strong": {"name": "dear"}},
            "data": {"files": ["rows.jsonl"], "target_domains": ["law"]},
            "split": {"train": 0.4, "calibrate": 0.15, "certify": 0.25},
            "verifiers": {"suspicion": {"family": "words", "path": path}},
        }
    )
    unknowing = np.full(N, 0.5)  # the router tells nothing apart
    trial = Trial(settings, harmful_rows(stakes=stakes), unknowing, n_promised=1, classified=classified, passed=passed)
    return trial.of(f"law/{stakes}", np.arange(N))


def knowing(tau=0.5):
    return Classified(np.where(np.arange(N) % 5 == 0, 0.9, 0.1), {"fixed": (tau,), "family": (0.05, 0.5, None)})


def test_a_router_that_tells_nothing_apart_certifies_nothing_alone_and_everything_beside_a_classifier_that_does(
    tmp_path,
):
    alone, beside = tried(tmp_path, None), tried(tmp_path, knowing())

    assert (alone.is_certified, alone.tau) == (False, None)
    assert (beside.is_certified, beside.tau, beside.n_accepted, beside.harms) == (True, 0.5, 320, 0)


def test_another_threshold_or_another_suspicion_is_another_look(tmp_path):
    attempts = [
        tried(tmp_path, classified).attempt
        for classified in (knowing(), knowing(), knowing(0.6), Classified(np.zeros(N), {"fixed": (0.5,)}), None)
    ]

    assert attempts == [1, 1, 2, 3, 4]


def test_of_a_family_the_threshold_that_lets_most_leave_is_taken_at_its_share_of_delta(tmp_path):
    found = tried(tmp_path, knowing(), path="family")

    assert (found.is_certified, found.tau, found.n_accepted) == (True, 0.5, 320)
    assert found.delta == pytest.approx(0.05 / 2 / 3)


def test_a_hard_check_takes_answers_away_whatever_the_classifier_says(tmp_path):
    passed = {f"q{i}": i % 2 == 1 for i in range(N)}
    found = tried(tmp_path, knowing(), passed=passed)

    assert (found.is_rechecked, found.n_accepted) == (True, 160)


def test_where_one_row_has_no_answers_text_the_classifier_is_off(tmp_path):
    known = np.ones(N, dtype=bool)
    known[7] = False
    found = tried(tmp_path, Classified(np.zeros(N), {"fixed": (0.5,)}, known))

    assert found.tau is None
    assert doubt_of(Classified(np.zeros(3), {}, np.zeros(3, dtype=bool)), "fixed", "x", np.arange(3)).taus == OFF


@pytest.mark.validity
def test_the_cheapest_of_a_family_keeps_the_promise_as_often_as_declared():
    rng, max_loss, delta, n_studies = np.random.default_rng(6), 0.05, 0.1, 400
    promise = Promise(max_loss=max_loss, delta=delta)
    taus = (0.3, 0.5, 0.7, 0.9, None)
    broken = 0
    for _ in range(n_studies):
        population = _rows(rng, 20_000)
        rows = _rows(rng, 300)
        found = cheapest("law", rows, promise, taus, start=0.0)
        if found.is_certified:
            leaves = population.probability < found.threshold
            if found.tau is not None:
                leaves &= population.suspicion <= found.tau
            broken += bool(np.mean(leaves & (population.weak == 0)) > max_loss)

    assert broken / n_studies <= delta + 3 * np.sqrt(delta * (1 - delta) / n_studies)


def _rows(rng, n):
    """Rows whose harms both scores see a little."""
    harmful = rng.random(n) < 0.2
    scores = [1 / (1 + np.exp(-(rng.normal(size=n) + 1.2 * harmful - 0.6))) for _ in range(2)]
    return Rows(scores[0], weak=1.0 - harmful, strong=np.ones(n), suspicion=scores[1])
