"""The examples of docs/gateway.md, as they stand there, against a real server."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.api.app import Doors, create_app
from gateway.api.openapi import openapi
from gateway.keys.door import OneKey
from tests.gateway.conftest import serving

PAGE = (Path(__file__).parents[2] / "docs" / "gateway.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.S)


@pytest.fixture
def here(make_loop, log):
    """Puts the address of a server into an example."""
    with serving(create_app(make_loop(), doors=Doors(keys=OneKey("k"), decisions=log))) as url:
        yield lambda text: text.replace("http://127.0.0.1:6060/v1", url)


def test_the_example_in_python_works(here, models, capsys):
    (example,) = blocks("python")

    exec(here(example), {"KEY": "k"})

    model, identifier = capsys.readouterr().out.split()
    assert (model, identifier[:4]) == ("small", "dec_")


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
def test_the_examples_in_curl_work(here, models):
    answer, batch = (
        json.loads(subprocess.run(["bash", "-c", here(one)], env={"KEY": "k"}, capture_output=True, check=True).stdout)
        for one in blocks("bash")
        if one.startswith("curl")
    )

    assert answer["model"] == "small"
    assert [one["threshold"] for one in batch["data"]] == [0.5, 0.2]


def test_the_page_names_every_path_status_and_header_of_the_description():
    description = openapi()
    paths = {path.partition("/{")[0] for path in description["paths"]}
    statuses = {
        status for path in description["paths"].values() for one in path.values() for status in one["responses"]
    }
    headers = {one["name"] for one in description["components"]["parameters"].values()}
    headers |= set(description["components"]["headers"])

    assert [one for one in sorted(paths | headers) if f"`{one}" not in PAGE and f" {one}" not in PAGE] == []
    assert [one for one in sorted(statuses) if not re.search(rf"\b{one}\b", PAGE)] == []
