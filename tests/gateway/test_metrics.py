import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version

import pytest
from prometheus_client.parser import text_string_to_metric_families

from core.call_record import CallRecord
from core.check_record import CheckRecord
from gateway.asking.upstream import Endpoint, Upstream
from gateway.attempts import Models
from gateway.bundles.slots import Report
from gateway.model_names import Names
from gateway.parts import Shadowed
from gateway.records.metrics import MOST_VALUES, Metrics
from gateway.records.shared_counts import forget_worker
from tests.gateway.test_decision_log import AT, DECISION

NAMES = Names("small", "large", ("mf",), ("law",))
WEAK_CALL = CallRecord(
    model="small", n_attempts=2, n_input=100, n_output=20, cost_usd=0.5, latency_ms=800.0, first_token_ms=90.0
)
STRONG_CALL = CallRecord(model="large", n_input=100, n_output=30, cost_usd=2.0, latency_ms=1000.0)
CHECKS = (
    CheckRecord(check="law.cites", outcome="pass", reason="ok", elapsed_ms=4.0),
    CheckRecord(check="judge", outcome="fail", reason="no", cost_usd=0.25),
)
WEAK = DECISION.model_copy(
    update={"answered_by": "small", "verdict": "pass", "reasons": (), "calls": (WEAK_CALL,), "cost_usd": 0.75}
)
ESCALATED = WEAK.model_copy(
    update={
        "id": "dec_2",
        "answered_by": "large",
        "verdict": "fail",
        "reasons": ("judge:no",),
        "checks": CHECKS,
        "calls": (WEAK_CALL, STRONG_CALL),
        "latency_ms": 1820.0,
        "cost_usd": 2.75,
    }
)


@pytest.fixture
def metrics():
    return Metrics(lambda: NAMES)


def counted(metrics):
    """Every sample: its name with labels in alphabetical order, and its value."""
    return samples(metrics.exposition().decode())


def samples(text):
    return {
        " ".join([sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()))]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_requests_are_counted_by_who_answered(metrics):
    strong = WEAK.model_copy(update={"answered_by": "large", "verdict": None, "calls": (STRONG_CALL,)})
    for decision in (WEAK, WEAK, ESCALATED, strong, DECISION.model_copy(update={"domain": None, "arm": "canary"})):
        metrics.observe(decision)

    seen = counted(metrics)
    about = "preceptor_requests_total arm=champion decision={} domain=law stakes=high"
    assert {how: seen[about.format(how)] for how in ("weak", "strong", "escalated")} == {
        "weak": 2,
        "strong": 1,
        "escalated": 1,
    }
    assert seen["preceptor_requests_total arm=canary decision=failed domain=none stakes=high"] == 1


def test_calls_tokens_and_costs_are_counted_by_the_models_role(metrics):
    metrics.observe(ESCALATED)

    seen = counted(metrics)
    assert seen["preceptor_upstream_calls_total model_role=weak outcome=ok"] == 1
    assert seen["preceptor_upstream_attempts_total model_role=weak"] == 2
    assert seen["preceptor_tokens_total direction=input model_role=weak"] == 100
    assert seen["preceptor_tokens_total direction=output model_role=strong"] == 30
    assert seen["preceptor_request_cost_usd_total model_role=weak"] == 0.5
    assert seen["preceptor_request_cost_usd_total model_role=strong"] == 2.0
    assert seen["preceptor_request_cost_usd_total model_role=verifier"] == 0.25
    assert seen["preceptor_upstream_first_token_seconds_sum model_role=weak"] == 0.09
    assert seen["preceptor_verifier_checks_total check=judge outcome=fail"] == 1
    assert seen["preceptor_verifier_duration_seconds_sum check=law.cites"] == 0.004
    assert seen["preceptor_escalations_total reason=judge:no"] == 1


def test_the_gateways_share_of_the_time_is_what_the_models_did_not_take(metrics):
    metrics.observe(ESCALATED)

    seen = counted(metrics)
    assert seen["preceptor_gateway_duration_seconds_sum"] == pytest.approx(0.02)
    assert seen["preceptor_gateway_duration_seconds_bucket le=0.01"] == 0
    assert seen["preceptor_gateway_duration_seconds_bucket le=0.05"] == 1
    assert seen["preceptor_request_duration_seconds_sum decision=escalated"] == 1.82


def test_a_decision_that_the_store_did_not_take_is_counted_apart(metrics):
    metrics.observe(WEAK.model_copy(update={"reasons": ("decision_not_recorded",)}))

    seen = counted(metrics)
    assert seen["preceptor_decisions_not_recorded_total"] == 1
    assert not any(name.startswith("preceptor_escalations_total") for name in seen)


