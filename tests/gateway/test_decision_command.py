"""The commands of decisions: shown in words, looked at on record, pruned."""

import json
import shlex
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from core.call_record import CallRecord
from core.check_record import CheckRecord
from core.errors import AccessDenied, PreceptorError
from core.ledger import Ledger
from core.people_commands import people
from core.store import open_store
from gateway.records.decision_command import decision
from gateway.records.decision_log import DecisionLog
from gateway.records.explaining import CHAIN, KINDS, WORDS, in_words
from gateway.records.texts import TextLog
from tests.gateway.made_decision import made_decision

ESCALATED = made_decision(
    id="dec_1",
    requested_model="auto:law",
    domain="law",
    probability=0.12,
    threshold=0.3,
    bundle="b" * 64,
    verdict="fail",
    reasons=("finance.total:off_by_more", "weak_status_500"),
    checks=(CheckRecord(check="finance.total", outcome="fail", reason="off_by_more", cost_usd=0.0),),
    calls=(
        CallRecord(model="small", outcome="status_500", n_attempts=3),
        CallRecord(model="large", n_input=1000, n_output=500, cost_usd=0.02),
    ),
    key_id="abc123",
)
REQUEST = {"model": "auto", "messages": [{"role": "user", "content": "CANARY of Ann"}]}


@pytest.fixture
def url(tmp_path):
    url = f"sqlite:///{tmp_path / 'store.db'}"
    engine = open_store(url)
    DecisionLog(engine).record(ESCALATED)
    log = TextLog(engine, clock=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    log.keep("dec_1", REQUEST, {"choices": []})
    assert log.close()
    engine.dispose()
    return url


@pytest.fixture
def typed(url):
    def run(line, by="ann", group=decision, **options):
        words = [*shlex.split(line), "--store", url, "--by", by]
        return CliRunner().invoke(group, words, catch_exceptions=False, **options)

    return run


def events(url):
    engine = open_store(url)
    found = Ledger(engine).events()
    engine.dispose()
    return found


def test_a_decision_is_told_in_words_without_any_text(typed, url):
    told = typed("show dec_1").stdout

    for line in (
        "asked for  auto:law, domain law",
        "router     probability 0.1200, threshold 0.3000: weak",
        "recheck    fail",
        "  check    finance.total: fail (off by more)",
        "because    the check finance.total said: off by more [finance.total:off_by_more]",
        "because    the weak model answered with HTTP status 500 [weak_status_500]",
        "call       small: status_500, attempts 3, cost not known",
        "call       large: ok, attempts 1, 1000 + 500 tokens, $0.020000",
        "key        abc123",
    ):
        assert line in told.splitlines()
    assert "CANARY" not in told
    assert events(url) == []


def test_the_text_is_shown_where_it_is_asked_for_and_the_look_is_on_record(typed, url):
    assert "CANARY of Ann" in typed("show dec_1 --text").stdout
    assert json.loads(typed("show dec_1 --text --json").stdout)["request"] == REQUEST

    assert [(event.actor, event.action, event.subject) for event in events(url)] == [("ann", "phi.view", "dec_1")] * 2


def test_json_has_every_field_of_the_record(typed):
    facts = json.loads(typed("show dec_1 --json").stdout)

    assert facts.pop("reasons_in_words") == [
        "the check finance.total said: off by more",
        "the weak model answered with HTTP status 500",
    ]
    assert facts == ESCALATED.model_dump(mode="json")


def test_a_text_takes_a_steward_once_the_store_has_an_admin(typed, url):
    typed("add Alex --role admin", by="setup", group=people)
    for name, role in (("Sam", "steward"), ("Eve", "engineer")):
        typed(f"add {name} --role {role}", by="Alex", group=people)

    assert "CANARY" in typed("show dec_1 --text", by="Sam").stdout
    for name in ("Eve", "Alex", "nobody"):
        with pytest.raises(AccessDenied, match="view phi"):
            typed("show dec_1 --text", by=name)
        with pytest.raises(AccessDenied, match="prune texts"):
            typed("prune --older-than-days 1 --yes", by=name)
    assert [event.actor for event in events(url) if event.action == "phi.view"] == ["Sam"]


def test_an_unknown_decision_is_told_with_where_its_id_is_found(typed):
    with pytest.raises(PreceptorError, match="header x-preceptor-decision-id"):
        typed("show dec_9")


def test_pruning_asks_first_and_leaves_the_decision(typed, url):
    refused = typed("prune --older-than-days 30", input="n\n")
    assert refused.exit_code == 1
    assert "The texts of 1 decisions from before" in refused.output
    assert "CANARY" in typed("show dec_1 --text").stdout

    assert typed("prune --older-than-days 30 --yes").stdout.startswith("The texts of 1 decisions")
    with pytest.raises(PreceptorError, match="No text was kept of the decision 'dec_1'"):
        typed("show dec_1 --text")
    assert "recheck    fail" in typed("show dec_1").stdout


@pytest.mark.parametrize("reason", [*WORDS, *(f"strong_{kind}" for kind in KINDS), *(f"chain:{one}" for one in CHAIN)])
def test_words_are_no_slugs(reason):
    assert "_" not in in_words(reason)
    assert len(in_words(reason).split()) >= 3


def test_a_reason_that_nobody_explained_is_still_given():
    assert in_words("something_new") == "something new"
    assert in_words("weak_odd_thing") == "the weak model failed: odd thing"
    assert in_words("chain:odd_thing") == "the recheck said: odd thing"
