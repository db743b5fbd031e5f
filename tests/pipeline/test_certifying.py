"""The trial of a run on hand-made rows: who is tried, at what delta, and what is refused."""

import dataclasses
import json

import numpy as np
import pytest

from core.ledger import Ledger
from core.records import Graded, Message, Outcome, Query, Source, Stakes
from core.settings import RunSettings
from core.store import open_store
from pipeline.certify_looks import ATTEMPT
from pipeline.certify_rechecks import passed_recheck
from pipeline.certifying import Trial, keeps_budget, one_a_group, promised_of
from pipeline.results import Rows
from pipeline.split import components
from pipeline.table import table_of

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")


@pytest.fixture
def settings(tmp_path):
    def make(verifiers="none", **terms):
        return RunSettings.model_validate(
            {
                "name": "trial",
                "store_url": f"sqlite:///{tmp_path / 'store.db'}",
                "pair": {"weak": {"name": "cheap"}, "strong": {"name": "dear"}},
                "data": {"files": ["rows.jsonl"], "target_domains": ["law"]},
                "split": {"train": 0.4, "calibrate": 0.15, "certify": 0.25},
                "certificate": terms,
                "verifiers": {"pack": verifiers},
            }
        )

    return make


def rows_of(n=200, *, n_harmful=0, source=Source.EXPERT, chances=(None,), group=None, stakes=Stakes.HIGH):
    """Rows of one stratum whose last weak answers are harmful, all of the part certify."""
    outcomes = [
        Outcome(
            query=Query(
                id=f"q{i}",
                messages=(Message(role="user", content=f"Question {i}"),),
                domain="law",
                stakes=stakes,
                group=group(i) if group else None,
            ),
            results={"cheap": Graded(quality=float(i < n - n_harmful)), "dear": Graded(quality=1.0)},
            source=source,
            inclusion_probability=chances[i % len(chances)],
        )
        for i in range(n)
    ]
    table = table_of(outcomes)
    return Rows(table, ("certify",) * n, components(table.texts, table.groups), np.zeros((n, 0)))


def table_of_both(one, other):
    """The rows of two tables in one, by index."""
    return dataclasses.replace(
        one.table,
        **{
            name: (*getattr(one.table, name), *getattr(other.table, name))
            for name in ("ids", "texts", "domains", "strata", "groups", "topics", "sources")
        },
        **{
            name: np.concatenate([getattr(one.table, name), getattr(other.table, name)])
            for name in ("quality", "cost_usd", "weight", "inclusion_probability")
        },
    )


def tried(settings, rows, *, probabilities=None, stratum="law/high", n_promised=1, passed=None):
    n = len(rows.table)
    probabilities = np.linspace(0.01, 0.9, n) if probabilities is None else probabilities
    return Trial(settings, rows, probabilities, n_promised=n_promised, passed=passed).of(stratum, np.arange(n))


def test_high_stakes_promise_less_harm_than_low_ones_and_unknown_ones_are_high(settings):
    terms = settings(max_harm={"law/high": None, "tax": 0.1}).certificate

    assert [promised_of(name, terms) for name in ("x/high", "x", "x/low", "tax", "law/high")] == [
        0.02,
        0.02,
        0.05,
        0.1,
        None,
    ]
    assert promised_of("x/standard", settings(max_harm_standard=0.03, max_harm_low=None).certificate) == 0.03
    assert keeps_budget("x/low", settings(max_harm_low=None).certificate)
    assert not keeps_budget("x/high", settings(max_harm_low=None).certificate)


def test_critical_stakes_are_promised_nothing_whatever_settings_say(settings):
    terms = settings(max_harm={"law/critical": 0.1}, max_harm_low=None).certificate

    assert promised_of("law/critical", terms) is None
    assert not keeps_budget("law/critical", terms)


def test_clean_rows_are_certified_at_the_level_of_a_first_attempt(settings):
    found = tried(settings(), rows_of(200))

    assert (found.is_certified, found.attempt, found.delta, found.harms, found.n) == (True, 1, 0.025, 0, 200)
    assert found.upper == pytest.approx(1 - 0.025 ** (1 / 200))


def test_too_few_labels_are_named_and_the_stratum_goes_to_the_strong_model(settings):
    found = tried(settings(max_harm_high=0.01, attempts=1), rows_of(180))

    assert (found.is_certified, found.threshold) == (False, 0.0)
    assert "takes 299 clean labels; there are 180" in found.why


def test_strata_share_delta(settings):
    assert tried(settings(), rows_of(), n_promised=5).delta == pytest.approx(0.005)


def test_a_group_counts_once(settings):
    found = tried(settings(), rows_of(300, group=lambda i: f"g{i // 2}"))

    assert found.n == 150
    assert not found.is_certified  # 150 clean labels are too few at delta 0.025: 183 are needed


def test_which_row_of_a_group_counts_depends_on_its_hash_alone():
    component = np.array([0, 0, 0, 3, 4])
    chosen = one_a_group(component, ["a", "b", "c", "d", "e"], seed=0)
    moved = one_a_group(component[::-1], ["e", "d", "c", "b", "a"], seed=0)

    assert sorted(component[chosen]) == [0, 3, 4]
    assert [["a", "b", "c", "d", "e"][i] for i in chosen] == [["e", "d", "c", "b", "a"][i] for i in moved]


