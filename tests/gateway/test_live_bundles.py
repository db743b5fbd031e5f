"""What decides at a running gateway: swapped whole, by one assignment, and toward the strong model where it fails."""

import asyncio
import logging
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from core.certificate_record import FORMAT
from gateway.bundles.admission import Admitted
from gateway.bundles.live_bundles import Following, LiveBundles
from gateway.bundles.pointers import Located, Pointers, seen_file, write_pointers
from gateway.bundles.rechecks import Rechecks
from gateway.bundles.references import References
from gateway.pointer_watch import PointerWatch
from verifiers.assembling import Recheck

NOW = datetime(2026, 11, 24, tzinfo=UTC)
CHAMPION = "models:/coding@champion"


class Bundle:
    """A bundle that is named by the folder it came from."""

    weak, strong, certificate = "small", "large", None

    def __init__(self, sha256, thresholds=None):
        self.sha256, self.thresholds = sha256, thresholds or {"default": 0.5}

    def probabilities(self, texts, strata=()):
        return np.full(len(texts), 0.1)


class Folders:
    """Admits folders by their name; `faults` says which not, `holds` which take until they are let go."""

    def __init__(self, **bundles):
        self.bundles, self.faults, self.holds, self.asked = bundles, {}, {}, []

    def admit(self, folder, *, sha256, now, beside=()):
        self.asked.append(folder.name)
        if (hold := self.holds.get(folder.name)) is not None:
            assert hold.wait(20)
        if (fault := self.faults.get(folder.name)) is not None:
            return Admitted(None, fault, "It is not what it was. Fetch it again.")
        return Admitted(self.bundles.get(folder.name) or Bundle(folder.name))


def at(name, version=1):
    return Located(version=version, sha256=name, folder=f"/cache/{name}")


class Town:
    """A gateway's bundles, the file that its watcher writes, and what admits."""

    def __init__(self, tmp_path, references, folders=None, rechecks=None, **following):
        self.file, self.folders = tmp_path / "pointers.json", folders or Folders()
        options = {"watch_s": 0.01, "clock": lambda: NOW, "retry_s": (0.05,), **following}
        self.live = LiveBundles(
            "mf",
            following=Following(references, self.file, **options),
            admission=self.folders,
            rechecks=rechecks or Rechecks.ready(Recheck()),
        )

    def point(self, **to):
        write_pointers(self.file, Pointers(references={f"models:/coding@{alias}": one for alias, one in to.items()}))

    async def __aenter__(self):
        await self.live.start()
        return self

    async def __aexit__(self, *_):
        await self.live.aclose()

    async def until(self, condition):
        deadline = asyncio.get_running_loop().time() + 20
        while not condition():
            assert asyncio.get_running_loop().time() < deadline, self.live.reports()
            await asyncio.sleep(0.005)

    def decides(self, domain=None, lot=1.0):
        found = self.live.deciding(None, domain, lot=lot)
        return found.bundle.sha256 if found.bundle else found.fault


def test_a_folder_decides_once_it_is_loaded_and_the_strong_model_until_then(tmp_path):
    async def story():
        town = Town(tmp_path, References("bundles/one"))
        before = town.decides()
        async with town:
            assert await town.live.ready(timeout_s=20)
            return before, town.decides(), town.live.routers

    assert asyncio.run(story()) == ("bundle_loading", "one", ("mf",))


def test_an_alias_that_moves_changes_what_decides_and_a_request_keeps_what_it_began_with(tmp_path):
    async def story():
        town = Town(tmp_path, References(CHAMPION))
        town.point(champion=at("a"))
        async with town:
            await town.live.ready(timeout_s=20)
            begun = town.live.deciding(None, None, lot=1.0)
            town.point(champion=at("b", version=2))
            await town.until(lambda: town.decides() == "b")
            return begun.bundle.sha256, town.live.reports()[0]

    begun, report = asyncio.run(story())
    assert begun == "a"
    assert (report.bundle, report.version, report.parts) == ("b", 2, ("champion",))


