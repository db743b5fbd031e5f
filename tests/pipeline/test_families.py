"""Every family of routers takes the same road: run, register, evaluate and score from the registry."""

import json
from pathlib import Path

import pytest
import yaml
from safetensors.numpy import load_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from core.calibrator import Calibrator
from tests.pipeline.conftest import command, world_rows

pytestmark = pytest.mark.slow

SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
BRIEF = {"max_epochs": 1, "tokens_per_step": 256, "max_tokens": 32}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """Folders of a random two-layer BERT and a random two-layer Llama that know the world's words."""
    folder = tmp_path_factory.mktemp("checkpoints")
    words = sorted({word for row in world_rows() for word in row["query"].lower().replace(",", " ").split()})
    known = dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", ",", *"ABCDEFGHIJabcdefghij0123456789", *words])
    vocabulary = {token: i for i, token in enumerate(known)}
    for name in ("bert", "causal_lm"):
        inner = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
        inner.normalizer = normalizers.Lowercase()
        inner.pre_tokenizer = pre_tokenizers.Whitespace()
        inner.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
        if name == "bert":
            inner.post_processor = processors.TemplateProcessing(
                single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
            )
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]")
        tokenizer.save_pretrained(folder / name)
    BertModel(BertConfig(vocab_size=len(vocabulary), **SMALL)).save_pretrained(folder / "bert")
    LlamaForCausalLM(LlamaConfig(vocab_size=len(vocabulary), **SMALL)).save_pretrained(folder / "causal_lm")
    return folder


def run_of(world, family, **sections):
    """The world's YAML with another router, under a name of its own."""
    settings = yaml.safe_load((world / "run.yaml").read_text())
    settings |= {"name": f"w-{family.replace('_', '-')}", "router": {"family": family}, **sections}
    path = world / f"{family}.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path, settings["name"]


def measured(world, family, **sections):
    """Figures of the family's challenger on the specialty's rows, read back from the registry."""
    path, name = run_of(world, family, **sections)
    ran = json.loads(command("run", path, "--json").stdout)
    evaluated = command(
        "evaluate", "--bundle", f"models:/{name}@challenger", "--data", world / "outcomes.jsonl",
        "--domain", "coding", "--resamples", 300, "--config", path, "--json",
    )  # fmt: skip
    return ran, json.loads(evaluated.stdout)


@pytest.mark.parametrize("family", ["similarity", "mf_similarity"])
def test_neighbours_that_were_labelled_decide_what_words_mean(world, family):
    ran, figures = measured(world, family)

    assert ran["evaluation"]["better_than"]["base"]["low"] > 0
    assert figures["apgr"]["low"] > 0.5


def test_each_version_bears_the_family_of_its_own_router(world):
    from mlflow import MlflowClient

    path, name = run_of(world, "mf_similarity")
    registered = json.loads(command("run", path, "--json").stdout)["registered"]
    client = MlflowClient(f"sqlite:///{world / 'mlflow.db'}")
    family_of = {
        role: client.get_model_version(name, registered[role]).tags["preceptor.family"] for role in ("base", "adapted")
    }

    assert family_of == {"base": "mf", "adapted": "mf_similarity"}


@pytest.mark.parametrize("family", ["words", "combined"])
def test_a_router_of_words_is_registered_and_scores_as_it_did(world, family):
    ran, figures = measured(world, family)

    assert (
        ran["evaluation"]["routers"]["adapted"]["apgr"]["low"] < ran["evaluation"]["routers"]["adapted"]["apgr"]["high"]
    )
    assert figures["n"] == 140


def test_a_stack_says_of_each_member_whether_it_beats_it(world):
    path, _ = run_of(world, "stacked")
    settings = yaml.safe_load(path.read_text())
    settings["router"]["members"] = ["mf_similarity", "words", "mf"]  # the first has a base of another family
    path.write_text(yaml.safe_dump(settings))
    said = command("run", path)
    evaluation = json.loads(command("run", path, "--json").stdout)["evaluation"]

    alone = {f"{member} alone" for member in ("mf_similarity", "words", "mf")}
    assert alone < set(evaluation["better_than"])
    not_beaten = [member for member in sorted(alone) if evaluation["better_than"][member]["low"] <= 0]
    assert ("The stack does not beat" in said.stdout) == bool(not_beaten)
    assert all(member.removesuffix(" alone") in said.stdout for member in not_beaten)


