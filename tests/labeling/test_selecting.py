import json

import numpy as np
import pytest
import sqlalchemy as sa

from assurance.sampling import hajek
from core.access import Actor, Role
from core.errors import AccessDenied, PreceptorError
from core.ledger import Ledger
from core.outcomes import read_outcomes
from core.signals import Signal, write_signals
from labeling.judging.ballots import Ballot, Choice
from labeling.judging.submitting import submit
from labeling.queueing.experts import invite_expert
from labeling.queueing.offering import next_task
from labeling.queueing.same_answers import write_ties
from labeling.queueing.selecting import Request, select_active, select_audit
from labeling.queueing.waiting import twins_of, waiting
from labeling.tables import ANSWERS, ITEMS, PAIRS, QUEUE, SELECTED, SELECTIONS
from tests.labeling.conftest import PLAIN_RULES, STRONG, WEAK

LEAD = Actor("Lea", frozenset({Role.LEAD}))
WORDS = "amber birch cedar delta ember fjord grove heath islet joist kiosk ledge maple north ocean pearl ridge".split()


@pytest.fixture
def varied(imported, store):
    """Import pairs whose texts are not near-duplicates of each other."""

    def import_varied(n_pairs, **fields):
        imported(n_pairs, **fields)
        rng = np.random.default_rng(5)
        with store.begin() as connection:
            for id_ in connection.execute(sa.select(ITEMS.c.id)).scalars().all():
                text = " ".join(rng.choice(WORDS, size=9)) + f" {id_}"
                messages = json.dumps([{"role": "user", "content": text}])
                connection.execute(ITEMS.update().where(ITEMS.c.id == id_).values(messages=messages))
        return store

    return import_varied


def rows_of(store, query):
    with store.connect() as connection:
        return connection.execute(query).all()


def streams(store):
    query = sa.select(PAIRS.c.item_id, QUEUE.c.stream).join(QUEUE, QUEUE.c.pair_id == PAIRS.c.id)
    return {row.item_id: row.stream for row in rows_of(store, query)}


def regroup(store, groups):
    with store.begin() as connection:
        for id_, group in groups.items():
            connection.execute(ITEMS.update().where(ITEMS.c.id == id_).values(group_key=group))


def signal(store, clock, probabilities, **parts):
    signals = [
        Signal(query_id=id_, bundle="b", probability=p, threshold=0.5, **parts) for id_, p in probabilities.items()
    ]
    write_signals(store, signals, now=clock())


def test_an_audit_is_drawn_with_equal_chances_that_are_stored_and_stands_in_the_ledger(varied, clock):
    store = varied(20)
    drawing = select_audit(store, Request(n=5, seed=7, wanted=2), actor=LEAD, now=clock())
    chosen = rows_of(store, sa.select(SELECTED))
    event = Ledger(store).events(action="queue.select")[0]

    assert (drawing.stream, drawing.n_candidates, drawing.n_chosen) == ("audit", 20, 5)
    assert [(row.inclusion_probability, row.reason) for row in chosen] == [(0.25, "random")] * 5
    assert {row.item_id for row in chosen} == {id_ for id_, stream in streams(store).items() if stream == "audit"}
    assert {row.wanted for row in rows_of(store, sa.select(QUEUE).where(QUEUE.c.stream == "audit"))} == {2}
    assert event.actor == "Lea"
    assert {name: event.details[name] for name in ("stream", "seed", "n_candidates", "n_chosen")} == {
        "stream": "audit",
        "seed": 7,
        "n_candidates": 20,
        "n_chosen": 5,
    }


def test_the_same_seed_draws_the_same_items(varied, clock):
    store = varied(20)
    drawn = []
    for _ in range(2):
        drawing = select_audit(store, Request(n=5, seed=7), actor=LEAD, now=clock())
        query = sa.select(SELECTED.c.item_id).where(SELECTED.c.selection_id == drawing.id)
        drawn.append({row.item_id for row in rows_of(store, query)})
        with store.begin() as connection:
            connection.execute(SELECTED.delete())
            connection.execute(SELECTIONS.delete())
            connection.execute(QUEUE.update().values(stream="plain"))

    assert drawn[0] == drawn[1]


