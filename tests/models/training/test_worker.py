"""A training as a folder: two processes give what one gives, and are two; mistakes arrive as one sentence."""

import fcntl
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.errors import SettingsError, TrainingError
from models.training.job import Job, read_job, read_result, write_job
from models.training.recipe import TrainingRecipe
from models.training.worker import run_job, run_worker, work

WORKER = (str(Path(__file__).with_name("tiny_worker.py")),)

RECIPE = TrainingRecipe(
    method="full",
    learning_rate=5e-3,
    tokens_per_step=256,
    tokens_at_once=64,
    max_epochs=2,
    steps_per_checkpoint=4,
    target_modules=("query",),
)


@pytest.fixture
def job(tiny):
    return Job({"family": "bert"}, tiny.examples(60), tiny.examples(21, seed=1), RECIPE)


def test_a_job_comes_back_from_its_folder_as_it_was(job, tmp_path):
    write_job(job, tmp_path)

    read = read_job(tmp_path)

    assert (read.description, read.recipe) == (job.description, job.recipe)
    for part in ("train", "dev"):
        one, other = getattr(read, part), getattr(job, part)
        assert all(np.array_equal(a, b) for a, b in zip(one.input_ids, other.input_ids, strict=True))
        assert np.array_equal(one.targets, other.targets)
        assert np.array_equal(one.weights, other.weights)
        assert np.array_equal(one.gap, other.gap)


def test_another_job_in_the_folder_is_refused(job, tmp_path):
    write_job(job, tmp_path)
    write_job(job, tmp_path)

    with pytest.raises(TrainingError, match=r"holds another training: its recipe\.json differs"):
        write_job(replace(job, recipe=replace(RECIPE, seed=1)), tmp_path)


def test_a_job_whose_writing_was_cut_off_is_written_anew(job, tmp_path, monkeypatch):
    def half(self, content):
        with self.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "write_bytes", half)
        write_job(job, tmp_path)
    write_job(job, tmp_path)

    assert read_job(tmp_path).recipe == job.recipe
    assert {path.name for path in tmp_path.iterdir()} == {"network.json", "recipe.json", "rows.safetensors"}


def test_a_folder_without_a_job_is_refused(tmp_path):
    with pytest.raises(TrainingError, match="holds no training that reads"):
        read_job(tmp_path)


def test_a_finished_job_is_read_and_not_run_again(job, tiny, tmp_path):
    write_job(job, tmp_path)
    heard = []
    first = run_job(tmp_path, build=tiny.build_tiny, on_step=heard.append)

    again = run_job(tmp_path, build=None, on_step=lambda report: pytest.fail("it ran again"))

    assert tuple(heard) == first.history == again.history
    assert again.facts == first.facts
    assert all(np.array_equal(again.weights[name], first.weights[name]) for name in first.weights)


def test_an_altered_result_and_one_of_other_rows_are_refused(job, tiny, tmp_path):
    write_job(job, tmp_path)
    run_job(tmp_path, build=tiny.build_tiny)
    (tmp_path / "network.json").write_text('{"family": "llama"}')
    with pytest.raises(TrainingError, match="is not that of the job there"):
        read_result(tmp_path)

    (tmp_path / "result" / "weights.safetensors").write_bytes(b"")

    with pytest.raises(TrainingError, match="is damaged"):
        read_result(tmp_path)


def test_a_second_training_in_one_folder_is_refused_while_the_first_runs(job, tiny, tmp_path):
    write_job(job, tmp_path)
    with (tmp_path / "running.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        with pytest.raises(TrainingError, match="A training is running in"):
            work(tmp_path, build=tiny.build_tiny)


def test_one_process_where_two_were_asked_for_is_refused(job, tiny, tmp_path):
    write_job(job, tmp_path)

    with pytest.raises(TrainingError, match=r"2 processes were asked for and 1 runs\. Launch with `torchrun"):
        work(tmp_path, build=tiny.build_tiny, processes=2)


def test_launched_processes_that_do_not_know_of_each_other_are_refused(job, tiny, tmp_path, monkeypatch):
    write_job(job, tmp_path)
    monkeypatch.setenv("WORLD_SIZE", "2")

    with pytest.raises(TrainingError, match="2 processes were launched and each believes that there are 1"):
        work(tmp_path, build=tiny.build_tiny)


def test_a_mistake_in_a_worker_is_one_sentence_for_its_launcher(job, tiny, tmp_path, capsys):
    write_job(replace(job, recipe=replace(RECIPE, tokens_at_once=8)), tmp_path)
    with pytest.raises(SettingsError):
        work(tmp_path, build=tiny.build_tiny)

    with pytest.raises(SystemExit, match="1"):
        run_worker(tmp_path, None, tiny.build_tiny)

    assert "Raise tokens_at_once to at least" in (tmp_path / "failure.txt").read_text()
    assert "tokens_at_once is 8" in capsys.readouterr().err


@pytest.mark.slow
def test_two_processes_give_what_one_gives(job, tiny, tmp_path):
    job = replace(job, description={"family": "bert", "options": {"unused": True}})
    results, heard = {}, []
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        write_job(job, folder)
        results[processes] = run_job(
            folder, processes=processes, build=tiny.build_tiny, program=WORKER, on_step=heard.append
        )

    one, two = results[1], results[2]
    assert (one.facts.n_processes, two.facts.n_processes) == (1, 2)
    assert [r.loss for r in two.history] == pytest.approx([r.loss for r in one.history], rel=1e-5)
    assert [r.gradient_norm for r in two.history] == pytest.approx([r.gradient_norm for r in one.history], rel=1e-4)
    dev_of = {n: [r.dev.loss for r in results[n].history if r.dev] for n in (1, 2)}
    assert dev_of[2] == pytest.approx(dev_of[1], rel=1e-5)
    for name, weight in one.weights.items():
        assert two.weights[name] == pytest.approx(weight, abs=2e-5), name
    assert tuple(heard) == one.history + two.history


@pytest.mark.slow
def test_a_launch_that_fails_says_what_its_worker_said(job, tmp_path, caplog):
    write_job(replace(job, recipe=replace(RECIPE, tokens_at_once=8)), tmp_path)

    with caplog.at_level(logging.ERROR), pytest.raises(TrainingError, match="Raise tokens_at_once to at least"):
        run_job(tmp_path, processes=2, program=WORKER)


@pytest.mark.slow
def test_two_processes_that_were_stopped_go_on_to_the_same_bits(job, tmp_path):
    class StopHere(Exception):
        pass

    def stop(report):
        if report.step == 6:
            raise StopHere

    description = {"family": "bert", "options": {"dropout": 0.2}}
    job = replace(job, description=description, recipe=replace(RECIPE, max_epochs=12, patience=100))
    for name in ("stopped", "whole"):
        write_job(job, tmp_path / name)
    with pytest.raises(StopHere):
        run_job(tmp_path / "stopped", processes=2, program=WORKER, on_step=stop)
    assert read_result(tmp_path / "stopped") is None

    taken_up = run_job(tmp_path / "stopped", processes=2, program=WORKER)

    whole = run_job(tmp_path / "whole", processes=2, program=WORKER)
    assert len(taken_up.facts.resumed_at) == 1
    assert all(np.array_equal(taken_up.weights[name], weight) for name, weight in whole.weights.items())
    assert [r.loss for r in taken_up.history] == [r.loss for r in whole.history]
