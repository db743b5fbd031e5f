"""The BERT classifier: mean pooling over real tokens, any family of encoders, new layers that are trained whole."""

import json

import numpy as np
import pytest
import torch

from core.errors import BundleError, SettingsError
from models.networks.building import build_network
from models.networks.loading import checkpoint_folder
from models.networks.reading import TextReader, plain_tokenizer
from models.networks.spec import describe
from models.training.recipe import TrainingRecipe
from models.training.scoring import class_probabilities

LORA = TrainingRecipe(method="rslora", lora_rank=4, lora_alpha=8, max_tokens=32)
TEXTS = ["rash", "which code fits the claim", "pain ? fever . rash of the left"]


def network_of(base, **how):
    recipe = how.pop("recipe", LORA)
    spec = describe("bert", str(base), recipe=recipe, **how)
    network = build_network({"spec": json.loads(spec.model_dump_json())})
    network.module.eval()
    return network


def ids_of(network, folder):
    return TextReader(plain_tokenizer((folder / "tokenizer.json").read_text()), network.spec.frame).ids(TEXTS)


@pytest.mark.parametrize("pooling", ["mean", "own"])
@pytest.mark.parametrize("checkpoint", ["tiny_bert", "tiny_deberta"])
def test_a_batch_scores_as_its_rows_do_one_by_one(checkpoint, pooling, request):
    folder = request.getfixturevalue(checkpoint)
    network = network_of(folder, pooling=pooling)
    rows = ids_of(network, folder)

    together = class_probabilities(network, rows)
    alone = np.concatenate([class_probabilities(network, [row]) for row in rows])

    assert np.allclose(together, alone, rtol=0, atol=1e-6)
    assert np.ptp(together, axis=0).max() > 1e-5  # the texts are told apart


@torch.no_grad()
def test_mean_pooling_gives_the_direction_that_the_sentence_encoder_gives():
    from models.encoders import EncoderSpec, load_encoder

    folder = checkpoint_folder("minilm")
    network = network_of("minilm")
    seen = []
    pooled = network.module.core.base_model.model
    pooled.norm.register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))

    class_probabilities(network, ids_of(network, folder)[:1])

    mean = torch.nn.functional.normalize(seen[0], dim=1).numpy()
    expected = load_encoder(EncoderSpec(name="minilm", runtime="torch", max_tokens=32)).encode(TEXTS[:1])
    assert np.allclose(mean, expected, rtol=0, atol=1e-5)


def trained_names(network):
    return sorted(name for name, weight in network.module.named_parameters() if weight.requires_grad)


def test_under_an_update_the_new_head_is_trained_whole_and_the_base_is_frozen(tiny_bert):
    network = network_of(tiny_bert)

    whole = [name for name in trained_names(network) if ".lora_" not in name]
    assert whole == [
        "core.base_model.model.class_head.modules_to_save.default.bias",
        "core.base_model.model.class_head.modules_to_save.default.weight",
    ]
    updated = {name.split(".lora_")[0].rpartition("layer.")[2] for name in trained_names(network) if ".lora_" in name}
    assert updated == {
        f"{layer}.{part}"
        for layer in (0, 1)
        for part in (
            "attention.self.query",
            "attention.self.key",
            "attention.self.value",
            "attention.output.dense",
            "intermediate.dense",
            "output.dense",
        )
    }


def test_layers_that_the_checkpoint_lacks_are_trained_whole(tiny_bert, tiny_deberta):
    bert, deberta = network_of(tiny_bert, pooling="own"), network_of(tiny_deberta, pooling="own")

    assert bert.head == ("classifier", "bert.pooler.dense")
    assert deberta.head == ("pooler", "classifier")
    for network in (bert, deberta):
        whole = {name.split(".modules_to_save")[0] for name in trained_names(network) if ".lora_" not in name}
        assert {name.removeprefix("core.base_model.model.").split(".dense")[0] for name in whole} == {
            name.split(".dense")[0] for name in network.head
        }


def test_full_fine_tuning_trains_every_weight(tiny_bert):
    network = network_of(tiny_bert, recipe=TrainingRecipe(method="full", max_tokens=32))

    assert all(weight.requires_grad for weight in network.module.parameters())


def test_a_target_module_that_matches_nothing_is_refused_with_the_names_that_match(tiny_bert):
    recipe = TrainingRecipe(target_modules=("query", "q_proj"), max_tokens=32)

    with pytest.raises(SettingsError, match=r"names q_proj, .*layers are dense, key, query, value"):
        network_of(tiny_bert, recipe=recipe)


def test_named_target_modules_alone_get_an_update(tiny_bert):
    network = network_of(tiny_bert, recipe=TrainingRecipe(target_modules=("attention.self.query",), max_tokens=32))

    updated = {name.split(".lora_")[0] for name in trained_names(network) if ".lora_" in name}
    assert {name.rpartition(".")[2] for name in updated} == {"query"}
    assert len(updated) == 2


@pytest.mark.parametrize(("method", "mark"), [("rslora", "use_rslora"), ("dora", "use_dora"), ("lora", None)])
def test_the_method_is_what_peft_is_told(tiny_bert, method, mark):
    config = network_of(tiny_bert, recipe=TrainingRecipe(method=method, max_tokens=32)).module.core.peft_config[
        "default"
    ]

    assert {name for name in ("use_rslora", "use_dora") if getattr(config, name)} == ({mark} if mark else set())


def test_two_processes_that_build_one_record_get_the_same_weights(tiny_bert):
    first, second = network_of(tiny_bert), network_of(tiny_bert)
    other = network_of(tiny_bert, recipe=TrainingRecipe(lora_rank=4, lora_alpha=8, max_tokens=32, seed=1))

    def same(network):
        ours, theirs = (dict(n.module.named_parameters()) for n in (first, network))
        return all(torch.equal(ours[name], theirs[name]) for name in ours)

    assert same(second)
    assert not same(other)


def test_a_base_that_changed_since_it_was_described_is_refused(tiny_bert, tmp_path):
    for path in tiny_bert.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    record = {"spec": describe("bert", str(tmp_path), recipe=LORA).model_dump(mode="json")}
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "layer_norm_eps": 0.1}))

    with pytest.raises(BundleError, match="trained over a checkpoint with hash"):
        build_network(record)


def test_the_release_that_wrote_a_config_is_no_part_of_its_hash(tiny_bert, tmp_path):
    for path in tiny_bert.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "transformers_version": "9.9"}))

    assert describe("bert", str(tmp_path), recipe=LORA).base_sha256 == (
        describe("bert", str(tiny_bert), recipe=LORA).base_sha256
    )


def test_a_record_that_does_not_read_is_refused():
    with pytest.raises(BundleError, match="record does not read"):
        build_network({"spec": {"family": "bert"}})


def test_qlora_without_cuda_is_one_clear_error(tiny_bert):
    from core.errors import MissingExtra

    if torch.cuda.is_available():
        pytest.skip("a CUDA device is here")
    with pytest.raises(MissingExtra, match="'qlora' needs bitsandbytes and a CUDA device"):
        network_of(tiny_bert, recipe=TrainingRecipe(method="qlora", max_tokens=32))
