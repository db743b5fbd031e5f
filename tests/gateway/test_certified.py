import asyncio
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.records import Stakes
from core.verifier_settings import VerifierSettings
from gateway.certified import certificate_fault, recheck_fault, threshold_in_force
from gateway.loop import RoutingLoop
from gateway.model_names import BadThreshold, Names, Routed, UnknownModel, parse_model_name
from tests.core.test_certificate_record import MADE, certificate, refused, stratum
from tests.gateway.conftest import FixedRouter
from verifiers.assembling import verifier_policy
from verifiers.stakes.policy import StakesPolicy

PAPER = certificate(stratum("law/high"), refused("tax/high"), budgets={"law/low": 0.7})
DURING = MADE + timedelta(days=1)
NAMES = Names(weak="small", strong="large", routers=("mf",), domains=("law",))


def certified(probability=0.1, **changes):
    paper = PAPER.model_dump(mode="json") | changes
    return FixedRouter(probability, dict(PAPER.thresholds), paper)


def in_force(domain, threshold=None, *, stakes=Stakes.HIGH, bundle=None, now=DURING):
    return threshold_in_force(bundle or certified(), Routed("mf", threshold, domain), stakes=stakes, now=now)


def header(response, name):
    return response.headers.get(f"x-preceptor-{name}")


def test_a_certified_stratum_is_decided_at_its_threshold():
    assert in_force("law") == (0.4, ())
    assert in_force("law", stakes=Stakes.LOW) == (0.7, ())


@pytest.mark.parametrize("domain", ["tax", "medicine", None])
def test_what_is_not_certified_goes_to_the_strong_model_even_at_a_threshold_of_the_request_s_own(domain):
    assert in_force(domain) == "not_certified"
    assert in_force(domain, 0.001) == "not_certified"


def test_a_request_may_lower_the_certified_threshold_and_never_raise_it():
    assert in_force("law", 0.2) == (0.2, ())
    assert in_force("law", 0.9) == (0.4, ("threshold_lowered_to_certified",))


def test_an_expired_certificate_sends_everything_to_the_strong_model():
    assert in_force("law", now=PAPER.expires_at - timedelta(seconds=1)) == (0.4, ())
    assert in_force("law", now=PAPER.expires_at) == "certificate_expired"
    assert in_force("law", 0.1, now=PAPER.expires_at + timedelta(days=400)) == "certificate_expired"


def test_thresholds_that_are_not_the_certificate_s_send_everything_to_the_strong_model():
    bundle = certified()
    bundle.thresholds = bundle.thresholds | {"law/high": 0.5}

    assert in_force("law", bundle=bundle) == "certificate_mismatch"


@pytest.mark.parametrize(
    "paper",
    [
        {},
        {"format": "preceptor/certificate/2"},
        PAPER.model_dump(mode="json") | {"expires_at": "soon"},
        PAPER.model_dump(mode="json") | {"expires_at": None},
        PAPER.model_dump(mode="json") | {"expires_at": "2099-01-01T00:00:00"},  # no zone
        PAPER.model_dump(mode="json") | {"strata": [{}]},
        PAPER.model_dump(mode="json") | {"budgets": None},
    ],
)
def test_a_certificate_that_does_not_read_holds_nothing(paper):
    assert certificate_fault(paper, PAPER.thresholds, now=DURING) == "certificate_mismatch"


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(PAPER.model_dump(mode="json"))), JSON, st.booleans())
def test_whatever_stands_in_a_certificate_nothing_above_its_thresholds_is_ever_decided(field, value, drops):
    paper = PAPER.model_dump(mode="json") | {field: value}
    if drops:
        del paper[field]
    bundle = FixedRouter(0.1, dict(PAPER.thresholds), paper)

    for domain in ("law", "tax", None):
        found = in_force(domain, 0.95, bundle=bundle)
        assert isinstance(found, str) or (domain == "law" and found[0] == 0.4)


def test_without_a_certificate_the_request_s_own_threshold_stands():
    assert in_force(None, 0.9, bundle=FixedRouter()) == (0.9, ())
    assert in_force(None, bundle=FixedRouter(thresholds={"default": None})) == "no_threshold"


def test_a_router_name_may_say_the_domain():
    assert parse_model_name("router-mf-0.3:law", names=NAMES) == Routed("mf", 0.3, "law")
    for name, error in (
        ("router-mf-0.3:tax", UnknownModel),
        ("router-mf-0.3:", UnknownModel),
        ("router-mf-x:law", BadThreshold),
    ):
        with pytest.raises(error):
            parse_model_name(name, names=NAMES)


