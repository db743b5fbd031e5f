import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.records import Stakes
from verifiers.stakes.deciding import StakesRequest, decide_stakes
from verifiers.stakes.policy import StakesPolicy, rules_of

tiers = st.sampled_from(Stakes)
policies = st.builds(StakesPolicy, default=tiers, domains=st.dictionaries(st.sampled_from(["law", "tax"]), tiers))
domains = st.none() | st.sampled_from(["law", "tax", "unlisted"])
LOW = StakesPolicy(default=Stakes.LOW)
DOSE = {"id": "med.dose", "owner": "safety", "when": {"regex": r"\bmg/kg\b"}, "tier": "critical"}
AMOUNT = {"id": "fin.amount", "owner": "risk", "when": {"gt": {"field": "usd", "value": 100_000}}, "tier": "high"}


def policy(*rules, **fields):
    read = rules_of({"rules": list(rules), **fields}, where="here")
    return StakesPolicy(default=Stakes.LOW, rules=read.rules, on_error=read.on_error, on_unread=read.on_unread)


def decided(policy, *texts, **fields):
    return decide_stakes(policy, StakesRequest(texts, **fields))


@given(policies, domains, st.none() | st.text())
def test_a_header_never_lowers_the_tier(policy, domain, header):
    without = decided(policy, domain=domain).stakes

    assert decided(policy, domain=domain, header=header).stakes >= without


@given(policies, st.none() | st.text())
def test_naming_a_domain_never_lowers_the_tier(policy, domain):
    assert decided(policy, domain=domain).stakes >= decided(policy).stakes


def test_low_needs_the_servers_word():
    assert decided(StakesPolicy(), header="low").stakes is Stakes.HIGH
    assert decided(LOW, header="low").stakes is Stakes.LOW


@pytest.mark.parametrize(
    ("header", "tier"),
    [
        ("lowest", "high"),
        ("", "high"),
        ("low, critical", "critical"),
        ("low,low", "low"),
        (" Standard ", "standard"),
        ("low;q=1", "high"),
        ("low\u200b", "high"),
    ],
)
def test_a_value_that_nobody_defined_is_high_and_of_several_the_highest_counts(header, tier):
    assert decided(LOW, header=header).stakes.value == tier


def test_a_domain_that_the_policy_does_not_list_is_high():
    decision = decided(LOW, domain="oncology")

    assert (decision.stakes, decision.rules) == (Stakes.HIGH, ("policy.domain_unknown", "policy.default"))


def test_every_rule_that_fired_is_named_highest_first_with_the_policys_hash():
    found = policy(AMOUNT, DOSE)
    decision = decided(found, "Give 5 mg/kg.", facts={"usd": 250_000}, header="standard")

    assert decision.stakes is Stakes.CRITICAL
    assert decision.rules == ("med.dose", "fin.amount", "header.standard", "policy.default")
    assert decision.policy_sha256 == found.sha256 != policy(AMOUNT).sha256


@pytest.mark.parametrize(
    ("amount", "rules"),
    [
        (100_000, ()),
        (100_001, ("fin.amount",)),
        ("250000", ("fin.amount",)),
        ("$250,000", ("fin.amount",)),
        ("0.25m", ("fin.amount",)),
        ("9", ()),
        ("plenty", ("fin.amount.fault",)),
        ("nan", ("fin.amount.fault",)),
        ([1], ("fin.amount.fault",)),
        (True, ("fin.amount.fault",)),
        (10**400, ("fin.amount.fault",)),
        (None, ()),
    ],
)
def test_a_field_that_cannot_be_compared_is_high_and_one_that_is_missing_is_nothing(amount, rules):
    assert decided(policy(AMOUNT), facts={"usd": amount}).rules == (*rules, "policy.default")


