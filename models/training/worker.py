"""Runs a training's folder: here, or in several processes: `python -m models.training.worker JOB_FOLDER`.

Any launcher will do, each process running the same line:

    torchrun --nproc_per_node 2 -m models.training.worker JOB_FOLDER --processes 2
    accelerate launch --config_file fsdp.yaml -m models.training.worker JOB_FOLDER --processes 8

`--processes` is what the launcher was asked for: some launch one process when asked for two, and say nothing.
Never evaluates code from the folder: how a description becomes a network is a function handed in.
"""

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from core.errors import PreceptorError, TrainingError
from models.training.job import read_job, read_result, write_result
from models.training.network import ClassNetwork
from models.training.placement import this_process
from models.training.progress import OnStep, StepReport, Trained, unheard

Build = Callable[[Mapping[str, Any]], ClassNetwork]

PROGRAM = ("-m", "models.training.worker")
"""What Python runs in each process of a launch."""

_POLL_S = 0.2


def run_job(
    folder: Path,
    *,
    processes: int = 1,
    on_step: OnStep = unheard,
    build: Build | None = None,
    program: Sequence[str] = PROGRAM,
) -> Trained:
    """What the training in `folder` gives; run in this process, or launched in several and waited for.

    A finished training is read, an interrupted one taken up.

    Args:
        folder: what `models.training.job.write_job` wrote.
        processes: 1 runs here. More are launched by torchrun on this machine; their output is in worker.log.
        on_step: told of every step.
        build: makes a network of its description; None: `models.networks.building.build_network`. For one process.
        program: arguments of Python that run the worker in each of several processes.

    Raises:
        TrainingError: the training failed; the message is the worker's own.
        MissingExtra: torch, peft or accelerate is not installed.
    """
    done = read_result(folder)
    if done is not None:
        return done
    if processes == 1:
        work(folder, build=build, on_step=on_step)
    else:
        _launch(folder, processes, on_step, program)
    result = read_result(folder)
    if result is None:
        raise TrainingError(f"The training in {folder} left no result. Read {folder / 'worker.log'}.")
    return result


def work(folder: Path, *, build: Build | None = None, processes: int | None = None, on_step: OnStep = unheard) -> None:
    """Run a training in this process, one of `processes`; the first writes progress and result.

    Raises:
        TrainingError: the launcher started another number of processes, another training runs in the folder, or the
            training failed.
    """
    from models.training.loop import train

    n_processes, index = _this_process(processes)
    job = read_job(folder)
    network = (build or _builder())(job.description)
    with _alone(folder, is_first=index == 0), (folder / "progress.jsonl").open("a", encoding="utf-8") as progress:

        def told(report: StepReport) -> None:
            progress.write(json.dumps(report.to_json()) + "\n")
            progress.flush()
            on_step(report)

        trained = train(network, job.train, job.dev, job.recipe, folder=folder / "checkpoints", on_step=told)
        if trained.facts.n_processes != n_processes:
            raise TrainingError(f"{trained.facts.n_processes} processes trained and {n_processes} were launched.")
        if index == 0:
            write_result(trained, folder)


def _builder() -> Build:
    from models.networks.building import build_network

    return build_network


def _this_process(expected: int | None) -> tuple[int, int]:
    """How many processes there really are, and this one's number."""
    state = this_process()
    if expected is not None and state.num_processes != expected:
        raise TrainingError(
            f"{expected} processes were asked for and {state.num_processes} runs. "
            f"Launch with `torchrun --nproc_per_node {expected}`; `accelerate launch --cpu` starts one alone."
        )
    return state.num_processes, state.process_index


@contextmanager
def _alone(folder: Path, *, is_first: bool) -> Iterator[None]:
    """Refuses a second training in one folder; a lock dies with its process."""
    if not is_first:
        yield
        return
    with (folder / "running.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise TrainingError(f"A training is running in {folder}. Wait for it, or end its process.") from error
        yield


def _launch(folder: Path, processes: int, on_step: OnStep, program: Sequence[str]) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    command += [*program, str(folder), "--processes", str(processes)]
    threads = str(read_job(folder).recipe.n_threads)
    environment = {**os.environ, "OMP_NUM_THREADS": threads}
    progress, failure = folder / "progress.jsonl", folder / "failure.txt"
    failure.unlink(missing_ok=True)
    read = progress.stat().st_size if progress.exists() else 0
    with (folder / "worker.log").open("ab") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            while process.poll() is None:
                time.sleep(_POLL_S)
                read = _tell(progress, read, on_step)
            _tell(progress, read, on_step)
        finally:
            if process.poll() is None:  # interrupted here: torchrun ends its processes
                process.terminate()
                process.wait()
    if process.returncode:
        said = failure.read_text(encoding="utf-8") if failure.is_file() else ""
        raise TrainingError(
            said or f"The training ended with exit status {process.returncode}. Read {folder / 'worker.log'}."
        )


def _tell(progress: Path, read: int, on_step: OnStep) -> int:
    """Hands over the whole lines that were added, and returns how far was read."""
    if not progress.exists():
        return read
    with progress.open("rb") as file:
        file.seek(read)
        lines = file.read()
    whole = lines[: lines.rfind(b"\n") + 1]
    for line in whole.splitlines():
        on_step(StepReport.from_json(json.loads(line)))
    return read + len(whole)


def run_worker(folder: Path, processes: int | None, build: Build | None = None) -> None:
    """`work` for a command line: a user's mistake is one sentence, kept in failure.txt for the launcher."""
    try:
        work(folder, build=build, processes=processes)
    except PreceptorError as error:
        (folder / "failure.txt").write_text(str(error), encoding="utf-8")
        click.echo(str(error), err=True)
        sys.exit(1)
    _leave()


def _leave() -> None:
    import torch

    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--processes", type=click.IntRange(1), help="How many the launcher was asked for; refused if they differ."
)
def main(folder: Path, processes: int | None) -> None:
    """Train in this process what FOLDER describes. Example: python -m models.training.worker runs/job."""
    run_worker(folder, processes)


if __name__ == "__main__":
    main()