def test_twenty_swaps_and_rollbacks_under_requests_lose_none_and_each_is_decided_by_one_of_the_two(tmp_path):
    async def story():
        town = Town(tmp_path, References(CHAMPION))
        town.point(champion=at("a"))
        decided, is_over = [], asyncio.Event()

        async def requests():
            while not is_over.is_set():
                found = town.live.deciding(None, None, lot=1.0)
                await asyncio.sleep(0)  # it waits for a model
                decided.append(found.bundle.sha256 if found.bundle else found.fault)
                await asyncio.sleep(0.001)

        async with town:
            await town.live.ready(timeout_s=20)
            clients = [asyncio.create_task(requests()) for _ in range(8)]
            for turn in range(20):
                name = "ab"[(turn + 1) % 2]
                town.point(champion=at(name, version=turn))
                await town.until(lambda name=name: town.decides() == name)
            is_over.set()
            await asyncio.gather(*clients)
        return decided, town.folders.asked

    decided, asked = asyncio.run(story())
    assert set(decided) == {"a", "b"}
    assert len(decided) > 100
    assert asked.count("b") == 10


@pytest.mark.parametrize("fault", ["bundle_not_loaded", "bundle_for_another_pair", "bundle_altered"])
def test_a_version_that_an_alias_left_decides_no_longer_though_the_next_one_cannot_be_loaded(tmp_path, caplog, fault):
    folders = Folders()
    folders.faults["b"] = fault

    async def story():
        town = Town(tmp_path, References(CHAMPION), folders)
        town.point(champion=at("a"))
        async with town:
            await town.live.ready(timeout_s=20)
            town.point(champion=at("b"))
            await town.until(lambda: town.decides() == fault)
            del folders.faults["b"]
            await town.until(lambda: town.decides() == "b")

    asyncio.run(story())
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert said == [
        f"models:/coding@champion (champion) cannot decide: {fault}. It is not what it was. Fetch it again. "
        "Until then the strong model answers."
    ]


def test_a_fault_that_the_watcher_found_sends_everything_to_the_strong_model(tmp_path):
    async def story():
        town = Town(tmp_path, References(CHAMPION))
        town.point(champion=at("a"))
        async with town:
            await town.live.ready(timeout_s=20)
            town.point(champion=Located(fault="bundle_unknown", sentence="There is no such alias."))
            await town.until(lambda: town.decides() == "bundle_unknown")

    asyncio.run(story())


def test_a_pointer_file_that_is_none_points_nowhere_and_one_that_is_gone_changes_nothing(tmp_path):
    async def story():
        town = Town(tmp_path, References(CHAMPION))
        town.point(champion=at("a"))
        async with town:
            await town.live.ready(timeout_s=20)
            town.file.unlink()
            await asyncio.sleep(0.1)
            kept = town.decides()
            town.file.write_text('{"format": 1, "references"')
            await town.until(lambda: town.decides() == "pointer_unreadable")
            town.point(champion=at("a"))
            await town.until(lambda: town.decides() == "a")
            return kept

    assert asyncio.run(story()) == "a"


def test_a_gateway_without_a_pointer_serves_strong_after_a_bounded_time_and_swaps_later(tmp_path):
    async def story():
        town = Town(tmp_path, References(CHAMPION))
        async with town:
            is_ready = await town.live.ready(timeout_s=0.05)
            before = town.decides()
            town.point(champion=at("a"))
            await town.until(lambda: town.decides() == "a")
            return is_ready, before

    assert asyncio.run(story()) == (False, "bundle_loading")


def test_the_version_before_ends_after_a_grace_though_the_next_one_still_loads(tmp_path):
    import threading

    folders = Folders()
    folders.holds["b"] = threading.Event()

    async def story():
        town = Town(tmp_path, References(CHAMPION), folders, grace_s=0.2)
        town.point(champion=at("a"))
        async with town:
            await town.live.ready(timeout_s=20)
            town.point(champion=at("b"))
            await town.until(lambda: "b" in folders.asked)
            during = town.decides()
            await town.until(lambda: town.decides() == "bundle_loading")
            folders.holds["b"].set()
            await town.until(lambda: town.decides() == "b")
            return during

    assert asyncio.run(story()) == "a"


