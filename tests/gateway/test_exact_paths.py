"""A path without a name in it is found without the router; where the app is mounted, the router finds it."""

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from gateway.api.app import create_app


@pytest.mark.parametrize("before", ["", "/gateway"])
def test_every_path_is_found_also_where_the_app_is_mounted(make_loop, before):
    app = create_app(make_loop())
    client = TestClient(Starlette(routes=[Mount(before, app=app)]) if before else app)
    question = {"model": "auto", "messages": [{"role": "user", "content": "Code this."}]}

    assert client.post(f"{before}/v1/chat/completions", json=question).status_code == 200
    assert client.get(f"{before}/health/live").status_code == 200
    assert client.get(f"{before}/v1/models/auto").json()["id"] == "auto"
    assert client.get(f"{before}/v1/chat/completions").status_code == 405
    assert client.get(f"{before}/v1/chat/completions/").json()["error"]["code"] == "unknown_url"
    assert client.get(f"{before}/v1/nothing").json()["error"]["code"] == "unknown_url"
