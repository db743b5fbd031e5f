"""Faults planted into figures are caught, and the untouched answers pass."""

from collections import Counter

import numpy as np

from benchmarks.faults.figures import KINDS, seeded
from verifiers.chain import CheckOutcome, run_chain
from verifiers.figures.dates import Dates
from verifiers.figures.doses import Doses
from verifiers.figures.grounded import Grounded
from verifiers.figures.identifiers import Identifiers
from verifiers.figures.percentages import Percentages
from verifiers.figures.prose import ProseArithmetic
from verifiers.figures.totals import Totals
from verifiers.figures.unit_use import Units


def test_each_kind_of_planted_fault_is_caught_and_no_right_answer_is_stopped() -> None:
    checks = [ProseArithmetic(), Percentages(), Totals(), Units(), Doses(), Dates(), Identifiers(), Grounded()]
    caught: Counter[str] = Counter()
    stopped: Counter[str] = Counter()

    for fault in seeded(np.random.default_rng(11), 60):
        caught[fault.fault] += run_chain(checks, fault.faulty).outcome is not CheckOutcome.PASS
        stopped[fault.fault] += run_chain(checks, fault.clean).outcome is not CheckOutcome.PASS

    assert all(caught[kind] >= 57 for kind in KINDS), caught
    assert sum(stopped.values()) <= 4, stopped
