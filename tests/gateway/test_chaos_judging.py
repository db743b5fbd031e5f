import asyncio
import json
import random

import pytest

from benchmarks.gateways.asking import Asked, draw, see
from benchmarks.gateways.client import Answer, Target, load, once
from benchmarks.gateways.servers import stub
from benchmarks.gateways.storm import Timeline
from benchmarks.gateways.stub import RIGHT, WRONG, completion, stream_events


def asked(**changes):
    return Asked(
        **{
            "number": 7,
            "model": "auto",
            "stakes": "high",
            "is_streamed": False,
            "key": "good",
            "is_coding": True,
            "leaves": False,
            **changes,
        }
    )


def answer(body, *, status=200, **headers):
    made = Answer()
    made.status, made.is_whole = status, True
    made.headers = {f"x-preceptor-{name}": value for name, value in headers.items()}
    made.parts = [body if isinstance(body, bytes) else json.dumps(body).encode()]
    return made


def streamed(*events, **headers):
    made = answer(b"".join(events), **headers)
    made.headers["content-type"] = "text/event-stream; charset=utf-8"
    return made


def test_a_weak_answer_with_a_pass_is_an_answer_and_no_leak():
    body = completion("weak-model", f"Code: {RIGHT}\n\n(weak)")

    seen = see(asked(), answer(body, **{"decision-id": "dec_1", "verdict": "pass", "stakes": "high"}))

    assert (seen.kind, seen.leak, seen.decision_id) == ("answer", "", "dec_1")


@pytest.mark.parametrize(
    ("code", "stakes", "verdict", "leak"),
    [
        (WRONG, "high", "pass", "a wrong weak answer at high stakes"),
        (RIGHT, "high", "fail", "a weak answer at high stakes, verdict fail"),
        (RIGHT, "high", None, "a weak answer at high stakes, verdict None"),
        (RIGHT, "critical", "pass", "a weak answer at critical stakes"),
        (WRONG, "low", None, ""),
    ],
)
def test_a_weak_answer_leaks_by_its_code_its_verdict_or_the_stakes_that_were_asked(code, stakes, verdict, leak):
    body = completion("weak-model", f"Code: {code}\n\n(weak)")
    headers = {} if verdict is None else {"verdict": verdict}

    seen = see(asked(stakes=stakes), answer(body, stakes="low", **headers))

    assert seen.leak == leak


def test_a_weak_answer_under_the_strong_models_name_leaks_all_the_same():
    body = completion("strong-model", f"Code: {WRONG}\n\n(weak)")

    assert see(asked(), answer(body, model="strong-model")).leak == "a wrong weak answer at high stakes"


def test_an_answer_of_the_strong_model_never_leaks():
    body = completion("strong-model", f"Code: {RIGHT}\n\n(strong)")

    assert see(asked(stakes="critical"), answer(body, model="strong-model")).leak == ""


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 502), (b"Internal Server Error", 500), ({"detail": "no"}, 422), ({"choices": []}, 200), (b"{", 200)],
)
def test_what_is_neither_an_answer_nor_an_envelope_is_lost(body, status):
    assert see(asked(), answer(body, status=status)).kind == "lost"


def test_an_error_in_openais_envelope_is_no_loss():
    envelope = {"error": {"message": "No.", "type": "api_error", "param": None, "code": "upstream_failed"}}

    seen = see(asked(), answer(envelope, status=502))

    assert (seen.kind, seen.code) == ("error", "upstream_failed")


def test_a_stream_without_its_end_is_lost_and_one_that_ends_in_an_error_is_not():
    events = stream_events({"model": "weak-model"}, f"Code: {RIGHT} (weak)")
    error = b'data: {"error":{"message":"Cut.","type":"api_error","param":null,"code":"stream_broken"}}\n\n'
    request = asked(is_streamed=True, stakes="low")

    whole, cut = see(request, streamed(*events)), see(request, streamed(*events[:-1]))
    half, told = see(request, streamed(*events[:3], events[4][:9])), see(request, streamed(*events[:3], error))

    assert (whole.kind, cut.kind, half.kind, told.kind) == ("answer", "lost", "lost", "error")
    assert (cut.why, half.why, told.code) == ("the stream has no end", "the last event is not whole", "stream_broken")


def test_a_wrong_code_in_pieces_of_a_stream_leaks():
    events = stream_events({"model": "weak-model"}, f"Code: {WRONG}\n\n(weak)")

    assert see(asked(is_streamed=True), streamed(*events, verdict="pass")).leak == "a wrong weak answer at high stakes"


def test_a_cut_connection_is_counted_apart_only_where_it_was_the_killed_workers():
    gone = answer(b"", status=0)
    gone.fault = "connection_lost"

    assert (see(asked(), gone).kind, see(asked(), gone, cut=True).kind) == ("lost", "cut")


def test_requests_drawn_from_one_seed_are_the_same_and_mix_everything():
    drawn = [[draw(number, random.Random(3)) for number in range(1)] for _ in range(2)]
    rng = random.Random(0)
    many = [draw(number, rng) for number in range(500)]

    assert drawn[0] == drawn[1]
    assert {one.stakes for one in many} == {None, "low", "standard", "high", "critical"}
    assert {one.is_streamed for one in many} == {one.leaves for one in many} == {True, False}
    assert {one.key for one in many} == {"good", "limited", "wrong"}


def test_the_stub_does_what_it_is_told_and_the_client_tells_what_it_met():
    with stub() as base:
        target = Target(f"{base}/v1", {"model": "weak-model", "messages": []}, expected=b"(weak)")

        right = asyncio.run(load(target, n_clients=2, n_requests=20))
        told = asyncio.run(once(f"{base}/control", b'{"faults": {"status_429": 1.0}, "seed": 1}'))
        refused = asyncio.run(load(target, n_clients=2, n_requests=4))
        unknown = asyncio.run(once(f"{base}/control", b'{"faults": {"earthquake": 1.0}}'))

    assert (len(right.latencies_s), right.faults) == (20, [])
    assert json.loads(told.body) == {"ok": 20}
    assert len(refused.faults) == 4 and all(fault.startswith("status 429") for fault in refused.faults)
    assert unknown.status == 400 and b"earthquake" in unknown.body


def test_acts_of_the_timeline_are_done_once_each_when_their_share_is_begun():
    done = []

    async def run():
        timeline = Timeline(10)
        for share in (0.5, 0.2):
            timeline.at(share, lambda share=share: _note(done, share))
        for number in range(10):
            timeline.begun(number)
            await asyncio.sleep(0)
            done.append(number)
        await timeline.ended()

    asyncio.run(run())

    assert done == [0, 1, 0.2, 2, 3, 4, 0.5, 5, 6, 7, 8, 9]


async def _note(done, share):
    done.append(share)
