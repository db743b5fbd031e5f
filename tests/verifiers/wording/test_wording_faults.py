import importlib
import time
from collections import Counter

import numpy as np
import pytest

from benchmarks.faults.wording import KINDS, seeded
from verifiers.chain import CheckOutcome, run_chain
from verifiers.wording import CHECKS

N = 60


@pytest.fixture(scope="module")
def checks():
    """Every check of wording with its defaults."""
    places = (place.partition(":") for place in CHECKS.values())
    return [getattr(importlib.import_module(module), name)() for module, _, name in places]


@pytest.fixture(scope="module")
def judged(checks):
    """(kind, outcome of the clean answer, outcome of the faulty one) of `N` planted faults a kind."""
    rows = seeded(np.random.default_rng(11), N)
    return [(row.fault, run_chain(checks, row.clean).outcome, run_chain(checks, row.faulty).outcome) for row in rows]


@pytest.mark.parametrize("kind", KINDS)
def test_at_least_nineteen_in_twenty_planted_faults_are_caught(judged, kind):
    caught = sum(faulty is not CheckOutcome.PASS for fault, _, faulty in judged if fault == kind)

    assert caught >= 0.95 * N


def test_at_most_one_clean_answer_in_a_hundred_is_stopped(judged):
    false_alarms = Counter(kind for kind, clean, _ in judged if clean is not CheckOutcome.PASS)

    assert sum(false_alarms.values()) <= 0.01 * N * len(KINDS), false_alarms


UNITS = [
    "1 F.2d 1 ",
    "A v. B. ",
    "```",
    "[",
    '"',
    "\u201c",
    "the the ",
    "Section 1(",
    "12 U.S.C. \u00a7 1",
    "Id. ",
    "(a)",
]


@pytest.mark.parametrize("unit", UNITS)
def test_no_answer_makes_the_checks_slow(checks, case, unit):
    asked = case(
        unit * (60_000 // len(unit)), source="Section 1. Due. " * 20, schema={}, allowed=["a", "b"], language="en"
    )

    began = time.process_time()
    run_chain(checks, asked)

    assert time.process_time() - began < 5  # what grows with the square of the length takes half a minute and more