def test_each_domain_has_its_own_bundle_and_its_own_fault(tmp_path):
    folders = Folders()
    folders.faults["law"] = "bundle_not_loaded"

    async def story():
        town = Town(tmp_path, References("b/all", {"law": "b/law", "tax": "b/tax"}), folders)
        async with town:
            await town.live.ready(timeout_s=20)
            return [town.decides(domain) for domain in (None, "law", "tax", "other")], town.live.domains

    assert asyncio.run(story()) == (["all", "bundle_not_loaded", "tax", "all"], ("law", "tax"))


def test_a_canary_decides_its_share_of_conversations_and_none_of_a_domain_with_a_bundle_of_its_own(tmp_path):
    async def story():
        references = References("b/all", {"law": "b/law"}, canary="b/new", canary_share=0.1)
        async with Town(tmp_path, references) as town:
            await town.live.ready(timeout_s=20)
            arms = [town.live.deciding(None, None, lot=lot).arm for lot in (0.0, 0.0999, 0.1, 0.9)]
            return arms, town.decides(lot=0.05), town.decides("law", lot=0.05)

    assert asyncio.run(story()) == (["canary", "canary", "champion", "champion"], "new", "law")


def test_a_canary_that_cannot_decide_leaves_its_share_to_the_champion(tmp_path):
    ended = Bundle("ended")
    ended.certificate = {
        "format": FORMAT,
        "expires_at": (NOW - timedelta(seconds=1)).isoformat(),
        "budgets": {"default": 0.5},
        "strata": [],
    }
    folders = Folders(ended=ended)
    folders.faults["broken"] = "bundle_not_loaded"

    async def story(canary):
        async with Town(tmp_path, References("b/all", canary=canary, canary_share=0.5), folders) as town:
            await town.live.ready(timeout_s=20)
            found = town.live.deciding(None, None, lot=0.1)
            return found.bundle.sha256, found.arm

    assert asyncio.run(story("b/broken")) == ("all", "champion")
    assert asyncio.run(story("b/ended")) == ("all", "champion")


def test_a_certificate_that_ends_within_two_weeks_is_said_and_one_that_has_ended_is_a_fault(tmp_path, caplog):
    def until(days):
        bundle = Bundle(f"in{days}")
        bundle.certificate = {
            "format": FORMAT,
            "expires_at": (NOW + timedelta(days=days)).isoformat(),
            "budgets": {"default": 0.5},
            "strata": [],
        }
        return bundle

    async def story(days):
        folders = Folders(**{f"in{days}": until(days)})
        async with Town(tmp_path, References(f"b/in{days}"), folders) as town:
            await town.live.ready(timeout_s=20)
            await town.until(lambda: days != 14 or "ends on 2026-12-08" in caplog.text)
            report = town.live.reports()[0]
            return report.fault, report.ends_soon

    assert [asyncio.run(story(days)) for days in (15, 14, 0)] == [
        (None, False),
        (None, True),
        ("certificate_expired", False),
    ]


def test_the_shadow_is_handed_out_and_decides_nothing(tmp_path):
    async def story():
        async with Town(tmp_path, References("b/all", shadow="b/new")) as town:
            await town.until(lambda: town.live.shadow(None) is not None)
            return town.live.shadow(None).sha256, town.decides(lot=0.0)

    assert asyncio.run(story()) == ("new", "all")


def test_a_domain_that_worked_once_is_a_name_that_works_though_its_bundle_fails_later(tmp_path):
    folders = Folders(a=Bundle("a", {"default": 0.5, "cardiology/high": 0.2}))

    async def story():
        town = Town(tmp_path, References(CHAMPION), folders)
        town.point(champion=at("a"))
        async with town:
            await town.live.ready(timeout_s=20)
            town.point(champion=Located(fault="bundle_unknown"))
            await town.until(lambda: town.decides() == "bundle_unknown")
            return town.live.domains

    assert asyncio.run(story()) == ("cardiology",)


def test_two_references_to_one_bundle_hold_it_once(tmp_path):
    async def story():
        town = Town(tmp_path, References(CHAMPION, canary="models:/coding@challenger", canary_share=0.5))
        town.point(champion=at("a"), challenger=at("b"))
        async with town:
            await town.live.ready(timeout_s=20)
            town.point(champion=at("b"), challenger=at("b"))
            await town.until(lambda: town.decides() == "b")
            pair = [town.live.deciding(None, None, lot=lot).bundle for lot in (0.0, 0.9)]
            return pair[0] is pair[1], town.folders.asked

    assert asyncio.run(story()) == (True, ["a", "b"])


