"""The worker with the tests' own builder of networks: `python tiny_worker.py JOB_FOLDER [--processes N]`."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[3])]

    from tiny_networks import build_tiny

    from models.training.worker import run_worker

    folder, *rest = sys.argv[1:]
    run_worker(Path(folder), int(rest[1]) if rest else None, build_tiny)
