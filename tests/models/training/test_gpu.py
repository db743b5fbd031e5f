"""What only a CUDA device shows: bf16, four-bit bases, several GPUs, FSDP. Skipped, with the reason, without one."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.networks.spec import Lora
from models.networks.updates import put_update
from models.selection import ranking_gain
from models.training.estimate import estimate
from models.training.job import Job, write_job
from models.training.loop import train
from models.training.recipe import TrainingRecipe
from models.training.scoring import class_probabilities
from models.training.worker import run_job

N_GPUS = torch.cuda.device_count()

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(N_GPUS == 0, reason="no CUDA device here")]

several = pytest.mark.skipif(N_GPUS < 2, reason=f"needs two CUDA devices, and {N_GPUS} are here")

WORKER = (str(Path(__file__).with_name("tiny_worker.py")),)

RECIPE = TrainingRecipe(method="full", learning_rate=1e-2, tokens_per_step=512, max_epochs=3)


def test_auto_precision_is_bf16_on_a_gpu_and_a_planted_rule_is_learnt(tiny, tmp_path):
    network, dev = tiny.tiny_llama(), tiny.examples(100, seed=1)

    result = train(network, tiny.examples(300), dev, RECIPE, folder=tmp_path)

    assert (result.facts.device, result.facts.precision) == ("cuda", "bf16")
    assert {value.dtype for value in result.weights.values()} == {np.dtype(np.float32)}
    score = ranking_gain(class_probabilities(network, dev.input_ids)[:, 0], dev.gap)
    assert score > 0.95 * ranking_gain(dev.gap, dev.gap)


def test_a_gpu_in_fp32_takes_the_steps_that_the_cpu_takes(tiny, tmp_path, monkeypatch):
    recipe = replace(RECIPE, precision="fp32", max_epochs=1)
    on_gpu = train(tiny.tiny_llama(), tiny.examples(60), tiny.examples(20, seed=1), recipe, folder=tmp_path / "gpu")
    write_job(Job({"family": "llama"}, tiny.examples(60), tiny.examples(20, seed=1), recipe), tmp_path / "cpu")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")

    on_cpu = run_job(tmp_path / "cpu", processes=2, program=WORKER)

    assert on_cpu.facts.device == "cpu"
    assert [r.loss for r in on_gpu.history] == pytest.approx([r.loss for r in on_cpu.history], rel=1e-3)


def test_the_estimate_of_memory_is_near_what_the_device_used(tiny, tmp_path):
    rows = tiny.examples(300)
    found = estimate(tiny.tiny_llama(), rows, rows, RECIPE)
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()

    train(tiny.tiny_llama(), rows, tiny.examples(20, seed=1), RECIPE, folder=tmp_path)

    used = torch.cuda.max_memory_allocated() - before
    assert 0.3 < found.peak_memory_bytes / used < 3


@pytest.mark.skipif(importlib.util.find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed")
def test_an_update_over_a_four_bit_base_learns(tiny, tmp_path):
    from transformers import BitsAndBytesConfig, LlamaForSequenceClassification

    tiny.tiny_llama().module.save_pretrained(tmp_path / "base")
    four_bits = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=torch.bfloat16,
        llm_int8_skip_modules=["score"],
    )
    recipe = replace(RECIPE, method="qlora", lora_rank=4)
    module = LlamaForSequenceClassification.from_pretrained(
        tmp_path / "base", quantization_config=four_bits, dtype=torch.float32
    )
    network = tiny.TinyNetwork(put_update(module, Lora.of(recipe), head=("score",), seed=0), "left")
    base = {n: w.detach().clone() for n, w in network.module.named_parameters() if not w.requires_grad}

    result = train(network, tiny.examples(150), tiny.examples(30, seed=1), recipe, folder=tmp_path / "run")

    after = dict(network.module.named_parameters())
    assert any(weight.dtype == torch.uint8 for weight in base.values())
    assert all(torch.equal(weight, after[name]) for name, weight in base.items())
    assert result.history[-1].loss < 0.9 * result.history[0].loss


@several
@pytest.mark.parametrize("plan", ["copies", "fsdp"])
def test_two_gpus_give_what_one_gives(tiny, tmp_path, monkeypatch, plan):
    recipe = replace(RECIPE, precision="fp32", max_epochs=1, tokens_at_once=256)
    job = Job({"family": "llama"}, tiny.examples(60), tiny.examples(20, seed=1), recipe)
    for name in ("one", "two"):
        write_job(job, tmp_path / name)
    one = run_job(tmp_path / "one", build=tiny.build_tiny)
    if plan == "fsdp":
        monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
        monkeypatch.setenv("FSDP_VERSION", "2")

    two = run_job(tmp_path / "two", processes=2, program=WORKER)

    assert two.facts.n_processes == 2
    assert [r.loss for r in two.history] == pytest.approx([r.loss for r in one.history], rel=1e-3)
    for name, weight in one.weights.items():
        assert two.weights[name] == pytest.approx(weight, abs=1e-3), name
