"""The routing loop over bundles that are followed: swaps under load, a canary, the stop switch, a late recheck."""

import asyncio
import threading
from datetime import UTC, datetime

from core.settings import RunSettings
from gateway.bundles.admission import Admission
from gateway.bundles.live_bundles import Following, LiveBundles
from gateway.bundles.pointers import Located, Pointers, write_pointers
from gateway.bundles.rechecks import Rechecks
from gateway.bundles.references import References
from gateway.bundles.switch import Stop
from gateway.bundles.switch_state import SwitchState
from gateway.told import Told
from models.bundle_files import bundle_sha256
from tests.gateway.conftest import SAYS_CODE
from tests.gateway.word_bundle import settings_of, word_bundle
from verifiers.assembling import Recheck

CHAMPION = "models:/coding@champion"
NOW = datetime(2026, 11, 24, tzinfo=UTC)
ASKED = {"model": "auto", "messages": [{"role": "user", "content": "Code this."}]}


def source_of(settings: RunSettings, references, *, pointer_file=None, **parts) -> LiveBundles:
    return LiveBundles(
        "words",
        following=Following(references, pointer_file, watch_s=0.01),
        admission=Admission(settings),
        **{"rechecks": Rechecks.ready(Recheck(SAYS_CODE)), **parts},
    )


def served(loop, source, story):
    """The story's result, told while the source follows."""

    async def all_of_it():
        await source.start()
        try:
            assert await source.ready(timeout_s=60)
            return await story()
        finally:
            await source.aclose()
            await loop.aclose()

    return asyncio.run(all_of_it())


async def until(condition):
    deadline = asyncio.get_running_loop().time() + 60
    while not condition():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.005)


def test_twenty_swaps_and_rollbacks_under_load_lose_no_request_and_each_is_on_record_with_one_of_the_two(
    make_loop, log, tmp_path
):
    folders = [word_bundle(tmp_path / name, threshold=threshold) for name, threshold in (("a", 0.7), ("b", 0.8))]
    hashes = [bundle_sha256(folder) for folder in folders]
    pointer_file = tmp_path / "pointers.json"

    def point(turn):
        located = Located(version=turn, sha256=hashes[turn % 2], folder=str(folders[turn % 2]))
        write_pointers(pointer_file, Pointers(references={CHAMPION: located}))

    point(0)
    source = source_of(settings_of(tmp_path), References(CHAMPION), pointer_file=pointer_file)
    loop = make_loop(source=source)

    async def story():
        replies, is_over = [], asyncio.Event()

        async def client(number):
            while not is_over.is_set():
                replies.append(await loop.answer(ASKED, Told(session=f"s{number}-{len(replies)}")))

        clients = [asyncio.create_task(client(number)) for number in range(4)]
        for turn in range(1, 21):
            point(turn)
            wanted = hashes[turn % 2]
            await until(lambda wanted=wanted: source.reports()[0].bundle == wanted)
            count = len(replies)
            await until(lambda count=count: len(replies) > count + 2)
        is_over.set()
        await asyncio.gather(*clients)
        return replies

    replies = served(loop, source, story)
    assert {reply.decision.bundle for reply in replies} == set(hashes)
    assert {reply.decision.answered_by for reply in replies} == {"small"}
    assert all(log.find(reply.decision.id) is not None for reply in replies)


def test_a_canary_decides_its_share_of_conversations_each_to_its_end_and_the_arm_is_on_record(make_loop, log, tmp_path):
    champion, canary = (word_bundle(tmp_path / name, threshold=t) for name, t in (("a", 0.7), ("b", 0.8)))
    source = source_of(settings_of(tmp_path), References(str(champion), canary=str(canary), canary_share=0.3))
    loop = make_loop(source=source)

    async def story():
        arms = [(await loop.decide(ASKED, Told(session=f"s{n}"))).arm for n in range(400)]
        again = [(await loop.decide(ASKED, Told(session=f"s{n}"))).arm for n in range(400)]
        by_canary = arms.index("canary")
        return arms, again, (await loop.answer(ASKED, Told(session=f"s{by_canary}"))).decision

    arms, again, decision = served(loop, source, story)
    assert arms == again
    assert abs(arms.count("canary") / 400 - 0.3) <= 3 * (0.3 * 0.7 / 400) ** 0.5
    assert (decision.arm, decision.bundle) == ("canary", bundle_sha256(canary))
    assert log.find(decision.id).arm == "canary"


def test_a_stop_is_obeyed_by_the_next_request_and_the_weak_model_is_not_asked(make_loop, models, tmp_path):
    stops = [()]
    switch = SwitchState(lambda: stops[0], watch_s=0.01)
    source = source_of(
        settings_of(tmp_path), References(str(word_bundle(tmp_path / "a", threshold=0.7))), switch=switch
    )
    loop = make_loop(source=source)

    async def story():
        before = (await loop.answer(ASKED)).decision
        stops[0] = (Stop(None, NOW, "ann", "wrong codes"),)
        await until(lambda: source.stopped(None))
        models[0].requests.clear()
        return before, (await loop.answer(ASKED)).decision, source.is_all_stopped, source.warnings()

    before, stopped, is_all_stopped, warnings = served(loop, source, story)
    assert before.answered_by == "small"
    assert (stopped.answered_by, stopped.reasons, is_all_stopped) == ("large", ("stopped",), True)
    assert models[0].requests == []
    assert warnings == ("Weak answers of all domains are stopped since 2026-11-24 00:00:00 UTC.",)


def test_until_the_recheck_is_loaded_high_stakes_go_to_the_strong_model_at_once(make_loop, models, tmp_path):
    go = threading.Event()

    def make(_):
        assert go.wait(60)
        return Recheck(SAYS_CODE)

    folder = str(word_bundle(tmp_path / "a", threshold=0.7))
    source = source_of(settings_of(tmp_path), References(folder), rechecks=Rechecks(make))
    loop = make_loop(source=source)

    async def story():
        loading = (await loop.answer(ASKED)).decision
        n_weak = len(models[0].requests)
        go.set()
        await until(lambda: source.deciding(None, None, lot=1.0).recheck_fault is None)
        return loading, n_weak, (await loop.answer(ASKED)).decision

    loading, n_weak, loaded = served(loop, source, story)
    assert (loading.answered_by, loading.reasons, n_weak) == ("large", ("recheck_loading",), 0)
    assert (loaded.answered_by, loaded.verdict) == ("small", "pass")
