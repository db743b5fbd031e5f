from datetime import timedelta

import pytest
import sqlalchemy as sa

from core.fingerprint import of_text
from core.store import writing
from labeling.content.importing import import_pairs
from labeling.content.inspecting import ImportRules
from labeling.queueing.dealing import OfferRules
from labeling.queueing.experts import invite_expert
from labeling.queueing.offering import next_task
from labeling.queueing.places import release_expired, set_wanted, wanted_experts
from labeling.tables import ASSIGNMENTS, ITEMS, PAIRS, QUEUE
from tests.labeling.conftest import PLAIN_RULES, STRONG, WEAK, row, write_rows


def queue_of(store):
    query = sa.select(QUEUE, ITEMS.c.stakes).join(PAIRS, PAIRS.c.id == QUEUE.c.pair_id).join(ITEMS)
    with store.connect() as connection:
        return connection.execute(query).all()


def test_high_stakes_are_judged_by_two_and_the_rest_by_1_3_on_average(store, tmp_path, clock):
    rows = [row(number) for number in range(400)]
    rules = ImportRules(weak=WEAK, strong=STRONG)
    import_pairs(store, [write_rows(tmp_path / "pairs.jsonl", rows)], by="lead", now=clock(), rules=rules)
    wanted = {stakes: [one.wanted for one in queue_of(store) if one.stakes == stakes] for stakes in ("high", "low")}

    assert set(wanted["high"]) == {2}
    # 200 pairs, each by one or, with chance 0.3, by two: three standard errors are 3 (0.3 x 0.7 / 200)^(1/2) = 0.097.
    assert sum(wanted["low"]) / 200 == pytest.approx(1.3, abs=0.097)


def test_a_wish_for_more_experts_opens_pairs_again_and_one_for_fewer_closes_them(imported, clock):
    store = imported(3)
    invite_expert(store, "Dana", by="lead", now=clock())
    next_task(store, "Dana", rules=PLAIN_RULES, now=clock())
    opened = []
    for n in (1, 2, 1):
        with writing(store) as connection:
            set_wanted(connection, high=n, low=n, audit=n)
        opened.append(sum(one.is_open for one in queue_of(store)))

    assert opened == [2, 3, 2]


def test_the_audit_has_a_number_of_experts_of_its_own(imported):
    store = imported(2)
    with writing(store) as connection:
        first = connection.execute(sa.select(QUEUE.c.pair_id).limit(1)).scalar()
        connection.execute(QUEUE.update().where(QUEUE.c.pair_id == first).values(stream="audit"))
        set_wanted(connection, high=1, low=1, audit=3)

    assert sorted((one.stream, one.wanted) for one in queue_of(store)) == [("audit", 3), ("plain", 1)]


def test_a_lapsed_lease_gives_its_place_back_once(imported, clock):
    store = imported(2)
    invite_expert(store, "Dana", by="lead", now=clock())
    next_task(store, "Dana", rules=PLAIN_RULES, now=clock())
    clock.skip(OfferRules().lease + timedelta(seconds=5))
    released = []
    for _ in range(2):
        with writing(store) as connection:
            released.append(release_expired(connection, now=clock()))
    with store.connect() as connection:
        holds = connection.execute(sa.select(ASSIGNMENTS.c.holds_place)).scalars().all()

    assert released == [1, 0]
    assert holds == [False]
    assert {(one.n_taken, one.is_open) for one in queue_of(store)} == {(0, True)}


@pytest.mark.parametrize(("low", "share"), [(1.0, 0.0), (1.5, 0.5), (2.0, 1.0)])
def test_the_share_of_pairs_judged_twice_follows_the_average(low, share):
    ids = ["0" * 8 + f"{n:08x}" + "0" * 48 for n in range(0, 2**32, 2**24)]
    twice = [wanted_experts(id_, "low", high=9, low=low) == 2 for id_ in ids]

    assert sum(twice) / len(ids) == share


def test_pairs_judged_twice_stand_early_in_the_queue_as_often_as_late():
    ids = sorted((of_text(str(number)) for number in range(2000)), reverse=True)  # as the queue deals them
    twice = [wanted_experts(id_, "low", high=9, low=1.3) == 2 for id_ in ids]

    # 1000 pairs a half, each with chance 0.3: three standard errors are 3 (0.3 x 0.7 / 1000)^(1/2) = 0.044.
    assert sum(twice[:1000]) / 1000 == pytest.approx(0.3, abs=0.044)
    assert sum(twice[1000:]) / 1000 == pytest.approx(0.3, abs=0.044)