def test_of_tied_items_the_audit_takes_one_and_bars_the_others_from_the_active_stream(varied, clock):
    store = varied(12)
    regroup(store, {f"task-{n:03}": f"claim {n // 4}" for n in range(12)})
    select_audit(store, Request(n=2, seed=1), actor=LEAD, now=clock())
    audited = {int(id_[-3:]) // 4 for id_, stream in streams(store).items() if stream == "audit"}
    signal(store, clock, {f"task-{n:03}": 0.5 for n in range(12)})
    drawing = select_active(store, Request(n=12, seed=1), actor=LEAD, now=clock())
    active = {int(id_[-3:]) // 4 for id_, stream in streams(store).items() if stream == "active"}

    # Each claim of four is drawn with chance 2/3, and then one of its items: (2/3) / 4.
    chances = {row.inclusion_probability for row in rows_of(store, sa.select(SELECTED)) if row.reason == "random"}
    assert len(audited) == 2
    assert sorted(chances) == pytest.approx([1 / 6])
    assert (drawing.n_candidates, active) == (4, {0, 1, 2} - audited)
    assert "6 items are tied to items of the audit" in " ".join(drawing.remarks)


def test_what_was_judged_taken_held_or_chosen_is_never_drawn(varied, clock):
    store = varied(6)
    invite_expert(store, "Dana", by="lead", now=clock())
    judged = next_task(store, "Dana", rules=PLAIN_RULES, now=clock())
    submit(store, Ballot(judged.assignment_id, 0, Choice.BOTH_ACCEPTABLE), expert="Dana", now=clock())
    taken = next_task(store, "Dana", rules=PLAIN_RULES, now=clock())
    free = sorted({f"task-{n:03}" for n in range(6)} - {judged.query.id, taken.query.id})
    with store.begin() as connection:
        connection.execute(ITEMS.update().where(ITEMS.c.id == free[0]).values(phi_state="held"))
    select_audit(store, Request(n=1, seed=1), actor=LEAD, now=clock())
    (chosen,) = [id_ for id_, stream in streams(store).items() if stream == "audit"]
    with store.connect() as connection:
        left = waiting(connection).item_ids

    assert set(left) == set(free[1:]) - {chosen}


def test_the_active_stream_prefers_what_is_near_the_threshold_and_says_why(varied, clock):
    store = varied(40, stakes="low")
    signal(store, clock, {f"task-{n:03}": 0.5 if n < 10 else 0.99 for n in range(40)})
    drawing = select_active(store, Request(n=10, seed=3), actor=LEAD, now=clock())
    chosen = rows_of(store, sa.select(SELECTED))
    near = [row for row in chosen if row.item_id < "task-010"]

    assert len(near) >= 6
    assert {row.reason for row in near} == {"near the threshold"}
    assert {row.reason for row in chosen if row.item_id >= "task-010"} <= {"random floor"}
    assert min(row.inclusion_probability for row in chosen) >= 0.2 * 10 / 40
    assert "Not measured: disagreement, conflict, novelty" in drawing.remarks[0]


def test_chosen_pairs_come_first_and_the_two_streams_mixed(varied, clock):
    store = varied(12)
    select_audit(store, Request(n=3, seed=1), actor=LEAD, now=clock())
    signal(store, clock, {f"task-{n:03}": 0.5 for n in range(12)})
    select_active(store, Request(n=3, seed=1), actor=LEAD, now=clock())
    invite_expert(store, "Dana", by="lead", now=clock())
    order = []
    while task := next_task(store, "Dana", rules=PLAIN_RULES, now=clock()):
        order.append(streams(store)[task.query.id])
        submit(store, Ballot(task.assignment_id, 0, Choice.BOTH_ACCEPTABLE), expert="Dana", now=clock())

    assert sorted(order[:6]) == ["active"] * 3 + ["audit"] * 3
    assert order[6:] == ["plain"] * 6


def test_near_duplicates_are_known_among_the_waiting_and_to_those_chosen_before(imported, clock):
    store = imported(4)
    with store.begin() as connection:
        for n in range(4):
            text = json.dumps([{"role": "user", "content": " ".join([*WORDS, str(n)])}])  # one word of eighteen differs
            connection.execute(ITEMS.update().where(ITEMS.c.id == f"task-{n:03}").values(messages=text))
    with store.connect() as connection:
        twins, known = twins_of(waiting(connection))
    select_audit(store, Request(n=1, seed=1), actor=LEAD, now=clock())
    with store.connect() as connection:
        _, known_after = twins_of(waiting(connection))

    assert (len(set(twins.tolist())), known.tolist()) == (1, [0, 0, 0, 0])
    assert known_after.tolist() == [1, 1, 1]


def test_pairs_whose_answers_say_the_same_are_not_asked_about_and_are_written_as_ties(varied, clock, tmp_path):
    store = varied(8)
    with store.begin() as connection:
        for n in (0, 1, 2):
            same = ANSWERS.update().where(ANSWERS.c.item_id == f"task-{n:03}")
            connection.execute(same.where(ANSWERS.c.model == WEAK).values(text="Code:  B42.81"))
            connection.execute(same.where(ANSWERS.c.model == STRONG).values(text="code: b42.81\n"))
    regroup(store, {"task-001": "one claim", "task-002": "one claim"})
    signal(store, clock, {f"task-{n:03}": 0.5 for n in range(8)})
    drawing = select_active(store, Request(n=8, seed=1), actor=LEAD, now=clock())
    lines = write_ties(store, actor=LEAD, now=clock())
    (tmp_path / "ties.jsonl").write_text("\n".join(lines))
    outcomes = read_outcomes([tmp_path / "ties.jsonl"])

    assert (drawing.n_candidates, drawing.n_chosen) == (5, 5)
    assert "3 items have two answers that say the same" in drawing.remarks[0]
    assert [outcome.query.id for outcome in outcomes] == ["task-000", "task-001", "task-002"]
    assert {tuple(graded.quality for graded in outcome.results.values()) for outcome in outcomes} == {(1.0, 1.0)}
    assert Ledger(store).events(action="queue.ties")[0].details == {"rows": 3}


def test_an_audit_includes_pairs_whose_answers_say_the_same_and_bars_them_from_the_ties(varied, clock):
    store = varied(4)
    with store.begin() as connection:
        connection.execute(ANSWERS.update().values(text="Code: B42.81"))
    select_audit(store, Request(n=1, seed=1), actor=LEAD, now=clock())

    assert len(write_ties(store, actor=LEAD, now=clock())) == 3
    signal(store, clock, {f"task-{n:03}": 0.5 for n in range(4)})
    with pytest.raises(PreceptorError, match="no expert is needed"):
        select_active(store, Request(n=1, seed=1), actor=LEAD, now=clock())


def test_without_a_signal_the_active_stream_says_which_command_makes_them(varied, clock):
    store = varied(3)

    with pytest.raises(PreceptorError, match="preceptor prioritise"):
        select_active(store, Request(n=1, seed=1), actor=LEAD, now=clock())


def test_an_expert_may_not_select_and_nothing_waits_in_an_empty_store(imported, store, clock):
    with pytest.raises(PreceptorError, match="No item waits"):
        select_audit(store, Request(n=1, seed=1), actor=LEAD, now=clock())
    imported(3)
    with pytest.raises(AccessDenied):
        select_audit(store, Request(n=1, seed=1), actor=Actor("Dana", frozenset({Role.ANNOTATOR})), now=clock())


def test_an_audit_after_a_choice_by_score_says_for_whom_it_stands(varied, clock):
    store = varied(8)
    signal(store, clock, {f"task-{n:03}": 0.5 for n in range(8)})
    select_active(store, Request(n=2, seed=1), actor=LEAD, now=clock())
    drawing = select_audit(store, Request(n=9, seed=1), actor=LEAD, now=clock())

    assert drawing.n_chosen == 6
    assert "2 items had been chosen by score before" in drawing.remarks[0]
    assert "9 items were asked for; there are 6" in drawing.remarks[1]


@pytest.mark.validity
def test_labels_of_the_active_stream_give_an_unbiased_mean_by_the_stored_chances(varied, clock, request):
    if request.node.callspec.params["store_url"] != "sqlite":
        pytest.skip("the draw does not depend on the database")
    store = varied(60, stakes="low")
    # The nearer to the threshold, the likelier harm: the mean of what is chosen is far off.
    probability = {f"task-{n:03}": 0.5 + n / 150 for n in range(60)}
    harm = {id_: float(p < 0.6) for id_, p in probability.items()}
    truth = np.mean(list(harm.values()))
    signal(store, clock, probability)
    plain, weighted, covered = [], [], 0
    for seed in range(60):
        select_active(store, Request(n=20, seed=seed), actor=LEAD, now=clock())
        rows = rows_of(store, sa.select(SELECTED))
        values = np.array([harm[row.item_id] for row in rows])
        found = hajek(values, np.array([row.inclusion_probability for row in rows]))
        plain.append(values.mean())
        weighted.append(sum(v / row.inclusion_probability for v, row in zip(values, rows, strict=True)) / 60)
        covered += found.low <= truth <= found.high
        with store.begin() as connection:
            connection.execute(SELECTED.delete())
            connection.execute(SELECTIONS.delete())
            connection.execute(QUEUE.update().values(stream="plain"))

    assert truth == 0.25
    assert abs(np.mean(weighted) - truth) < 3 * np.std(weighted) / 60**0.5
    assert np.mean(plain) - truth > 10 * np.std(plain) / 60**0.5
    assert covered / 60 > 0.95 - 3 * (0.95 * 0.05 / 60) ** 0.5
