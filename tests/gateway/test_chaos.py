import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_while_everything_around_it_fails_no_request_is_lost_no_weak_answer_leaks_and_each_decision_is_on_record():
    command = [sys.executable, "-m", "benchmarks.chaos", "--requests", "300", "--swaps", "2", "--json"]

    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=os.environ, check=False, timeout=280)

    report = json.loads(done.stdout)
    assert (report["lost"], report["unverified"], report["unrecorded"]) == (0, 0, 0), report["examples"]
    assert (done.returncode, report["requests"], report["n_swaps"]) == (0, 300, 2)
    assert report["upstream"]["wrong"] > 0
    assert report["answered_by"]["weak-model"] > 0