def test_the_same_trial_again_is_the_same_attempt_and_another_router_is_one_more(settings):
    rows = rows_of()
    first = tried(settings(), rows)
    again = tried(settings(), rows)
    other = tried(settings(), rows, probabilities=np.linspace(0.02, 0.8, 200))
    looser = tried(settings(max_harm_high=0.03), rows)

    assert [one.attempt for one in (first, again, other, looser)] == [1, 1, 2, 3]
    assert [one.delta for one in (first, other, looser)] == pytest.approx([0.05 / 2, 0.05 / 6, 0.05 / 12])
    assert first.ledger_seq == again.ledger_seq
    events = Ledger(open_store(settings().store_url)).events(action=ATTEMPT)
    assert [event.subject for event in events] == ["stratum:law/high"] * 3
    assert not any("Question" in str(event.details) for event in events)


def test_beyond_the_declared_attempts_nothing_is_certified(settings):
    once = settings(attempts=1)
    first = tried(once, rows_of())
    second = tried(once, rows_of(), probabilities=np.linspace(0.02, 0.8, 200))

    assert (first.is_certified, first.delta) == (True, 0.05)
    assert (second.is_certified, second.attempt) == (False, 2)
    assert "attempt 2 on these rows, and 1 were declared" in second.why


@pytest.mark.parametrize(
    ("rows", "terms", "words"),
    [
        (rows_of(source=Source.JUDGE), {}, "200 of 200 labels come from a judge"),
        (rows_of(chances=(0.2, 0.9)), {}, "had chances of being chosen from 0.2 to 0.9"),
        (rows_of(), {"loss": "net", "verifiers": "medical_coding"}, "may raise a net or selective loss"),
        (rows_of(), {"is_selective": True, "verifiers": "medical_coding"}, "may raise a net or selective loss"),
        (rows_of(), {"max_harm": {"law/high": None}}, "Settings send this stratum"),
    ],
)
def test_rows_that_can_show_nothing_are_refused_without_spending_an_attempt(settings, rows, terms, words):
    found = tried(settings(**terms), rows)

    assert (found.is_certified, found.attempt) == (False, None)
    assert words in found.why
    assert Ledger(open_store(settings().store_url)).events(action=ATTEMPT) == []


def test_equal_chances_of_being_chosen_are_like_the_traffic(settings):
    assert tried(settings(), rows_of(chances=(0.3,))).is_certified


def test_a_router_that_lets_hardly_any_answer_leave_is_told_how_good_it_would_have_to_be(settings):
    rng = np.random.default_rng(0)
    rows = rows_of(600, n_harmful=240)
    found = tried(settings(), rows, probabilities=rng.random(600))

    assert found.share_weak < 0.2
    assert "With 600 labels and 40.0% of weak answers harmful, an AUROC of about 0." in found.why
    assert "would let 20% leave; this router has 0.48." in found.why


def test_a_selective_promise_counts_harm_among_the_answers_that_leave(settings):
    rows = rows_of(400, n_harmful=100)
    parts = ("certify",) * 400
    other = rows_of(400)
    both = Rows(table_of_both(rows, other), (*parts, *("calibrate",) * 400), np.arange(800), np.zeros((800, 0)))
    probabilities = np.tile(np.linspace(0.01, 0.9, 400), 2)
    found = Trial(settings(is_selective=True, max_harm_high=0.05), both, probabilities, n_promised=1).of(
        "law/high", np.arange(400)
    )

    assert found.is_certified
    assert found.mean_loss == found.harms / found.n_accepted
    assert 0.2 * 400 <= found.n_accepted <= 310


def test_a_recheck_that_catches_the_harmful_answers_lets_more_of_the_others_leave(settings):
    rows = rows_of(400, n_harmful=100)
    caught = {f"q{i}": i < 300 and i % 10 != 0 for i in range(400)}  # and one good answer in ten with them
    alone, rechecked = tried(settings(), rows), tried(settings("medical_coding"), rows, passed=caught)

    assert (alone.is_rechecked, rechecked.is_rechecked) == (False, True)
    assert alone.threshold < 0.7 < rechecked.threshold
    assert (rechecked.n_accepted, rechecked.harms) == (270, 0)
    assert rechecked.attempt == 2  # the same rows, tried otherwise


def test_a_recheck_counts_only_where_it_is_known_of_every_row_and_made_of_every_answer(settings):
    rows = rows_of(400, n_harmful=100)
    known = {f"q{i}": i < 300 for i in range(400)}

    assert not tried(settings(), rows, passed={**known} | {}, stratum="law").is_rechecked
    del known["q7"]
    assert not tried(settings(), rows, passed=known).is_rechecked


def test_with_every_answer_rechecked_a_net_promise_can_be_shown(settings):
    found = tried(settings("medical_coding", loss="net"), rows_of(400), passed={f"q{i}": True for i in range(400)})

    assert (found.is_certified, found.is_rechecked, found.harms) == (True, True, None)


def test_the_recheck_of_a_run_reads_the_weak_answers_and_leaves_out_those_without_text(settings, tmp_path):
    good, bad = "Code: B42.81", "Code: Z99.999"
    query = "Code this diagnosis in ICD-10-CM: Meningitis in sporotrichosis\nCandidate codes:\nB42.81 A\nB42.9 B"
    answers = {"a": good, "b": bad, "c": None, "d": good}
    lines = [
        {"id": name, "query": f"{query} {name}", "results": {"cheap": {"quality": 1, "text": text}, "dear": 1}}
        for name, text in answers.items()
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    asked = settings("medical_coding")
    asked = asked.model_copy(update={"data": asked.data.model_copy(update={"files": (tmp_path / "rows.jsonl",)})})

    found = passed_recheck(asked, {"a", "b", "c"})
    assert set(found) == {"a", "b"}
    assert found["b"] is False
    assert passed_recheck(settings(), {"a"}) == {}