def test_a_fault_in_a_critical_rule_is_critical():
    rule = {**AMOUNT, "tier": "critical"}

    assert decided(policy(rule), facts={"usd": "plenty"}).stakes is Stakes.CRITICAL


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ({"any": [{"gt": {"field": "x", "value": 1}}, {"words": ["wire"]}]}, True),
        ({"any": [{"gt": {"field": "x", "value": 1}}, {"words": ["cheque"]}]}, None),
        ({"all": [{"gt": {"field": "x", "value": 1}}, {"words": ["cheque"]}]}, False),
        ({"all": [{"gt": {"field": "x", "value": 1}}, {"words": ["wire"]}]}, None),
        ({"not": {"gt": {"field": "x", "value": 1}}}, None),
        ({"not": {"words": ["cheque"]}}, True),
        ({"not": {"task": "Payment"}}, False),
    ],
)
def test_what_cannot_be_said_stays_so_unless_another_part_settles_it(when, holds):
    rule = {"id": "a", "owner": "o", "when": when, "tier": "high"}
    fired = {True: ("a",), None: ("a.fault",), False: ()}[holds]

    decision = decided(policy(rule), "Wire it.", facts={"x": "unreadable"}, task="payment")

    assert decision.rules == (*fired, "policy.default")


@pytest.mark.parametrize(
    ("when", "facts", "holds"),
    [
        ({"ge": {"field": "n", "value": 5}}, {"n": 5}, True),
        ({"gt": {"field": "n", "value": 5}}, {"n": 5}, False),
        ({"le": {"field": "n", "value": 5}}, {"n": 5}, True),
        ({"lt": {"field": "n", "value": 5}}, {"n": 5}, False),
        ({"eq": {"field": "n", "value": 5}}, {"n": "5.0"}, True),
        ({"eq": {"field": "n", "value": "Loan"}}, {"n": " loan"}, True),
        ({"eq": {"field": "n", "value": True}}, {"n": "true"}, True),
        ({"eq": {"field": "n", "value": 1}}, {"n": True}, False),
        ({"in": {"field": "n", "values": ["loan", "claim"]}}, {"n": "CLAIM"}, True),
        ({"in": {"field": "n", "values": ["loan", "claim"]}}, {"n": "quote"}, False),
        ({"domain": "law"}, {"domain": "Law"}, True),
        ({"task": "dose"}, {"task": "dose"}, True),
        ({"eq": {"field": "n", "value": 5}}, {}, False),
    ],
)
def test_comparisons_with_fields(when, facts, holds):
    rule = {"id": "a", "owner": "o", "when": when, "tier": "high"}

    assert decided(policy(rule), facts=facts).rules == (("a",) * holds + ("policy.default",))


def test_facts_that_are_no_object_are_unknown_and_their_stakes_only_raise():
    assert decided(LOW, facts=["low"]).rules == ("facts.not_understood", "policy.default")
    assert decided(LOW, facts={"stakes": "critical"}).stakes is Stakes.CRITICAL
    assert decided(StakesPolicy(), facts={"stakes": "low"}).stakes is Stakes.HIGH
    assert decided(LOW, facts={"stakes": 0}).rules == ("facts.unknown", "policy.default")


def test_what_was_not_read_whole_is_critical_and_what_is_more_than_text_is_high():
    assert decided(LOW, "word " * 50_000).stakes is Stakes.CRITICAL
    assert decided(LOW, "Look.", is_readable=False).stakes is Stakes.HIGH
    assert decided(LOW, "word " * 50_000).rules == ("text.too_long", "policy.default")
    assert decided(LOW, "Look.", is_readable=False).rules == ("text.not_text", "policy.default")


def test_a_rule_that_breaks_is_not_known_not_to_fire(monkeypatch):
    found = policy(DOSE, on_error="critical")
    monkeypatch.setattr(type(found.rules[0].when), "holds", lambda *_: 1 / 0)

    assert decided(found, "harmless").rules == ("med.dose.fault", "policy.default")
    assert decided(found, "harmless").stakes is Stakes.CRITICAL