@pytest.mark.parametrize("family", ["bert", "causal_lm"])
def test_a_network_of_any_checkpoint_runs_registers_and_scores_as_it_did(world, checkpoints, family, tmp_path):
    ran, figures = measured(world, family, network={"base": str(checkpoints / family)}, training=BRIEF)
    questions = [row["query"] for row in world_rows()[140:144]]
    (tmp_path / "queries.jsonl").write_text("".join(json.dumps({"query": text}) + "\n" for text in questions))
    command(
        "score", "--bundle", f"models:/w-{family.replace('_', '-')}@challenger", "--input", tmp_path / "queries.jsonl",
        "--output", tmp_path / "scores.txt", "--config", world / f"{family}.yaml",
    )  # fmt: skip

    assert ran["ran"][-2:] == ["register", "promote"]
    assert figures["n"] == 140
    assert all(0 <= float(line) <= 1 for line in (tmp_path / "scores.txt").read_text().splitlines())


def test_two_networks_in_one_stack_are_trained_apart(world, checkpoints):
    path, name = run_of(world, "stacked", network={"base": str(checkpoints / "causal_lm")}, training=BRIEF)
    settings = yaml.safe_load(path.read_text())
    settings["router"]["members"] = ["bert", "causal_lm"]  # a llama is read as an encoder, too
    path.write_text(yaml.safe_dump(settings))
    ran = json.loads(command("run", path, "--json").stdout)

    assert {"bert alone", "causal_lm alone"} < set(ran["evaluation"]["better_than"])
    for member in ("members/0/bert", "members/1/causal_lm"):
        assert (world / "runs" / name / "train" / "adapted" / member / "network.json").is_file()


def test_a_learning_curve_of_a_network_trains_anew_on_each_draw_and_leaves_no_training_behind(world, checkpoints):
    path, name = run_of(world, "bert", network={"base": str(checkpoints / "bert")}, training=BRIEF)
    curve = json.loads(command("learn-curve", path, "--size", 25, "--size", 60, "--json").stdout)

    assert curve["sizes"] == [25, 60]
    assert not (world / "runs" / name / "learn-curve" / "scratch").exists()


@pytest.mark.parametrize("family", ["bert", "causal_lm"])
def test_a_dry_run_counts_rows_parameters_and_steps_and_trains_nothing(world, checkpoints, family):
    path, _ = run_of(world, family, network={"base": str(checkpoints / family)}, training=BRIEF, folder="nowhere")
    said = json.loads(command("run", path, "--dry-run", "--json").stdout)
    adapted = said["trainings"][f"{family}, adapted"]

    assert sum(said["rows_by_part"].values()) == sum(said["rows_by_domain"].values()) == 280
    assert adapted["n_rows"] + adapted["n_dev_rows"] == said["rows_by_part"]["train"] == said["effective_labels"]
    assert 0 < adapted["n_trained"] < adapted["n_parameters"]
    assert adapted["n_steps"] >= 1
    assert adapted["peak_memory_bytes"] > 4 * adapted["n_parameters"]
    assert not Path("nowhere").exists()