def test_a_label_takes_a_bounded_number_of_values_and_no_text(metrics):
    for number in range(MOST_VALUES + 50):
        metrics.observe(WEAK.model_copy(update={"domain": f"domain-{number}"}))
    metrics.observe(ESCALATED.model_copy(update={"reasons": ("Is Ann Miller ill?\nborn 1950", "x" * 101)}))

    seen = counted(metrics)
    domains = [name for name in seen if name.startswith("preceptor_requests_total") and "domain=domain-" in name]
    assert len(domains) == MOST_VALUES
    assert seen["preceptor_requests_total arm=champion decision=weak domain=other stakes=high"] == 50
    assert seen["preceptor_escalations_total reason=other"] == 2
    assert "Miller" not in metrics.exposition().decode()


def test_a_shadow_is_compared_with_what_was_decided(metrics):
    def shadowed(identifier, *, ask_strong):
        return Shadowed(identifier, AT, "s" * 64, 0.6, 0.5, ask_strong=ask_strong, reasons=())

    for number, (probability, ask_strong) in enumerate([(0.1, False), (0.1, True), (0.9, False), (0.9, True)]):
        metrics.observe(WEAK.model_copy(update={"id": f"dec_{number}", "probability": probability, "threshold": 0.5}))
        metrics.observe_shadow(shadowed(f"dec_{number}", ask_strong=ask_strong))
    metrics.observe_shadow(shadowed("dec_unknown", ask_strong=True))

    seen = counted(metrics)
    assert {name: value for name, value in seen.items() if name.startswith("preceptor_shadow_total")} == {
        "preceptor_shadow_total outcome=same": 2,
        "preceptor_shadow_total outcome=strong_instead": 1,
        "preceptor_shadow_total outcome=weak_instead": 1,
        "preceptor_shadow_total outcome=not_compared": 1,
    }


def test_what_stands_is_shown_and_what_stood_is_zero(metrics):
    ends = datetime(2026, 12, 24, tzinfo=UTC)

    def show(bundle, fault=None):
        report = Report("models:/m@champion", ("champion", "domain law"), bundle, 3, fault, ends, ends_soon=False)
        metrics.show_bundles([report], stopped=lambda domain: domain == "law")

    show("a" * 64)
    show("b" * 64, "certificate_expired")

    seen = counted(metrics)
    assert seen["preceptor_bundle_workers bundle=aaaaaaaaaaaa part=champion"] == 0
    assert seen["preceptor_bundle_workers bundle=bbbbbbbbbbbb part=domain law"] == 1
    assert seen["preceptor_bundle_decides part=champion"] == 0
    assert seen["preceptor_certificate_valid part=champion"] == 0
    assert seen["preceptor_certificate_expiry_timestamp_seconds part=champion"] == ends.timestamp()
    assert (seen["preceptor_stopped domain=all"], seen["preceptor_stopped domain=law"]) == (0, 1)


def test_models_that_are_left_alone_and_requests_under_way_are_shown(metrics):
    weak, strong = (Upstream(Endpoint(name=name, base_url="http://127.0.0.1:9/v1")) for name in ("small", "large"))
    metrics.show_models(Models(weak, strong))
    metrics.began()
    metrics.began()
    metrics.ended("/v1/chat/completions", 200)

    seen = counted(metrics)
    assert seen["preceptor_upstream_breaker_open model_role=weak"] == 0
    assert seen["preceptor_requests_in_flight"] == 1
    assert seen["preceptor_http_responses_total path=/v1/chat/completions status=200"] == 1


WORKER = """
import sys
from pathlib import Path
from gateway.records.metrics import Metrics
from gateway.records.shared_counts import share_counts
share_counts(Path(sys.argv[1]), int(sys.argv[2]))
from core.records import Decision
from gateway.model_names import Names
metrics = Metrics(lambda: Names("small", "large", ("mf",), ("law",)))
metrics.began()
for _ in range(int(sys.argv[3])):
    metrics.observe(Decision.model_validate_json(sys.argv[4]))
sys.stdout.write(metrics.exposition().decode() + "end\\n")
sys.stdout.flush()
sys.stdin.read()
"""


def test_any_worker_shows_the_sum_of_all_and_one_that_ended_keeps_what_it_counted(tmp_path):
    def start(number, n):
        command = [sys.executable, "-c", WORKER, tmp_path, str(number), str(n), WEAK.model_dump_json()]
        worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return worker, samples("".join(iter(worker.stdout.readline, "end\n")))

    requests, under_way = (
        "preceptor_requests_total arm=champion decision=weak domain=law stakes=high",
        "preceptor_requests_in_flight",
    )
    first, alone = start(0, 3)
    second, both = start(1, 4)
    first.kill()
    first.wait()
    forget_worker(tmp_path, 0)
    again, after = start(0, 5)
    for worker in (first, second, again):
        worker.communicate()

    assert (alone[requests], alone[under_way]) == (3, 1)
    assert (both[requests], both[under_way]) == (7, 2)
    assert (after[requests], after[under_way]) == (12, 2)
    assert after["preceptor_build_info version=" + version("preceptor")] == 1
