"""Small worlds of rows in which one model is sometimes better than the other."""

import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("preceptor", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("preceptor")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20260101)