@pytest.mark.parametrize(
    ("days", "model", "answered", "reason"),
    [
        (1, "auto:law", "small", None),
        (1, "router-mf-0.9:law", "small", "threshold_lowered_to_certified"),
        (1, "auto:tax", "large", "not_certified"),
        (1, "auto", "large", "not_certified"),
        (91, "auto:law", "large", "certificate_expired"),
    ],
)
def test_the_gateway_obeys_the_certificate_and_says_why(make_client, ask, days, model, answered, reason):
    stakes = StakesPolicy(domains={"law": Stakes.HIGH, "tax": Stakes.HIGH})
    client = make_client(certified(0.1), stakes=stakes, clock=lambda: MADE + timedelta(days=days))

    response = ask(client, model)

    assert (header(response, "model"), header(response, "reason")) == (answered, reason)


def test_an_expired_certificate_is_named_before_the_first_request(make_loop):
    loop: RoutingLoop = make_loop(certified(), clock=lambda: MADE + timedelta(days=91))

    assert asyncio.run(loop.warm_up()) == ("mf: certificate_expired",)


def policy_of(pack="law", pack_sha256="aa", stakes_sha256="s"):
    return {"pack": pack, "pack_sha256": pack_sha256, "stakes_sha256": stakes_sha256}


@pytest.mark.parametrize(
    ("is_rechecked", "certified_with", "here", "is_fault"),
    [
        (False, policy_of(), policy_of("none", None), False),
        (True, policy_of(), policy_of(), False),
        (True, policy_of(), policy_of(pack_sha256="bb"), True),
        (True, policy_of(), policy_of("none", None), True),
        (True, policy_of("none", None), policy_of("none", None), False),
        (True, policy_of(pack_sha256=None), policy_of(), True),
        (True, policy_of(pack_sha256=None), policy_of(pack_sha256=None), True),
        (True, None, policy_of(), True),
        (False, policy_of(), policy_of(stakes_sha256="t"), True),
        (False, policy_of(stakes_sha256=None), policy_of(), True),
        (False, policy_of(stakes_sha256=None), policy_of(stakes_sha256=None), True),
        (False, None, policy_of(), True),
    ],
)
def test_a_certificate_is_not_served_with_other_rules_of_stakes_or_without_the_recheck_it_counts_on(
    is_rechecked, certified_with, here, is_fault
):
    paper = certificate(stratum(is_rechecked=is_rechecked)).model_dump(mode="json")

    assert (recheck_fault(paper, certified_with, here) is not None) == is_fault
    assert recheck_fault(None, certified_with, here) is None


@pytest.mark.parametrize("promise", [{"loss": "net"}, {"is_selective": True}])
def test_checks_that_may_raise_a_net_or_selective_loss_must_be_those_of_the_certificate(promise):
    paper = certificate(stratum()).model_dump(mode="json")
    changed = {**paper, "promise": paper["promise"] | promise}

    assert recheck_fault(paper, policy_of("none", None), policy_of()) is None
    assert recheck_fault(changed, policy_of("none", None), policy_of()) is not None


def test_any_change_of_what_tells_the_stakes_is_told_from_the_certified_policy(tmp_path):
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: [{id: a, owner: x, when: {words: [dose]}, tier: critical}]")
    settings = VerifierSettings(pack="legal", policy=rules)
    was = verifier_policy(settings, ["law"])
    paper = certificate(stratum()).model_dump(mode="json")

    def fault(changed=settings, domains=("law",)):
        return recheck_fault(paper, was, verifier_policy(changed, domains))

    assert fault() is None
    assert "other rules of stakes" in fault(settings.model_copy(update={"stakes": "low"}))
    assert "other rules of stakes" in fault(settings.model_copy(update={"policy": None}))
    assert "other rules of stakes" in fault(domains=("law", "tax"))
    rules.write_text("rules: [{id: a, owner: x, when: {words: [dose]}, tier: high}]")
    assert "other rules of stakes" in fault()


@pytest.mark.parametrize(("model", "stratum"), [("auto:law", "law/high"), ("auto", None)])
def test_the_router_is_told_the_stratum_whose_threshold_it_is_held_against(make_client, ask, model, stratum):
    router = FixedRouter(thresholds={"default": 0.5, "law/high": 0.5})
    client = make_client(router, stakes=StakesPolicy(domains={"law": Stakes.HIGH}))

    ask(client, model)

    assert router.strata == [stratum]
