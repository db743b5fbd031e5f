"""Versions that earlier releases froze, kept as they were: today's release reads them and writes the same bytes."""

from pathlib import Path

import pytest

from core.fingerprint import of_file
from core.outcomes import read_outcomes
from labeling.frozen.dataset_files import MANIFEST, read_dataset, render
from labeling.frozen.exports import export

KEPT = {form: Path(__file__).parent / f"frozen_in_form_{form}" for form in (1, 2)}


@pytest.mark.parametrize("form", [1, 2])
def test_a_version_of_an_older_release_is_written_again_byte_for_byte(form):
    folder = KEPT[form]
    dataset = read_dataset(folder, manifest_sha256=of_file(folder / MANIFEST))

    assert dataset.format == form
    assert render(dataset, form=form) == {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


@pytest.mark.parametrize("form", [1, 2])
def test_a_version_of_an_older_release_is_exported_and_learned_from(form):
    dataset = read_dataset(KEPT[form], manifest_sha256=of_file(KEPT[form] / MANIFEST))

    assert dataset.data_class == "deidentified"
    assert len(export(dataset, "outcomes").rows) == len(read_outcomes([KEPT[form] / "outcomes.jsonl"])) == 3
    assert len(export(dataset, "lmarena").rows) == 5