def test_a_run_tells_how_many_texts_were_longer_than_its_network_reads(world, checkpoints):
    rows = world_rows()
    for row in rows[:3]:
        row["query"] += " visit" * 40
    (world / "long.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = {"files": [str(world / "long.jsonl")], "target_domains": ["coding"]}
    path, _ = run_of(world, "bert", data=data, network={"base": str(checkpoints / "bert")}, training=BRIEF)

    assert "3 of 280 texts are longer than the router reads and were cut." in command("run", path).stdout


@pytest.fixture
def encoder_run(world, checkpoints):
    """A YAML with a tiny random encoder, and the specialty's questions asked twice: enough labels to train it."""
    twice = [
        row | {"id": f"{row['id']}-{again}", "query": f"{row['query']} {again}"}
        for row in world_rows()
        for again in (("now", "again") if row["domain"] == "coding" else ("now",))
    ]
    (world / "twice.jsonl").write_text("".join(json.dumps(row) + "\n" for row in twice))
    data = {"files": [str(world / "twice.jsonl")], "target_domains": ["coding"]}
    encoder = {"name": str(checkpoints / "bert"), "runtime": "torch", "max_tokens": 32}
    return run_of(world, "mf_encoder", encoder=encoder, data=data)[0], [row["query"] for row in twice]


def test_an_adapted_encoder_runs_registers_and_scores_alike_from_the_registry(world, encoder_run, tmp_path):
    path, queries = encoder_run
    ran = json.loads(command("run", path, "--json").stdout)
    (tmp_path / "queries.jsonl").write_text("".join(json.dumps({"query": text}) + "\n" for text in queries))
    command(
        "score", "--bundle", "models:/w-mf-encoder@challenger", "--input", tmp_path / "queries.jsonl",
        "--output", tmp_path / "scores.txt", "--config", path,
    )  # fmt: skip
    registered = [float(line) for line in (tmp_path / "scores.txt").read_text().splitlines()]
    folder = world / "runs" / "w-mf-encoder"
    record = json.loads((folder / "train" / "adapted" / "encoder.json").read_text())
    calibrator = Calibrator.model_validate(
        json.loads((folder / "calibrate" / "calibration.json").read_text())["adapted"]["calibrator"]
    )
    trained = load_file(folder / "train" / "scores.safetensors")["adapted"]

    assert ran["ran"][-2:] == ["register", "promote"]
    assert record["n_labels"] >= 100
    assert len(record["held_out_gains"]) >= 2  # the encoder was trained, whether or not that was kept
    assert registered == pytest.approx(calibrator.apply(trained).tolist(), abs=2e-6)


def test_a_dry_run_counts_what_adapting_the_encoder_takes(encoder_run):
    path, _ = encoder_run
    said = json.loads(command("run", path, "--dry-run", "--json").stdout)
    adapted = said["trainings"]["mf_encoder, adapted"]

    assert adapted["n_rows"] + adapted["n_dev_rows"] == said["rows_by_part"]["train"]
    assert adapted["n_trained"] == 2 * 2 * 2 * 8 * 32 + 33  # query and value of two layers, rank 8; the pair's vector
    assert "mf_encoder, base" in said["trainings"]


def test_a_learning_curve_of_an_adapted_encoder_starts_with_the_vector_alone(encoder_run):
    path, _ = encoder_run
    curve = json.loads(command("learn-curve", path, "--size", 30, "--size", 100, "--json").stdout)

    assert curve["sizes"] == [30, 100]
    assert all(0 <= value["estimate"] <= 1 for value in curve["apgr"])


def test_training_curves_are_on_the_mlflow_run(world, checkpoints):
    from mlflow import MlflowClient

    path, _ = run_of(world, "bert", network={"base": str(checkpoints / "bert")}, training=BRIEF)
    run_id = json.loads(command("run", path, "--json").stdout)["registered"]["run_id"]
    client = MlflowClient(f"sqlite:///{world / 'mlflow.db'}")
    losses = client.get_metric_history(run_id, "train/adapted/loss")

    assert [point.step for point in losses] == list(range(1, len(losses) + 1))
    assert len(client.get_metric_history(run_id, "train/adapted/dev_loss")) == 1


def test_a_base_that_nobody_can_adapt_names_the_settings_that_help(world):
    path, _ = run_of(world, "similarity", data={
        "files": [str(world / "outcomes.jsonl")], "target_domains": ["coding"], "base_weak": "nobody",
    })  # fmt: skip
    said = command("run", path, check=False)

    assert said.returncode == 1
    assert "knows both 'nobody' and 'dear': nothing to adapt. Set data.base_weak and data.base_strong" in said.stderr


@pytest.mark.parametrize("words", [(), ("--dry-run",)])
def test_a_run_without_other_domains_is_refused_and_so_is_its_dry_run(world, words):
    data = {"files": [str(world / "outcomes.jsonl")], "target_domains": ["coding", "general"]}
    path, _ = run_of(world, "words", data=data)
    said = command("run", path, *words, check=False)

    assert said.returncode == 1
    assert "The split leaves no row for 'base'" in said.stderr


def test_a_dry_run_of_a_stack_says_how_often_each_member_is_trained(world):
    path, _ = run_of(world, "stacked")
    said = command("run", path, "--dry-run").stdout

    assert said.count("trained       5 times: without each of 4 folds, and on all rows") == 4
