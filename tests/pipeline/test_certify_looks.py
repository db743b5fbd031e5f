from concurrent.futures import ThreadPoolExecutor

import numpy as np

from assurance.certificates import Rows
from core.ledger import Ledger
from core.store import open_store
from pipeline.certify_looks import ATTEMPT, Looks, text_key, tried_hash

KEYS = [text_key(f"Question {i}") for i in range(100)]


def test_looks_are_counted_in_the_order_of_the_ledger_and_survive_its_check(store_url):
    store = open_store(store_url)
    looks = Looks(Ledger(store), run="trial")
    found = [looks.look("law/high", tried, KEYS) for tried in ("a", "b", "a", "c")]

    assert [one.attempt for one in found] == [1, 2, 1, 3]
    assert found[0].at == found[2].at
    assert looks.look("law/low", "a", KEYS).attempt == 1  # another stratum
    assert Ledger(store).verify() == 4
    store.dispose()


def test_runs_that_look_at_once_never_share_a_number(store_url):
    store = open_store(store_url)
    looks = Looks(Ledger(store), run="trial")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda tried: looks.look("law/high", tried, KEYS), "abcdefgh"))

    assert sorted(one.attempt for one in found) == list(range(1, 9))
    store.dispose()


def test_what_a_look_leaves_behind_is_hashes_and_counts(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    Looks(Ledger(store), run="trial").look("law/high", "a", KEYS)
    (event,) = Ledger(store).events(action=ATTEMPT)

    assert (event.subject, event.details["run"], event.details["rows"]) == ("stratum:law/high", "trial", 100)
    assert len(str(event.details["buckets"]).split(",")) == 16
    assert not any(key in str(event.details) for key in KEYS)
    store.dispose()


def test_a_changed_label_score_or_promise_is_another_trial():
    rows = Rows(np.array([0.1, 0.2]), np.array([1.0, 0.0]), np.ones(2))
    same = Rows(rows.probability.copy(), rows.weak.copy(), rows.strong.copy())
    hashes = [
        tried_hash({"max_loss": 0.02}, rows),
        tried_hash({"max_loss": 0.03}, rows),
        tried_hash({"max_loss": 0.02}, Rows(np.array([0.1, 0.3]), rows.weak, rows.strong)),
        tried_hash({"max_loss": 0.02}, Rows(rows.probability, np.array([1.0, 1.0]), rows.strong)),
    ]

    assert tried_hash({"max_loss": 0.02}, same) == hashes[0]
    assert len(set(hashes)) == 4
