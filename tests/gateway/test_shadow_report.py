"""The report of a challenger and of a canary: what is compared, what is left out, and figures that can be counted."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from core.cli import preceptor
from core.records import Decision, Stakes
from core.store import create_tables, open_store, writing
from gateway.bundles.choices_on_record import choices_since, pairs_of
from gateway.bundles.shadow_report import canary_figures, shadow_figures
from gateway.records.decision_log import DecisionLog
from gateway.tables import SHADOWS
from tests.gateway.word_bundle import settings_of

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
A, B, C = "a" * 64, "b" * 64, "c" * 64


def decision(number, probability, **changes):
    """Decided at 0.5 by champion A: the strong model costs ten times the weak one."""
    ask_strong = probability is not None and probability >= 0.5
    facts = {
        "id": f"dec_{number:04}",
        "at": NOW + timedelta(seconds=number),
        "requested_model": "auto:law",
        "answered_by": "large" if ask_strong else "small",
        "bundle": A,
        "probability": probability,
        "threshold": None if probability is None else 0.5,
        "domain": "law",
        "stakes": Stakes.HIGH,
        "verdict": None if ask_strong else "pass",
        "reasons": (),
        "cost_usd": 0.010 if ask_strong else 0.001,
        "latency_ms": 10.0,
        "query_sha256": "0" * 64,
        "conversation_sha256": f"{number:064}",
    }
    return Decision(**{**facts, **changes})


def store_of(url, decisions, scores=()):
    engine = open_store(url)
    create_tables(engine)
    DecisionLog(engine).record_many(decisions)
    with writing(engine) as connection:
        for identifier, probability, *bundle in scores:
            row = {
                "decision_id": identifier,
                "at": NOW,
                "bundle": bundle[0] if bundle else B,
                "probability": probability,
                "threshold": 0.5,
                "ask_strong": probability is None or probability >= 0.5,
                "reasons": [],
            }
            connection.execute(SHADOWS.insert().values(**row))
    return engine


def read(engine, domain=None):
    with engine.connect() as connection:
        found = choices_since(connection, NOW - timedelta(days=1), domain=domain)
        return found, pairs_of(connection, found.rows, NOW - timedelta(days=1))


def test_of_each_conversation_the_first_request_that_a_router_decided_is_compared(store_url):
    decisions = [
        decision(1, 0.2, conversation_sha256="1" * 64),
        decision(2, 0.9, conversation_sha256="1" * 64),
        decision(3, None, bundle=None),
        decision(4, 0.3, conversation_sha256=None),
        decision(5, 0.3, conversation_sha256=None),
        decision(6, 0.3, at=NOW - timedelta(days=2)),
    ]
    engine = store_of(store_url, decisions, [("dec_0001", 0.7), ("dec_0002", 0.7), ("dec_0004", 0.7, A)])
    found, pairs = read(engine)

    assert [row.id for row in found.rows] == ["dec_0001", "dec_0004", "dec_0005"]
    assert (found.n_requests, found.n_not_decided, found.n_later_turns) == (5, 1, 1)
    assert [pair.choice.id for pair in pairs] == ["dec_0001"]  # the last was scored by the bundle that decided it
    assert read(engine, domain="tax")[0].n_requests == 0
    engine.dispose()


def test_the_figures_of_a_challenger_can_be_counted_by_hand(store_url):
    champion = [0.9] * 40 + [0.1] * 60
    challenger = [0.8] * 30 + [0.2] * 10 + [0.7] * 5 + [0.3] * 54 + [None]
    decisions = [decision(n, one) for n, one in enumerate(champion)]
    engine = store_of(store_url, decisions, [(f"dec_{n:04}", one) for n, one in enumerate(challenger)])
    (found,) = shadow_figures(read(engine)[1], rng=np.random.default_rng(0), most=3)

    assert (found.champion, found.challenger, found.overall.n) == (A, B, 100)
    assert (found.overall.first.estimate, found.overall.second.estimate) == (0.40, 0.36)
    assert (found.overall.n_only_first, found.overall.n_only_second) == (10, 6)
    assert found.overall.agreement.estimate == 0.84
    assert found.n_not_scored == 1
    assert list(found.by_stratum) == ["law/high"]
    assert found.cost_change_usd.estimate == pytest.approx((6 - 10) * 0.009 / 100)
    assert [one.id for one in found.differ] == ["dec_0030", "dec_0031", "dec_0032"]
    engine.dispose()


def test_each_pair_of_bundles_is_a_comparison_of_its_own_the_newest_first(store_url):
    decisions = [decision(n, 0.1) for n in range(4)]
    engine = store_of(store_url, decisions, [("dec_0000", 0.2), ("dec_0001", 0.2, C), ("dec_0002", 0.2, C)])
    found = shadow_figures(read(engine)[1], rng=np.random.default_rng(0))

    assert [(one.challenger, one.overall.n, one.cost_change_usd) for one in found] == [(C, 2, None), (B, 1, None)]
    engine.dispose()


def test_the_arms_of_a_canary_are_compared_over_the_same_time_and_domains(store_url):
    decisions = [
        *(decision(n, 0.9) for n in range(10)),  # before the canary
        *(decision(100 + n, 0.9 if n < 8 else 0.1) for n in range(20)),
        *(decision(200 + n, 0.1, domain="tax") for n in range(5)),
        *(decision(100 + n, 0.1, arm="canary", bundle=C, id=f"can_{n}") for n in range(15)),
        *(
            decision(
                120, 0.1, arm="canary", bundle=C, id=f"esc_{n}", answered_by="large", verdict="fail", cost_usd=None
            )
            for n in range(5)
        ),
    ]
    for number, one in enumerate(decisions):
        decisions[number] = one.model_copy(update={"conversation_sha256": f"{number:064}"})
    engine = store_of(store_url, decisions)
    found = canary_figures(read(engine)[0].rows, weak="small", strong="large", rng=np.random.default_rng(0))

    assert (found.champion.n, found.canary.n, found.canary.bundles) == (20, 20, (C,))
    assert (found.champion.asked_strong.estimate, found.canary.asked_strong.estimate) == (0.4, 0.0)
    assert (found.champion.escalated.estimate, found.canary.escalated.estimate) == (0.0, 0.25)
    assert found.canary.cost_usd.estimate == pytest.approx(0.001)
    assert found.canary.verdicts == {"pass": 15, "fail": 5}
    assert found.asked_strong.low <= -0.4 <= found.asked_strong.high
    engine.dispose()


def test_where_no_canary_decided_there_is_nothing_to_compare():
    assert canary_figures((), weak="small", strong="large", rng=np.random.default_rng(0)) is None


@pytest.fixture
def town(tmp_path):
    settings = settings_of(tmp_path)
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(settings.model_dump(mode="json")))
    return tmp_path


def run(town, *words):
    return CliRunner().invoke(preceptor, ["shadow", "--config", str(town / "run.yaml"), *words])


def test_the_command_prints_the_comparison_or_what_to_set(town):
    empty = run(town)
    now = datetime.now(UTC)
    decisions = [decision(n, 0.1 if n % 2 else 0.9, at=now - timedelta(minutes=n)) for n in range(30)]
    scores = [(f"dec_{n:04}", 0.2 if n % 2 else 0.3) for n in range(30)]
    engine = store_of(f"sqlite:///{town}/store.db", decisions)
    with writing(engine) as connection:
        for identifier, probability in scores:
            row = {"decision_id": identifier, "at": now, "bundle": B, "probability": probability, "threshold": 0.5}
            connection.execute(SHADOWS.insert().values(**row, ask_strong=False, reasons=[]))
    engine.dispose()
    shown = run(town, "--limit", "1")
    facts = json.loads(run(town, "--json").stdout)

    assert empty.exit_code == shown.exit_code == 0
    assert "Nothing was scored beside. Set gateway.shadow or gateway.canary" in empty.stdout
    assert "30 requests: 30 compared" in shown.stdout
    assert "Champion aaaaaaaaaaaa, challenger bbbbbbbbbbbb: 30 requests scored by both" in shown.stdout
    assert "law/high  strong at 0.900, would be weak at 0.300" in shown.stdout
    assert "... and 14 more that differ (--limit)" in shown.stdout
    assert facts["shadows"][0]["overall"]["n_only_first"] == 15
    assert facts["canary"] is None


def test_a_span_that_is_none_is_misuse(town):
    found = run(town, "--since", "soon")

    assert found.exit_code == 2
    assert "Write 12h or 7d." in found.output