def test_while_the_recheck_loads_the_bundle_decides_and_what_needs_a_recheck_is_told_so(tmp_path):
    import threading

    go = threading.Event()

    def make(bundle):
        assert go.wait(20)
        return Recheck()

    async def story():
        async with Town(tmp_path, References("b/all"), rechecks=Rechecks(make)) as town:
            await town.live.ready(timeout_s=20)
            loading = town.live.deciding(None, None, lot=1.0)
            go.set()
            await town.until(lambda: town.live.deciding(None, None, lot=1.0).recheck_fault is None)
            return loading

    loading = asyncio.run(story())
    assert (loading.bundle.sha256, loading.recheck_fault) == ("all", "recheck_loading")
    assert [check.id for check in loading.recheck.checks] == ["gateway.recheck"]


def test_a_recheck_that_cannot_be_made_is_said_and_passes_nothing(tmp_path, caplog):
    def make(bundle):
        raise ValueError("a text that must not be logged")

    async def story():
        async with Town(tmp_path, References("b/all"), rechecks=Rechecks(make)) as town:
            await town.until(lambda: town.live.deciding(None, None, lot=1.0).recheck_fault == "recheck_not_loaded")
            return town.live.warnings()

    assert asyncio.run(story()) == ("The recheck is not there (recheck_not_loaded).",)
    assert "must not be logged" not in caplog.text


def test_a_registry_that_is_away_is_said_once_and_what_decides_stays(tmp_path, caplog):
    async def story():
        town = Town(tmp_path, References(CHAMPION))
        town.point(champion=at("a"))
        async with town:
            await town.live.ready(timeout_s=20)
            references = {CHAMPION: at("a")}
            write_pointers(town.file, Pointers(references=references, away_since=NOW, away="It does not answer."))
            await town.until(town.live.warnings)
            said = town.live.warnings(), town.decides()
            town.point(champion=at("a"))
            await town.until(lambda: not town.live.warnings())
            return said

    assert asyncio.run(story()) == (("The registry has not answered since 2026-11-24 00:00:00 UTC.",), "a")
    assert caplog.text.count("The registry does not answer") == 1
    assert "The registry answers again." in caplog.text


def test_a_watcher_that_has_not_looked_for_a_while_is_said(tmp_path):
    seconds, file = [1000.0], tmp_path / "pointers.json"
    write_pointers(file, Pointers(references={CHAMPION: at("a")}))
    seen_file(file).touch()
    os.utime(seen_file(file), (1000.0, 1000.0))
    watch = PointerWatch(file, [CHAMPION], clock=lambda: seconds[0])

    async def look(second):
        seconds[0] = second
        found = await watch.look()
        return len(found), len(watch.warnings())

    async def story():
        told = [await look(1000.0), await look(1015.0), await look(1015.1)]
        os.utime(seen_file(file), (1020.0, 1020.0))
        return [*told, await look(1021.0)]

    assert asyncio.run(story()) == [(1, 0), (0, 0), (0, 1), (0, 0)]


def test_a_load_that_breaks_is_a_fault_and_is_tried_again(tmp_path, caplog):
    class Breaks(Folders):
        def admit(self, folder, *, sha256, now, beside=()):
            if not self.asked:
                self.asked.append(folder.name)
                raise SystemExit("a text that must not be logged")
            return super().admit(folder, sha256=sha256, now=now, beside=beside)

    async def story():
        async with Town(tmp_path, References("b/all"), Breaks()) as town:
            await town.until(lambda: town.decides() == "all")

    asyncio.run(story())
    assert "cannot decide: bundle_not_loaded. Loading it broke (BrokeOff)." in caplog.text
    assert "must not be logged" not in caplog.text


def test_every_reference_of_the_settings_plays_its_part():
    references = References("a", {"law": "models:/law@champion"}, "models:/x/3", 0.1, "a")

    assert references.all == ("a", "models:/law@champion", "models:/x/3")
    assert references.watched == ("models:/law@champion", "models:/x/3")
    assert references.parts_of("a") == ("champion", "shadow")
    assert Path("a").name == "a"
