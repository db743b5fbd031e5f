"""Guards of the layout: what must never appear in this repository."""

import ast
import subprocess
import sys
from collections import Counter
from importlib.metadata import distributions
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ROOMS = ("core", "web", "assurance", "verifiers", "models", "labeling", "pipeline", "gateway")


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / line for line in listed.stdout.splitlines()]


def modules() -> list[Path]:
    return [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


def test_no_python_under_mlflow_since_it_would_shadow_the_library():
    assert list((ROOT / "mlflow").rglob("*.py")) == []


def test_no_init_under_tests_since_it_would_shadow_the_rooms():
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_no_other_distribution_owns_a_room_s_name():
    owners = Counter()
    for distribution in distributions():
        if distribution.metadata["Name"] == "preceptor":
            continue
        tops = {str(file).split("/")[0].removesuffix(".py") for file in distribution.files or ()}
        owners.update(tops & set(ROOMS))

    assert owners == {}


def test_no_module_is_named_like_a_library():
    libraries = {"datasets", "transformers", "torch", "peft", "mlflow", "numpy", "scipy", "tokenizers", "yaml", "click"}
    taken = libraries | (set(sys.stdlib_module_names) - {"calendar"})

    assert [path.relative_to(ROOT) for path in modules() if path.stem in taken and path.stem != "__init__"] == []


def test_no_file_of_a_room_is_longer_than_350_lines():
    assert [(path.name, n) for path in modules() if (n := len(path.read_text().splitlines())) > 350] == []


def test_room_inits_import_nothing():
    for room in set(ROOMS) - {"gateway"}:
        tree = ast.parse((ROOT / room / "__init__.py").read_text())
        assert [type(node).__name__ for node in tree.body] == ["Expr"], room


def test_the_gateways_init_offers_the_controller_and_imports_nothing_before_it_is_used():
    tree = ast.parse((ROOT / "gateway/__init__.py").read_text())
    imports = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]

    assert [ast.unparse(node) for node in imports] == ["from typing import TYPE_CHECKING, Any"]


def test_only_the_registry_and_tracking_speak_to_mlflow():
    allowed = {"models/registry.py", "models/versions.py", "models/mlflow_store.py"}
    allowed |= {"pipeline/tracking.py", "pipeline/tracked_feedback.py"}
    speaking = {
        path.relative_to(ROOT).as_posix()
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Import) and any(name.name.split(".")[0] == "mlflow" for name in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "mlflow")
    }

    assert speaking <= allowed


def test_no_tracked_file_is_larger_than_a_mebibyte():
    assert [path.name for path in tracked() if path.is_file() and path.stat().st_size > 1 << 20] == []


@pytest.mark.parametrize("path", tracked("*.yaml", "*.yml", "mlflow/MLproject"), ids=lambda path: path.name)
def test_every_yaml_parses(path):
    documents = list(yaml.safe_load_all(path.read_text()))

    assert documents and None not in documents
