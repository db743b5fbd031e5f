import asyncio
import gc
import math
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from gateway import scoring
from gateway.contained import BrokeOff
from gateway.scoring import Scorer


class LengthRouter:
    """P = length / 1000. A text that is `bad` raises; `gate` is waited for before each batch."""

    def __init__(self, gate=None, error=None):
        self.gate, self.error = gate, error or RuntimeError("bad")
        self.batches, self.strata = [], []
        self.entered = threading.Event()

    def probabilities(self, texts, strata=()):
        self.entered.set()
        if self.gate is not None:
            assert self.gate.wait(30)
        self.batches.append(list(texts))
        self.strata += strata
        if "bad" in texts:
            raise self.error
        return np.array([len(text) / 1000 for text in texts])


@pytest.fixture
def scorer():
    scorer = Scorer()
    yield scorer
    scorer.close()


@pytest.fixture
def gate():
    gate = threading.Event()
    yield gate
    gate.set()


async def entered(router):
    await asyncio.to_thread(router.entered.wait, 30)


async def queued(scorer, router, texts, timeout_s=30.0):
    """Tasks of these texts, each of them waiting in the scorer."""
    tasks = [asyncio.create_task(scorer.probability(router, text, None, timeout_s)) for text in texts]
    await asyncio.sleep(0)
    return tasks


def test_a_text_gets_its_own_probability_and_its_stratum_goes_along(scorer):
    router = LengthRouter()

    assert asyncio.run(scorer.probability(router, "x" * 250, "law/high", 30)) == 0.25
    assert router.strata == ["law/high"]


def test_what_waits_while_a_batch_is_scored_is_the_next_batch(scorer, gate):
    router = LengthRouter(gate)

    async def six():
        first = await queued(scorer, router, ["x"])
        await entered(router)
        others = await queued(scorer, router, ["xx", "xxx", "xxxx", "xxxxx", "xxxxxx"])
        gate.set()
        return await asyncio.gather(*first, *others)

    assert asyncio.run(six()) == [0.001, 0.002, 0.003, 0.004, 0.005, 0.006]
    assert [len(batch) for batch in router.batches] == [1, 5]


def test_a_batch_holds_no_more_texts_than_it_may(gate):
    scorer, router = Scorer(max_batch=2), LengthRouter(gate)

    async def six():
        first = await queued(scorer, router, ["x"])
        await entered(router)
        others = await queued(scorer, router, ["x"] * 5)
        gate.set()
        await asyncio.gather(*first, *others)

    asyncio.run(six())
    scorer.close()

    assert [len(batch) for batch in router.batches] == [1, 2, 2, 1]


def test_a_batch_that_may_wait_takes_what_comes_meanwhile():
    scorer, router = Scorer(max_batch=3, max_wait_ms=600_000), LengthRouter()

    async def three():
        return await asyncio.gather(*(scorer.probability(router, "x", None, 30) for _ in range(3)))

    assert asyncio.run(three()) == [0.001] * 3
    scorer.close()
    assert [len(batch) for batch in router.batches] == [3]


def test_a_router_that_hangs_stops_neither_the_event_loop_nor_another_router(scorer, gate):
    hanging, quick = LengthRouter(gate), LengthRouter()

    async def both():
        waiting = await queued(scorer, hanging, ["x"])
        await entered(hanging)
        found = await scorer.probability(quick, "xx", None, 30)
        assert not waiting[0].done()
        gate.set()
        return found, await waiting[0]

    assert asyncio.run(both()) == (0.002, 0.001)


def test_a_text_that_is_late_is_none_and_is_never_scored(scorer, gate):
    router = LengthRouter(gate)

    async def late():
        first = await queued(scorer, router, ["first"])
        await entered(router)
        found = await scorer.probability(router, "late", None, 0.01)
        left = await queued(scorer, router, ["left"])
        left[0].cancel()
        gate.set()
        last = await scorer.probability(router, "last", None, 30)
        return found, await first[0], last

    assert asyncio.run(late()) == (None, 0.005, 0.004)
    assert router.batches == [["first"], ["last"]]


def test_a_text_that_raises_fails_no_other_of_its_batch(scorer, gate):
    router = LengthRouter(gate)

    async def four():
        first = await queued(scorer, router, ["x"])
        await entered(router)
        others = await queued(scorer, router, ["xx", "bad", "xxxx"])
        gate.set()
        return await asyncio.gather(*first, *others, return_exceptions=True)

    found = asyncio.run(four())

    assert (found[0], found[1], found[3]) == (0.001, 0.002, 0.004)
    assert isinstance(found[2], RuntimeError)


def test_a_router_that_exits_ends_neither_its_thread_nor_the_program(scorer):
    router = LengthRouter(error=SystemExit(1))

    with pytest.raises(BrokeOff, match="SystemExit"):
        asyncio.run(scorer.probability(router, "bad", None, 30))
    assert asyncio.run(scorer.probability(router, "x", None, 30)) == 0.001


def test_a_routers_own_timeout_is_its_error_not_a_late_text(scorer):
    with pytest.raises(TimeoutError, match="its own"):
        asyncio.run(scorer.probability(LengthRouter(error=TimeoutError("its own")), "bad", None, 30))


@pytest.mark.parametrize("answer", [np.zeros((1, 1)), np.zeros(2), 0.5])
def test_what_is_not_one_number_a_text_is_nan(scorer, answer):
    class Odd:
        def probabilities(self, texts, strata=()):
            return answer

    assert math.isnan(asyncio.run(scorer.probability(Odd(), "x", None, 30)))


