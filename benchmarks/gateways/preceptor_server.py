"""Our gateway as a user starts it: a YAML, a bundle folder, a SQLite store, a key, `preceptor serve`."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.gateways.servers import Start, free_port

WEAK, STRONG = "weak-model", "strong-model"
COMMAND = (sys.executable, "-c", "from core.cli import main; main()")


@dataclass(frozen=True)
class Setup:
    """What differs between the gateways that are measured."""

    name: str
    bundle: Path
    is_rechecked: bool = False
    """With the medical pack, whose rules call the benchmarks' question high; else low stakes and no pack."""
    workers: int = 1
    command: tuple[str, ...] = COMMAND
    """`preceptor`, or a program that does something to it before it starts."""
    cpus: frozenset[int] | None = None


def start_of(setup: Setup, folder: Path, *, weak_url: str, strong_url: str) -> Start:
    """How that gateway is started; its settings and its store are written into `folder`."""
    return start_with(setup, folder, write_settings(setup, folder, weak_url=weak_url, strong_url=strong_url))


def start_with(setup: Setup, folder: Path, settings: Path) -> Start:
    """How a gateway is started with settings that are written already."""
    port = free_port()
    command = [*setup.command, "serve", "--config", str(settings), "--port", str(port)]
    return Start(setup.name, command, port, "/health/ready", {}, folder, setup.cpus, tells_routing=True)


def write_settings(
    setup: Setup,
    folder: Path,
    *,
    weak_url: str,
    strong_url: str,
    reference: str | None = None,
    of_models: Mapping[str, Any] | None = None,
) -> Path:
    """The YAML of a gateway before two endpoints.

    Args:
        setup: which gateway.
        folder: of the YAML and the store.
        weak_url: the weak model's endpoint.
        strong_url: the strong model's.
        reference: what decides; None: the setup's bundle folder.
        of_models: further settings of both models.
    """
    shared = {"usd_per_million_input": 1.0, "usd_per_million_output": 2.0, **(of_models or {})}
    values: dict[str, Any] = {
        "name": "benchmark",
        "folder": str(folder / "runs"),
        "store_url": f"sqlite:///{folder}/{setup.name}.db",
        "mlflow": {"tracking_uri": f"sqlite:///{folder}/mlflow.db"},
        "pair": {
            "weak": {"name": WEAK, "base_url": weak_url, **shared},
            "strong": {"name": STRONG, "base_url": strong_url, **shared},
        },
        "data": {"files": ["outcomes.jsonl"], "target_domains": ["medical_coding"]},
        "verifiers": {"pack": "medical_coding", "stakes": "low"} if setup.is_rechecked else {"stakes": "low"},
        "gateway": {"bundle": reference or str(setup.bundle), "workers": setup.workers, "keys": "store"},
        "threads": 1,
    }
    path = folder / f"{setup.name}.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def make_key(settings: Path, *, per_minute: int | None = None) -> str:
    """A key of the store, made as its user would."""
    limits = () if per_minute is None else ("--requests-per-minute", str(per_minute))
    command = [*COMMAND, "key", "create", "--config", str(settings), "--name", f"benchmark-{per_minute}", *limits]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"`preceptor key create` failed: {done.stderr[-1000:]}")
    return done.stdout.split()[-1]


def make_bundle(folder: Path, encoder: str, *, seed: int = 0, threshold: float = 1.0) -> Path:
    """A bundle, made in a process of its own so that this one stays light."""
    command = [sys.executable, "-m", "benchmarks.gateways.bundles", str(folder), "--encoder", encoder]
    subprocess.run([*command, "--seed", str(seed), "--threshold", str(threshold)], check=True, capture_output=True)
    return folder
