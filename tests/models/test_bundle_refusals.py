"""A bundle that was altered, or that cannot decide, is refused by name; nothing of it is used."""

import json
import shutil
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from core.calibrator import Calibrator
from core.errors import BundleError
from models.bundle import load_bundle, save_bundle
from models.encoders import EncoderSpec
from tests.models.mf_bundle import (
    WithOther,
    adapter_of,
    facts_of,
    mf,
    remanifest,
    router_of,
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_single_changed_byte_is_refused(folder, data):
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    path = folder / data.draw(st.sampled_from(names))
    whole = path.read_bytes()
    altered = bytearray(whole)
    altered[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(altered)

    try:
        with pytest.raises(BundleError, match="altered"):
            load_bundle(folder)
    finally:
        path.write_bytes(whole)
    load_bundle(folder)


def test_every_byte_of_the_manifest_counts(folder):
    path = folder / "MANIFEST.json"
    whole = path.read_bytes()

    for i in range(len(whole)):
        path.write_bytes(whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1 :])
        with pytest.raises(BundleError, match="altered"):
            load_bundle(folder)


def test_a_folder_without_a_manifest_is_no_bundle(folder):
    (folder / "MANIFEST.json").unlink()

    with pytest.raises(BundleError, match=r"holds no MANIFEST\.json, so it is no bundle"):
        load_bundle(folder)


@pytest.mark.parametrize(
    "name", ["bundle.json", "router/weights.safetensors", "router/adapter/adapter_config.json", "card.md"]
)
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()

    with pytest.raises(BundleError, match=f"lacks {name}"):
        load_bundle(folder)


def test_an_extra_file_is_named(folder):
    (folder / "notes.json").write_text("{}")

    with pytest.raises(BundleError, match=r"does not list: notes\.json"):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["router.pkl", "router.pt", "pytorch_model.bin", "router/hook.py", "weights.npy"])
def test_what_may_hold_code_is_refused_even_when_the_manifest_lists_it(folder, name):
    (folder / name).write_bytes(b"code")
    remanifest(folder, files=json.loads((folder / "MANIFEST.json").read_text())["files"] | {name: {}})

    with pytest.raises(BundleError, match=f"holds {name}; a bundle holds data alone"):
        load_bundle(folder)


def test_a_link_is_refused(folder):
    shutil.move(folder / "card.md", folder.parent / "card.md")
    (folder / "card.md").symlink_to(folder.parent / "card.md")

    with pytest.raises(BundleError, match="no links"):
        load_bundle(folder)


def test_what_mlflow_writes_beside_a_bundle_is_no_matter(folder):
    for name in ("MLmodel", "registered_model_meta"):
        (folder / name).write_text("written by MLflow")

    assert load_bundle(folder).weak == "cheap"


def test_a_newer_format_names_the_release_that_reads_it(folder):
    remanifest(folder, format_version=2, readable_since="0.7.0")

    with pytest.raises(BundleError, match=r"of format 2; .*pip install 'preceptor>=0\.7\.0'"):
        load_bundle(folder)


def test_a_bundle_for_a_pair_its_router_does_not_know_is_refused_when_saved_and_when_loaded(folder, tmp_path):
    with pytest.raises(BundleError, match="does not know a model named 'unheard-of'"):
        save_bundle(tmp_path / "new", facts_of(strong="unheard-of"), router=mf())
    about = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps({**about, "strong": "unheard-of"}))
    remanifest(folder)

    with pytest.raises(BundleError, match="does not know a model named 'unheard-of'"):
        load_bundle(folder)


def test_a_whole_bundle_with_foreign_facts_is_refused(folder):
    (folder / "bundle.json").write_text("{}")
    remanifest(folder)

    with pytest.raises(BundleError, match="does not read as format 1"):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("encoder", "says"),
    [
        (WithOther(sha256="f" * 64), "was trained with encoder eeeeeeeeeeee; 'minilm' here is ffffffffffff"),
        (WithOther(dimension=7), "needs an encoder of"),
        (WithOther(spec=EncoderSpec(max_tokens=8)), "needs an encoder of"),
    ],
)
def test_another_encoder_is_refused(folder, encoder, says):
    with pytest.raises(BundleError, match=says):
        load_bundle(folder, encoder=encoder)


def test_the_encoder_is_checked_when_it_is_loaded_late(folder):
    bundle = load_bundle(folder)

    with pytest.raises(BundleError, match="was trained with encoder eeeeeeeeeeee"):
        bundle.probabilities(["x"])


def test_an_adapter_of_another_base_is_refused(tmp_path):
    with pytest.raises(BundleError, match="belongs to base"):
        save_bundle(tmp_path / "b", facts_of(), router=mf(router_of(0), adapter_of(router_of(1))))

    assert list(tmp_path.iterdir()) == []


def test_a_bundle_is_never_overwritten(folder):
    before = (folder / "MANIFEST.json").read_bytes()

    with pytest.raises(BundleError, match="never overwritten"):
        save_bundle(folder, facts_of(), router=mf(router_of(5)))

    assert (folder / "MANIFEST.json").read_bytes() == before


def test_a_save_that_dies_leaves_no_bundle(tmp_path, monkeypatch):
    def full_disk(fd):
        raise OSError("No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)

    with pytest.raises(OSError, match="No space"):
        save_bundle(tmp_path / "bundle", facts_of(), router=mf())
    assert list(tmp_path.iterdir()) == []


def test_a_router_that_reads_vectors_needs_an_encoder(tmp_path):
    with pytest.raises(BundleError, match="reads vectors and the bundle names no encoder"):
        save_bundle(tmp_path / "b", facts_of(encoder=None, encoder_sha256=None), router=mf())


def test_an_unknown_family_names_the_known_ones(tmp_path):
    with pytest.raises(BundleError, match=r"no family of routers named 'oracle' in this release; it knows .*mf"):
        save_bundle(tmp_path / "b", facts_of(family="oracle"), router=mf())


def test_certified_without_a_certificate_is_refused(tmp_path):
    with pytest.raises(BundleError, match="holds no certificate"):
        save_bundle(tmp_path / "b", facts_of(status="certified"), router=mf())


@pytest.mark.parametrize(
    "changes",
    [
        {"thresholds": {"oncology": 0.2}},
        {"thresholds": {"default": float("nan")}},
        {"thresholds": {"default": 1.5}},
        {"calibrator": Calibrator(method="platt", intercept=float("inf"))},
        {"created_at": datetime(2026, 11, 24)},
    ],
)
def test_facts_that_cannot_decide_are_refused(changes):
    with pytest.raises(ValidationError):
        facts_of(**changes)