def test_a_router_that_never_comes_back_is_given_another_thread(scorer, gate):
    class HangsOnce(LengthRouter):
        def probabilities(self, texts, strata=()):
            if "hang" in texts:
                self.entered.set()
                assert gate.wait(30)
            return super().probabilities(texts, strata)

    router = HangsOnce()

    async def after_a_hang():
        hung = await queued(scorer, router, ["hang"], timeout_s=0.3)
        await entered(router)
        waiting = await queued(scorer, router, ["xx"])
        return await hung[0], await waiting[0], await scorer.probability(router, "xxx", None, 30)

    assert asyncio.run(after_a_hang()) == (None, 0.002, 0.003)


def test_closing_scores_what_waits_and_a_later_call_works_again(scorer, gate):
    router = LengthRouter(gate)

    async def close_behind():
        first = await queued(scorer, router, ["x"])
        await entered(router)
        others = await queued(scorer, router, ["xx", "xxx"])
        closing = asyncio.create_task(asyncio.to_thread(scorer.close, 30))
        await asyncio.sleep(0)
        gate.set()
        await closing
        return await asyncio.gather(*first, *others)

    assert asyncio.run(close_behind()) == [0.001, 0.002, 0.003]
    assert asyncio.run(scorer.probability(router, "xxxx", None, 30)) == 0.004


def test_a_thread_without_work_ends_and_lets_go_of_its_bundle(scorer, monkeypatch):
    monkeypatch.setattr(scoring, "IDLE_S", 0.01)
    router = LengthRouter()
    asyncio.run(scorer.probability(router, "x", None, 30))
    held = weakref.ref(router)
    ended = threading.Event()
    weakref.finalize(router, ended.set)

    del router
    gc.collect()

    assert ended.wait(30)
    assert held() is None


def test_event_loops_of_several_threads_share_one_scorer(scorer):
    router = LengthRouter()

    def ten(n):
        async def run():
            return await asyncio.gather(*(scorer.probability(router, "x" * n, None, 30) for _ in range(10)))

        return set(asyncio.run(run()))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ten, (10, 20, 30, 40))) == [{0.01}, {0.02}, {0.03}, {0.04}]


def test_long_texts_are_scored_one_by_one_and_short_ones_together(scorer, gate):
    router = LengthRouter(gate)

    async def many():
        first = await queued(scorer, router, ["x"])
        await entered(router)
        others = await queued(scorer, router, ["x" * n for n in (5000, 90, 80, 900, 70, 1500)])
        gate.set()
        return await asyncio.gather(*first, *others)

    assert asyncio.run(many())[1:] == [5.0, 0.09, 0.08, 0.9, 0.07, 1.5]
    assert [[len(text) for text in batch] for batch in router.batches[1:]] == [[70, 80, 90], [900], [1500], [5000]]


def test_minilm_and_a_bundle_say_the_same_of_a_text_in_a_batch_and_alone(tmp_path, scorer, gate):
    from core.calibrator import Calibrator
    from models.bundle import load_bundle, save_bundle
    from models.bundle_facts import BundleFacts
    from models.encoders import EncoderSpec
    from models.matrix_factorization import MatrixFactorization
    from models.mf_router import MfRouter
    from models.minilm import WEIGHTS_SHA256

    rng = np.random.default_rng(7)
    factors = MatrixFactorization(
        model_names=("small", "large"),
        model_vectors=rng.normal(size=(2, 8)),
        model_biases=rng.normal(size=2),
        text_projection=rng.normal(size=(8, 384)),
        text_bias=rng.normal(size=8),
        classifier=rng.normal(size=8),
        center=np.zeros(384),
        scale=1.0,
    )
    facts = BundleFacts(
        name="demo.mf",
        weak="small",
        strong="large",
        encoder=EncoderSpec(max_tokens=64),
        encoder_sha256=WEIGHTS_SHA256,
        calibrator=Calibrator(method="platt", slope=1.3, intercept=-0.2, n_labels=400),
        thresholds={"default": 0.4},
        settings_fingerprint="s" * 64,
        data_fingerprint="d" * 64,
        created_at="2026-11-24T00:00:00Z",
    )
    save_bundle(tmp_path / "bundle", facts, router=MfRouter(factors, "small", "large", None))
    bundle = load_bundle(tmp_path / "bundle")
    texts = [f"Question {n}: {'which code is right for a fracture of the femur ' * (n % 5)}" for n in range(12)]
    alone = [float(bundle.probabilities([text])[0]) for text in texts]

    async def together():
        first = await queued(scorer, blocked := Behind(bundle, gate), ["Warm up."])
        await entered(blocked)
        tasks = await queued(scorer, blocked, texts)
        gate.set()
        await first[0]
        return await asyncio.gather(*tasks), max(blocked.sizes)

    found, largest = asyncio.run(together())

    assert largest > 2
    assert len({round(one, 3) for one in alone}) > 6  # so that a text that got another's would be seen
    assert np.abs(np.array(found) - alone).max() < 1e-6


class Behind(LengthRouter):
    """A bundle behind a gate."""

    def __init__(self, bundle, gate):
        super().__init__(gate)
        self.bundle, self.sizes = bundle, []

    def probabilities(self, texts, strata=()):
        self.entered.set()
        assert self.gate.wait(30)
        self.sizes.append(len(texts))
        return self.bundle.probabilities(texts, strata)
