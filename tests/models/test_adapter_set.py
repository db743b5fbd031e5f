import threading

import numpy as np
import pytest

from core.errors import BundleError
from models.adaptation import LoraAdapter, merge
from models.adapter_set import AdapterSet
from models.factorization_fit import fit

RANK = 2


@pytest.fixture(scope="module")
def base():
    rng = np.random.default_rng(0)
    return fit(rng.normal(size=(60, 5)), rng.integers(0, 2, size=(60, 3)).astype(float), ["a", "b", "c"], l2=1.0)


def adapter_for(base, seed):
    rng, prefix = np.random.default_rng(seed), "base_model.model."
    k, d = base.text_projection.shape
    shapes = {
        "text_projection.lora_A.weight": (RANK, d),
        "text_projection.lora_B.weight": (k, RANK),
        "classifier.lora_A.weight": (RANK, k),
        "classifier.lora_B.weight": (1, RANK),
        "text_projection.base_layer.bias": (k,),
    }
    tensors = {prefix + name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    return LoraAdapter(tensors, {"r": RANK, "lora_alpha": 4.0, "use_rslora": True}, base.sha256, 1.0, 1, 20)


@pytest.fixture
def two(base):
    return AdapterSet(base, {"law": adapter_for(base, 1), "coding": adapter_for(base, 2)})


def test_each_domain_scores_as_its_merged_router_to_the_bit(base, two):
    queries = np.random.default_rng(3).normal(size=(20, 5))

    for domain in ("law", "coding"):
        for pair in (("a", "b"), ("c", "a")):
            expected = merge(base, two[domain]).collapse(*pair).score(queries)
            assert np.array_equal(two.scorer(domain, *pair).score(queries), expected)


def test_domains_differ_and_going_back_gives_the_first_scores_again(two):
    queries = np.random.default_rng(3).normal(size=(20, 5))

    first = two.scorer("law", "a", "b").score(queries)
    assert np.abs(two.scorer("coding", "a", "b").score(queries) - first).max() > 0.05
    assert np.array_equal(two.scorer("law", "a", "b").score(queries), first)


def test_switching_merges_nothing_again(two, monkeypatch):
    law = two.scorer("law", "a", "b")
    coding = two.scorer("coding", "a", "b")

    def refuse(*_):
        raise AssertionError("merged again")

    monkeypatch.setattr("models.adapter_set.merge", refuse)
    assert two.scorer("law", "a", "b") is law
    assert two.scorer("coding", "a", "b") is coding


def test_a_domain_added_while_serving_is_served(base, two):
    queries = np.ones((1, 5))
    finance = adapter_for(base, 7)
    two.add("finance", finance)

    assert sorted(two) == ["coding", "finance", "law"]
    expected = merge(base, finance).score_embeddings(queries, weak="a", strong="c")
    assert np.array_equal(two.scorer("finance", "a", "c").score(queries), expected)


def test_a_new_adapter_for_a_domain_replaces_the_old_one_and_no_other(base, two):
    law, coding = two.scorer("law", "a", "b"), two.scorer("coding", "a", "b")
    two.add("law", adapter_for(base, 9))

    assert two.scorer("law", "a", "b") is not law
    assert not np.array_equal(two.scorer("law", "a", "b").vector, law.vector)
    assert two.scorer("coding", "a", "b") is coding


def test_an_unknown_domain_is_answered_with_the_domains_that_work(two):
    with pytest.raises(BundleError, match=r"'tax'; there is one for: coding, law"):
        two.scorer("tax", "a", "b")


def test_an_unknown_model_is_answered_with_the_names_that_work(two):
    with pytest.raises(BundleError, match=r"'z'.*It knows a, b, c"):
        two.scorer("law", "a", "z")


def test_an_adapter_of_another_base_is_refused(base):
    from dataclasses import replace

    other = replace(base, model_biases=base.model_biases + 1.0)

    with pytest.raises(BundleError, match="belongs to base"):
        AdapterSet(base, {"law": adapter_for(other, 1)})


def test_an_adapter_that_lacks_a_tensor_is_refused_when_it_is_added(base):
    lacking = adapter_for(base, 1)
    del lacking.tensors["base_model.model.classifier.lora_A.weight"]

    with pytest.raises(BundleError, match="lacks the tensor"):
        AdapterSet(base).add("law", lacking)


def test_threads_that_ask_while_adapters_change_get_whole_scorers(base, two):
    wanted = {tuple(merge(base, adapter_for(base, seed)).collapse("a", "b").vector) for seed in (1, 11)}
    seen = set()

    def ask():
        for _ in range(200):
            seen.add(tuple(two.scorer("law", "a", "b").vector))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    two.add("law", adapter_for(base, 11))
    for thread in threads:
        thread.join()
    assert seen <= wanted
    assert tuple(two.scorer("law", "a", "b").vector) == tuple(
        merge(base, adapter_for(base, 11)).collapse("a", "b").vector
    )
