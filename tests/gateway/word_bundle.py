"""Small bundles of word routers, and an MLflow registry that holds them."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from core.settings import RunSettings
from models.bundle import save_bundle
from models.bundle_facts import BundleFacts, Papers
from models.mlflow_store import open_client
from models.registry import aliases_of, move_alias, register_bundle
from models.vocabulary import Vocabulary
from models.words import WordsRouter


def word_bundle(folder: Path, *, threshold: float = 0.5, pair: tuple[str, str] = ("small", "large")) -> Path:
    """A bundle that knows one word, `ratio`, and is told from others by its threshold."""
    facts = BundleFacts(
        name="coding",
        family="words",
        weak=pair[0],
        strong=pair[1],
        encoder=None,
        encoder_sha256=None,
        thresholds={"default": threshold},
        settings_fingerprint="s" * 64,
        data_fingerprint="d" * 64,
        created_at=datetime(2026, 11, 24, tzinfo=UTC),
    )
    router = WordsRouter(Vocabulary(("ratio",), np.ones(1, np.float32)), np.array([0.5], np.float32), 0.25)
    save_bundle(folder, facts, router=router, papers=Papers(settings={"name": "coding"}))
    return folder


def settings_of(folder: Path, **changes: object) -> RunSettings:
    values = {
        "name": "coding",
        "folder": folder / "runs",
        "store_url": f"sqlite:///{folder / 'store.db'}",
        "pair": {
            "weak": {"name": "small", "base_url": "http://127.0.0.1:9/v1"},
            "strong": {"name": "large", "base_url": "http://127.0.0.1:9/v1"},
        },
        "data": {"files": ["outcomes.jsonl"], "target_domains": ["coding"]},
        "mlflow": {"tracking_uri": f"sqlite:///{folder / 'mlflow.db'}"},
    }
    return RunSettings.model_validate({**values, **changes})


class Shelf:
    """A registry with the model `coding`."""

    def __init__(self, folder: Path, uri: str | None = None) -> None:
        self.folder = folder
        self.settings = settings_of(folder, **({"mlflow": {"tracking_uri": uri}} if uri else {}))
        self.uri = self.settings.mlflow.tracking_uri
        self.client = open_client(self.uri)
        place = {} if uri else {"artifact_location": (folder / "artifacts").as_uri()}
        experiment = self.client.create_experiment("e", **place)
        self.run_id = self.client.create_run(experiment).info.run_id

    def add(self, folder: Path) -> int:
        return register_bundle(folder, name="coding", tracking_uri=self.uri, run_id=self.run_id, tags={})

    def add_words(self, threshold: float, **options: tuple[str, str]) -> int:
        return self.add(word_bundle(self.folder / f"bundle-{threshold}", threshold=threshold, **options))

    def promote(self, version: int | None, alias: str = "champion") -> None:
        at = aliases_of("coding", tracking_uri=self.uri).get(alias)
        move_alias("coding", alias, version, expected=at, tracking_uri=self.uri)
