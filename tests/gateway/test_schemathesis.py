"""Requests made up from the description itself, against a real server before two real endpoints: it never breaks."""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import checks

from core.call_record import CallRecord
from core.store import open_store
from gateway.api.app import Doors, create_app
from gateway.api.openapi import openapi
from gateway.asking.upstream import Embeddings, Endpoint, Upstream
from gateway.attempts import Models
from gateway.deciding import FixedBundles
from gateway.keys.door import OneKey
from gateway.loop import RoutingLoop
from gateway.parts import InThread
from gateway.records.decision_log import DecisionLog
from gateway.records.metrics import Metrics
from tests.gateway.conftest import SAYS_CODE, FixedRouter, serving
from verifiers.assembling import Recheck

schema = schemathesis.openapi.from_dict(openapi())


class Embeds:
    """An endpoint that embeds nothing."""

    async def embeddings(self, body):
        return Embeddings(b'{"object": "list", "data": []}', CallRecord(model="small"))


@pytest.fixture(scope="module")
def url(endpoints, tmp_path_factory):
    _, small_url, _, large_url = endpoints
    models = Models(*(Upstream(Endpoint(name=n, base_url=u)) for n, u in (("small", small_url), ("large", large_url))))
    engine = open_store(f"sqlite:///{tmp_path_factory.mktemp('store')}/store.db")
    log = DecisionLog(engine)
    source = FixedBundles({"mf": FixedRouter(thresholds={"default": 0.5, "law": 0.05})}, Recheck(SAYS_CODE))
    loop = RoutingLoop(models=models, source=source, decisions=InThread(log))
    metrics = Metrics(lambda: loop.names)
    doors = Doors(keys=OneKey("k"), metrics=metrics, decisions=log, embeddings=Embeds())
    with serving(create_app(loop, doors=doors)) as url:
        yield url.removesuffix("/v1")
    engine.dispose()


def made_up(n_examples):
    return settings(
        max_examples=n_examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@schema.parametrize()
@made_up(10)
def test_every_answer_is_one_that_the_description_names(case, url):
    response = case.call(base_url=url, headers={"authorization": "Bearer k"})

    # The gateway takes what the endpoints may understand, so that an odd message is no reason to refuse.
    case.validate_response(response, excluded_checks=[checks.negative_data_rejection])


@pytest.mark.slow
@schema.include(path=["/v1/chat/completions", "/v1/route"]).parametrize()
@made_up(30)
def test_nothing_beside_a_name_that_works_breaks_an_answer(case, url):
    """Made-up names are refused at once; with these, whatever else was made up goes the whole way."""
    body = case.body if isinstance(case.body, dict) else {}
    for number, one in enumerate([body, *(body["batch"] if isinstance(body.get("batch"), list) else [])]):
        if isinstance(one, dict) and isinstance(one.get("messages"), list):
            one["model"] = ("auto", "small", "router-mf-0.05", "auto:law", "large")[(len(str(one)) + number) % 5]
            one["messages"] = one["messages"] or [{}]

    response = case.call(base_url=url, headers={"authorization": "Bearer k"})

    case.validate_response(response, excluded_checks=[checks.negative_data_rejection])
    SEEN.append(response.status_code)


@pytest.mark.slow
def test_many_of_them_were_answered():
    assert SEEN.count(200) >= 10


SEEN: list[int] = []
