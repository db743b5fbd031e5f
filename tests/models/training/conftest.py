"""The tiny networks as a fixture, and one torch thread."""

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny():
    """The module tiny_networks, which the processes that tests start import too."""
    path = Path(__file__).with_name("tiny_networks.py")
    spec = importlib.util.spec_from_file_location("tiny_networks", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
