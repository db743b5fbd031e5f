"""A training that was killed goes on as if it had not been; what is damaged is passed over; another is refused."""

import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from core.errors import TrainingError
from models.training.job import Job, write_job
from models.training.loop import train
from models.training.recipe import TrainingRecipe
from models.training.worker import run_job

WORKER = Path(__file__).with_name("tiny_worker.py")

RECIPE = TrainingRecipe(
    method="full", learning_rate=5e-3, tokens_per_step=128, max_epochs=4, steps_per_checkpoint=3, patience=100
)


class StopHere(Exception):
    """Raised by a listener: an interruption that leaves no time to tidy up."""


def stop_after(step):
    def listener(report):
        if report.step == step:
            raise StopHere

    return listener


@pytest.fixture
def trained(tiny, tmp_path):
    """Trains a tiny BERT with dropout; settings that are not the recipe's own are `folder`, `on_step`, `n`."""

    def run(*, folder="run", on_step=lambda report: None, n=40, **changes):
        network, dev = tiny.tiny_bert(dropout=0.2), tiny.examples(20, seed=1)
        recipe = replace(RECIPE, **changes)
        return train(network, tiny.examples(n), dev, recipe, folder=tmp_path / folder, on_step=on_step)

    return run


def without_speed(history):
    return [replace(report, tokens_per_s=0.0) for report in history]


def same(one, other):
    assert set(one.weights) == set(other.weights)
    assert all(np.array_equal(one.weights[name], other.weights[name]) for name in one.weights)
    assert without_speed(one.history) == without_speed(other.history)
    assert one.best_step == other.best_step


def test_a_training_killed_with_signal_9_ends_with_the_same_bits(tiny, tmp_path):
    after = 17
    job = Job({"family": "bert", "options": {"dropout": 0.2}}, tiny.examples(150), tiny.examples(20, seed=1), RECIPE)
    for name in ("killed", "whole"):
        write_job(job, tmp_path / name)
    process = subprocess.Popen([sys.executable, WORKER, tmp_path / "killed"])
    progress = tmp_path / "killed" / "progress.jsonl"
    while not progress.exists() or progress.read_bytes().count(b"\n") < after:
        assert process.poll() is None, "it ended before it was killed"
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed" / "result").exists()

    taken_up = run_job(tmp_path / "killed", build=tiny.build_tiny)

    whole = run_job(tmp_path / "whole", build=tiny.build_tiny)
    same(taken_up, whole)
    (resumed_at,) = taken_up.facts.resumed_at
    assert resumed_at % 3 == 0
    assert after - 3 < resumed_at < whole.history[0].n_steps
    assert whole.facts.resumed_at == ()


def test_a_training_interrupted_twice_ends_with_the_same_bits(trained):
    whole = trained(folder="whole")
    for step in (5, 11):
        with pytest.raises(StopHere):
            trained(on_step=stop_after(step))

    taken_up = trained()

    same(taken_up, whole)
    assert taken_up.facts.resumed_at == (3, 9)


def damage(folder, how):
    newest = sorted((folder).glob("step-*"))[-1]
    tensors = newest / "tensors.safetensors"
    if how == "truncated":
        tensors.write_bytes(tensors.read_bytes()[:-100])
    elif how == "one bit":
        content = bytearray(tensors.read_bytes())
        content[-5] ^= 1
        tensors.write_bytes(bytes(content))
    elif how == "without state":
        (newest / "state.json").unlink()
    else:
        (newest / "MANIFEST.json").unlink()


@pytest.mark.parametrize("how", ["truncated", "one bit", "without state", "without manifest"])
def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before_and_says_so(trained, tmp_path, caplog, how):
    whole = trained(folder="whole", max_epochs=2)
    with pytest.raises(StopHere):
        trained(on_step=stop_after(8), max_epochs=2)
    damage(tmp_path / "run", how)

    with caplog.at_level(logging.WARNING):
        taken_up = trained(max_epochs=2)

    same(taken_up, whole)
    assert taken_up.facts.resumed_at == (3,)
    assert "checkpoint step-00000006 is damaged, the one before is taken" in caplog.text


def test_with_every_checkpoint_damaged_the_training_starts_again(trained, tmp_path):
    whole = trained(folder="whole", max_epochs=1)
    with pytest.raises(StopHere):
        trained(on_step=stop_after(3), max_epochs=1)
    damage(tmp_path / "run", "truncated")

    same(trained(max_epochs=1), whole)


def test_a_checkpoint_that_was_being_written_when_the_process_died_counts_for_nothing(trained, tmp_path):
    whole = trained(folder="whole", max_epochs=2)
    with pytest.raises(StopHere):
        trained(on_step=stop_after(5), max_epochs=2)
    half = tmp_path / "run" / ".step-00000006.0123abcd.partial"
    half.mkdir()
    (half / "tensors.safetensors").write_bytes(b"half")

    same(trained(max_epochs=2), whole)
    assert not half.exists()


def test_the_newest_two_checkpoints_are_kept(trained, tmp_path):
    result = trained(max_epochs=2)

    kept = sorted(path.name for path in (tmp_path / "run").iterdir())
    last = result.history[-1].n_steps
    assert kept == [f"step-{3 * ((last - 1) // 3):08d}", f"step-{last:08d}"]


def test_a_checkpoint_holds_what_is_trained_and_nothing_else(tiny, tmp_path):
    network = tiny.tiny_bert()
    network.module.requires_grad_(requires_grad=False)
    network.module.classifier.requires_grad_()

    train(network, tiny.examples(10), tiny.examples(5, seed=1), RECIPE, folder=tmp_path)

    newest = sorted(tmp_path.glob("step-*"))[-1]
    with safe_open(newest / "tensors.safetensors", "np") as file:
        names = set(file.keys())
    assert names == {
        f"{part}/classifier.{end}"
        for part in ("weights", "best", "first", "second", "count")
        for end in ("weight", "bias")
    }
    assert {path.suffix for path in newest.iterdir()} == {".json", ".safetensors"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"learning_rate": 1e-3}, r"recipe\.learning_rate was 0\.005 and is 0\.001"),
        ({"max_epochs": 9}, r"recipe\.max_epochs was 4 and is 9"),
        ({"n": 41}, "the training rows differ"),
    ],
)
def test_another_training_in_the_folder_is_refused_with_what_changed(trained, changes, said):
    with pytest.raises(StopHere):
        trained(on_step=stop_after(4))

    with pytest.raises(TrainingError, match=f"interrupted at step 3, and {said}.*name another folder"):
        trained(**changes)


def test_less_memory_may_be_asked_for_when_a_training_is_taken_up(trained):
    whole = trained(folder="whole", max_epochs=2)
    with pytest.raises(StopHere):
        trained(on_step=stop_after(4), max_epochs=2)

    taken_up = trained(tokens_at_once=64, max_epochs=2)

    assert taken_up.facts.resumed_at == (3,)
    assert len(taken_up.history) == len(whole.history)
