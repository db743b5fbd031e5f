"""The controller that a YAML describes: the same parts as the server's."""

import asyncio
from functools import partial

import pytest

from core.errors import SettingsError
from core.store import open_store
from gateway import Controller, RoutingError
from gateway.records.decision_log import DecisionLog
from tests.gateway.made_bundle import bundle_at

MESSAGES = [{"role": "user", "content": "Which code is right for asthma?"}]


@pytest.fixture
def settings(write_settings, tmp_path):
    """A YAML whose bundle knows two words; `sections` replace its own."""
    bundle = bundle_at(tmp_path / "bundle")
    return partial(write_settings, router={"family": "words"}, gateway={"bundle": str(bundle)})


def test_a_controller_of_settings_decides_as_the_server_and_records_in_its_store(settings, tmp_path):
    names = ("router-words-0", "router-words-1", "auto")
    with Controller.from_settings(settings(verifiers={"stakes": "low"})) as controller:
        answers = [controller.completion(model=name, messages=MESSAGES) for name in names]
        assert controller.route("asthma", "words", 1.0) == "small"
        assert len(controller.batch_calculate_win_rate(["asthma"], "words")) == 1
    engine = open_store(f"sqlite:///{tmp_path}/store.db")
    log = DecisionLog(engine)

    assert [answer.model for answer in answers] == ["large", "small", "small"]
    assert [log.find(answer.decision.id) == answer.decision for answer in answers] == [True] * 3
    engine.dispose()


def test_settings_without_checks_let_no_high_stakes_weak_answer_out(settings):
    with Controller.from_settings(settings()) as controller:
        answer = controller.completion(model="router-words-1", messages=MESSAGES)

    assert (answer.model, answer.decision.stakes) == ("large", "high")


def test_settings_of_a_bundle_that_is_not_there_answer_with_the_strong_model(settings, tmp_path):
    with Controller.from_settings(settings(), bundle=str(tmp_path / "nowhere")) as controller:
        answer = asyncio.run(controller.acompletion(model="auto", messages=MESSAGES))

        assert answer.model == "large"
        with pytest.raises(RoutingError, match="has no bundle now"):
            controller.batch_calculate_win_rate(["asthma"], "words")


def test_settings_that_describe_no_gateway_are_refused_before_anything_is_asked(settings):
    pair = {"weak": {"name": "small"}, "strong": {"name": "large"}}

    with pytest.raises(SettingsError, match="base_url is not set"):
        Controller.from_settings(settings(pair=pair))
