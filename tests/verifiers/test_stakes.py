from hypothesis import given
from hypothesis import strategies as st

from core.records import Stakes
from verifiers.stakes import StakesPolicy, decide_stakes

tiers = st.sampled_from(Stakes)
policies = st.builds(StakesPolicy, default=tiers, domains=st.dictionaries(st.sampled_from(["law", "tax"]), tiers))
domains = st.none() | st.sampled_from(["law", "tax", "unlisted"])


@given(policies, domains, st.none() | st.text())
def test_a_header_never_lowers_the_tier(policy, domain, header):
    without = decide_stakes(policy, domain=domain, header=None).stakes
    with_header = decide_stakes(policy, domain=domain, header=header).stakes

    assert with_header >= without


@given(policies, st.none() | st.text())
def test_naming_a_domain_never_lowers_the_tier(policy, domain):
    unnamed = decide_stakes(policy, domain=None, header=None).stakes

    assert decide_stakes(policy, domain=domain, header=None).stakes >= unnamed


def test_low_needs_the_servers_word():
    assert decide_stakes(StakesPolicy(), domain=None, header="low").stakes is Stakes.HIGH
    assert decide_stakes(StakesPolicy(default=Stakes.LOW), domain=None, header="low").stakes is Stakes.LOW


def test_a_value_that_nobody_defined_is_high():
    decision = decide_stakes(StakesPolicy(default=Stakes.LOW), domain=None, header="lowest")

    assert decision == (Stakes.HIGH, ("header.unknown",))


def test_a_domain_that_the_policy_does_not_list_is_high():
    decision = decide_stakes(StakesPolicy(default=Stakes.LOW), domain="oncology", header=None)

    assert decision == (Stakes.HIGH, ("policy.domain_unknown",))
