import time

import anyio
import pytest

from core.records import Stakes
from core.store import open_store
from gateway.incoming import Incoming
from gateway.model_names import Names
from gateway.records.decision_log import DecisionLog
from gateway.staking import stakes_of
from gateway.told import Told
from tests.gateway.conftest import FixedRouter
from verifiers.stakes.policy import StakesPolicy, rules_of
from verifiers.stakes.sources import stakes_policy

RULES = [
    {"id": "fin.amount", "owner": "risk", "when": {"gt": {"field": "usd", "value": 1000}}, "tier": "high"},
    {"id": "med.dose", "owner": "safety", "when": {"regex": "mg/kg"}, "tier": "critical"},
]
POLICY = StakesPolicy(default=Stakes.LOW, rules=rules_of({"rules": RULES}, where="here").rules)


def header(response, name):
    return response.headers.get(f"x-preceptor-{name}")


def test_what_named_the_stakes_is_in_the_headers_and_on_record(make_client, ask, store_url):
    log = DecisionLog(open_store(store_url))
    client = make_client(FixedRouter(0.1), stakes=POLICY, decisions=log)
    response = ask(client, metadata={"usd": "2500"})
    recorded = log.find(header(response, "decision-id"))

    assert (header(response, "stakes"), header(response, "rules")) == ("high", "fin.amount,policy.default")
    assert header(response, "policy") == POLICY.sha256
    assert (recorded.rules, recorded.policy_sha256) == (("fin.amount", "policy.default"), POLICY.sha256)


def test_metadata_may_raise_the_stakes_and_never_lower_them(make_client, ask):
    low, high = make_client(FixedRouter(0.1), stakes=POLICY), make_client(FixedRouter(0.1))

    assert header(ask(low, metadata={"stakes": "critical"}), "model") == "large"
    assert header(ask(high, metadata={"stakes": "low"}), "stakes") == "high"
    assert header(ask(low, metadata="low"), "rules") == "facts.not_understood,policy.default"


def test_a_rule_reads_every_turn_of_the_conversation(make_client, ask, models):
    turns = [
        {"role": "user", "content": [{"type": "text", "text": "We give 5 mg/kg."}]},
        {"role": "assistant", "content": "Noted."},
        {"role": "user", "content": "Thanks"},
    ]
    response = ask(make_client(FixedRouter(0.1), stakes=POLICY), messages=turns)

    assert (header(response, "model"), header(response, "reason")) == ("large", "critical")
    assert models[0].requests == []


def incoming(text, **told):
    body = {"model": "auto", "messages": [{"role": "user", "content": text}]}
    return Incoming(body, Told(**told), names=Names("small", "large", ("mf",), ()))


@pytest.mark.parametrize("n_chars", [10, 5000])
@pytest.mark.parametrize(
    ("work", "why"), [(lambda *_: time.sleep(0.5), "policy.timeout"), (lambda *_: 1 / 0, "policy.fault")]
)
def test_stakes_that_cannot_be_told_are_critical(monkeypatch, work, why, n_chars):
    monkeypatch.setattr("gateway.staking.decide_stakes", work)
    monkeypatch.setattr("gateway.staking.SHORT_CHARS", 0 if why == "policy.timeout" else 500)

    async def told():
        return await stakes_of(POLICY, incoming("x" * n_chars), timeout_s=0.05)

    decision = anyio.run(told)

    assert (decision.stakes, decision.rules) == (Stakes.CRITICAL, (why,))


def test_a_pack_without_rules_adds_nothing_and_the_default_holds():
    assert stakes_policy("none", None, default=Stakes.STANDARD).default is Stakes.STANDARD
