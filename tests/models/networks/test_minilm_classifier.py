"""A fine-tuned MiniLM served without torch: the same probabilities as torch gives, from the same files."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save

from core.errors import BundleError
from models.families import Reading, router_from
from models.file_tree import put_files
from models.minilm_classifier import MinilmClassifier, reads
from models.networks.building import build_network
from models.networks.spec import describe
from models.text_router import TextRouter
from models.text_training import _beginning, files_of_trained
from models.training.recipe import TrainingRecipe

TEXTS = (
    "Which code fits type 2 diabetes mellitus with diabetic nephropathy?",
    "x",
    "",
    "Gürtelrose, Meningitis und 帯状疱疹 🩺",
    "The claim was denied, and the payer asks for the note. " * 60,
)
READING = Reading("weak", "strong")


def trained(method, *, keep="adapter", seed=0, starts_from=None):
    """Files of a MiniLM whose trained weights are moved at random, as training would."""
    recipe = TrainingRecipe(method=method, lora_rank=4, max_tokens=128, seed=seed)
    spec = describe("bert", "minilm", recipe=recipe)
    description = {"spec": spec.model_dump(mode="json")}
    files = {}
    if starts_from is not None:
        folder, before = starts_from
        spec = spec.model_copy(update={"before_sha256": before})
        description = {"spec": spec.model_dump(mode="json"), "starts_from": str(folder)}
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")}
    network = build_network(description)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in network.module.parameters():
            if weight.requires_grad:
                weight += 0.02 * torch.randn(weight.shape, generator=generator)
    return files_of_trained(network, files, keep=keep)


@pytest.fixture(scope="module")
def adapter_files():
    return trained("rslora")


@pytest.mark.parametrize(
    ("method", "keep"), [("lora", "adapter"), ("rslora", "adapter"), ("dora", "adapter"), ("full", "merged")]
)
def test_probabilities_are_those_of_torch_to_1e_5(method, keep):
    files = trained(method, keep=keep)

    router = router_from("bert", files, READING)

    expected = TextRouter.from_files(files, merge=True).class_probabilities(TEXTS)
    assert isinstance(router, MinilmClassifier)
    assert np.abs(router.class_probabilities(TEXTS) - expected).max() < 1e-5
    assert np.ptp(expected[:, 0]) > 0.01  # the texts are told apart, so agreement means something
    assert router.score_texts(TEXTS).tolist() == router.class_probabilities(TEXTS)[:, 0].tolist()


def test_an_update_before_the_own_one_is_added_too(adapter_files, tmp_path):
    from models.networks.updates import update_sha256

    update = {name.removeprefix("update/"): content for name, content in adapter_files.items() if "update/" in name}
    put_files({f"before/0/{name}": content for name, content in update.items()}, tmp_path)
    files = trained("lora", seed=1, starts_from=(tmp_path, (update_sha256(update),)))

    router = router_from("bert", files, READING)

    assert "before/0/adapter_model.safetensors" in files
    expected = TextRouter.from_files(files, merge=True).class_probabilities(TEXTS)
    assert np.abs(router.class_probabilities(TEXTS) - expected).max() < 1e-5
    altered = {**files, "before/0/adapter_model.safetensors": save({"base_model.model.x": np.ones(1)})}
    with pytest.raises(BundleError, match="missing or altered"):
        router_from("bert", altered, READING)


def test_a_long_text_is_cut_as_torch_cuts_it_and_counted(adapter_files):
    router = router_from("bert", adapter_files, READING)

    router.score_texts(TEXTS)

    assert router.n_truncated == 1


def test_its_files_are_those_that_it_was_read_from(adapter_files):
    router = router_from("bert", adapter_files, READING)

    assert router.to_files() == adapter_files
    assert router.dimension is None and router.family == "bert"


def test_adapting_it_starts_from_what_adapting_it_in_torch_starts_from(adapter_files):
    recipe = TrainingRecipe(max_tokens=128)

    spec, files = _beginning(router_from("bert", adapter_files, READING), recipe)

    assert (spec, files) == _beginning(TextRouter.from_files(adapter_files), recipe)
    assert len(spec.before_sha256) == 1 and "before/0/adapter_config.json" in files


def test_weights_that_overflowed_give_no_score(adapter_files):
    tensors = load(adapter_files["update/adapter_model.safetensors"])
    name = "base_model.model.class_head.bias"
    files = {**adapter_files, "update/adapter_model.safetensors": save({**tensors, name: tensors[name] * np.inf})}

    assert np.isnan(router_from("bert", files, READING).score_texts(["x"])).all()


@pytest.mark.parametrize("lost", ["class_head", "query.lora_B"])
def test_an_update_that_lacks_a_tensor_is_refused(adapter_files, lost):
    tensors = load(adapter_files["update/adapter_model.safetensors"])
    kept = {name: tensor for name, tensor in tensors.items() if lost not in name}

    with pytest.raises(BundleError, match=r"hold no class_head|does not fit"):
        router_from("bert", {**adapter_files, "update/adapter_model.safetensors": save(kept)}, READING)


def test_another_base_than_the_one_trained_over_is_refused(adapter_files):
    record = json.loads(adapter_files["network.json"])
    record["spec"]["base_sha256"] = "0" * 64

    with pytest.raises(BundleError, match="trained over a checkpoint with hash 000000000000"):
        router_from("bert", {**adapter_files, "network.json": json.dumps(record).encode()}, READING)


def test_another_architecture_stays_with_torch(tiny_bert, tiny_deberta):
    for checkpoint in (tiny_bert, tiny_deberta):
        spec = describe("bert", str(checkpoint), recipe=TrainingRecipe(max_tokens=16))
        assert not reads(spec, {})
    spec = describe("bert", "minilm", recipe=TrainingRecipe())
    assert reads(spec, {})
    assert not reads(spec.model_copy(update={"pooling": "own"}), {})
    assert not reads(spec.model_copy(update={"dtype": "bfloat16"}), {})


def test_it_is_served_without_torch(adapter_files, tmp_path):
    put_files(adapter_files, tmp_path)
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from models.families import Reading, router_from\n"
        "from models.file_tree import files_in\n"
        "router = router_from('bert', files_in(Path(sys.argv[1])), Reading('weak', 'strong'))\n"
        "print(len(router.score_texts(['one', 'two'])), sorted({'torch', 'transformers', 'peft'} & set(sys.modules)))"
    )

    found = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (found.returncode, found.stdout.strip()) == (0, "2 []"), found.stderr
