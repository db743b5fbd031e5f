"""A registry with two versions of a bundle, whose alias is moved at a word: `2` or `1` a line on standard input.

    python -m benchmarks.gateways.swapping TRACKING_URI NAME FOLDER_1 FOLDER_2

Says `ready`, then `moved` after each move. A process of its own, since MLflow takes seconds to import.
"""

import itertools
import sys
from pathlib import Path


def main(tracking_uri: str, name: str, *folders: str) -> None:
    """Register both and follow the words."""
    from models.mlflow_store import open_client
    from models.registry import move_alias, register_bundle

    client = open_client(tracking_uri)
    experiment = client.create_experiment(name, artifact_location=str(Path(folders[0]).parent / "artifacts"))
    run_id = client.create_run(experiment).info.run_id
    for folder in folders:
        register_bundle(Path(folder), name=name, tracking_uri=tracking_uri, run_id=run_id, tags={})
    current = None
    for version in itertools.chain([1], map(int, sys.stdin)):
        move_alias(name, "champion", version, expected=current, tracking_uri=tracking_uri)
        print("ready" if current is None else "moved", flush=True)
        current = version


if __name__ == "__main__":
    main(*sys.argv[1:])
