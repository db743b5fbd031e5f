"""The causal network reads three logits at one place: the same as all logits, whatever the batch and the padding."""

import json

import numpy as np
import pytest
import torch
from transformers import Gemma2Config, Gemma2ForCausalLM, GPT2Config, GPT2LMHeadModel, LlamaForCausalLM

from core.errors import BundleError
from models.networks.after_prompt import AfterPrompt
from models.networks.building import build_network
from models.networks.loading import checkpoint_folder
from models.networks.reading import TextReader, plain_tokenizer
from models.networks.spec import describe
from models.training.recipe import TrainingRecipe
from models.training.scoring import class_probabilities

TEXTS = ["pain", "which code fits the claim of a left rash", "A?", "x" * 60]
FULL = TrainingRecipe(method="full", max_tokens=40)


def network_of(folder, **how):
    spec = describe("causal_lm", str(folder), recipe=FULL, instruction="Answer A, B or C.", **how)
    network = build_network({"spec": json.loads(spec.model_dump_json())})
    network.module.eval()
    return network


def ids_of(network, folder):
    return TextReader(plain_tokenizer((folder / "tokenizer.json").read_text()), network.spec.frame).ids(TEXTS)


def batch_of(network, rows, *, more_padding=0):
    width = max(len(row) for row in rows) + more_padding
    ids = torch.full((len(rows), width), network.pad_id)
    mask = torch.zeros((len(rows), width), dtype=torch.int64)
    for i, row in enumerate(rows):
        ids[i, width - len(row) :] = torch.from_numpy(row)
        mask[i, width - len(row) :] = 1
    return ids, mask


@pytest.mark.parametrize("checkpoint", ["tiny_llama", "tied_llama"])
@torch.no_grad()
def test_logits_of_the_label_rows_are_those_of_the_whole_vocabulary(checkpoint, request):
    folder = request.getfixturevalue(checkpoint)
    network = network_of(folder)
    batch = batch_of(network, ids_of(network, folder))

    rows, full = network.logits(*batch), network.module.full_logits(*batch)

    assert network.module.is_one_product
    assert rows.shape == (4, 3)
    assert torch.allclose(rows, full, rtol=0, atol=1e-6)
    assert full.std() > 1e-3  # not all alike by chance


@torch.no_grad()
def test_the_last_of_all_logits_without_any_mask_or_trick_is_what_is_read(tiny_llama, make):
    network = network_of(tiny_llama)
    row = ids_of(network, tiny_llama)[0]

    plain = LlamaForCausalLM.from_pretrained(tiny_llama)(torch.from_numpy(row)[None]).logits[0, -1]

    a, b, c = (make.byte_tokenizer().convert_tokens_to_ids(letter) for letter in "ABC")
    assert torch.allclose(network.logits(*batch_of(network, [row]))[0], plain[[a, b, c]], rtol=0, atol=1e-6)


@pytest.mark.parametrize("checkpoint", ["tiny_llama", "learned_positions"])
@torch.no_grad()
def test_more_padding_on_the_left_changes_nothing(checkpoint, request):
    folder = request.getfixturevalue(checkpoint)
    network = network_of(folder)
    rows = ids_of(network, folder)

    tight, loose = (network.logits(*batch_of(network, rows, more_padding=n)) for n in (0, 17))

    assert torch.allclose(tight, loose, rtol=0, atol=1e-6)


def test_a_batch_scores_as_its_rows_do_one_by_one(tiny_llama):
    network = network_of(tiny_llama)
    rows = ids_of(network, tiny_llama)

    together = class_probabilities(network, rows)
    alone = np.concatenate([class_probabilities(network, [row]) for row in rows])

    assert np.allclose(together, alone, rtol=0, atol=1e-6)


@torch.no_grad()
def test_a_model_that_caps_its_logits_is_read_through_its_own_head(tmp_path, make):
    torch.manual_seed(0)
    config = Gemma2Config(
        vocab_size=258,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        final_logit_softcapping=0.05,
        pad_token_id=1,
    )
    folder = make.saved(Gemma2ForCausalLM(config), make.byte_tokenizer(), tmp_path)
    network = network_of(folder)

    logits = network.logits(*batch_of(network, ids_of(network, folder)))

    assert not network.module.is_one_product
    assert logits.abs().max() <= 0.05


def test_a_tokenizer_without_a_padding_token_pads_with_the_end_token(tiny_llama):
    assert json.loads((tiny_llama / "config.json").read_text())["pad_token_id"] is None
    assert network_of(tiny_llama).pad_id == 1


def test_a_checkpoint_saved_in_bf16_is_loaded_in_float32(tmp_path, make):
    torch.manual_seed(0)
    folder = make.saved(LlamaForCausalLM(make.llama_config()).to(torch.bfloat16), make.byte_tokenizer(), tmp_path)

    network = network_of(folder)

    assert json.loads((folder / "config.json").read_text())["dtype"] == "bfloat16"
    assert {weight.dtype for weight in network.module.parameters()} == {torch.float32}


def test_the_chat_template_frames_the_question_and_a_missing_system_turn_is_no_obstacle(tmp_path, make):
    template = (
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system turn') }}{% endif %}"
        "<s>{{ m.role }}:{{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}<s>model:{% endif %}"
    )
    torch.manual_seed(0)
    folder = make.saved(LlamaForCausalLM(make.llama_config()), make.byte_tokenizer(template), tmp_path)
    frame = describe("causal_lm", str(folder), recipe=FULL, instruction="Pick.").frame
    tokenizer = plain_tokenizer((folder / "tokenizer.json").read_text())

    (row,) = TextReader(tokenizer, frame).ids(["rash?</s>"])

    spelled = "".join(tokenizer.id_to_token(i) for i in row).replace("Ċ", "\n").replace("Ġ", " ")
    assert spelled == "<s>user:Pick.\n\nrash?</s></s><s>model:"
    assert row.tolist().count(1) == 1  # of the two, one is the end of the turn, one the letters of the query


def test_a_length_past_the_last_position_is_refused_with_the_number_that_fits(tiny_llama):
    with pytest.raises(BundleError, match=r"has 1024 positions.*Lower training.max_tokens by \d+"):
        describe("causal_lm", str(tiny_llama), recipe=TrainingRecipe(max_tokens=1024))


def test_a_checkpoint_that_lacks_weights_is_refused(tiny_llama, tmp_path):
    from safetensors.torch import load_file, save_file

    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((tiny_llama / name).read_bytes())
    weights = load_file(tiny_llama / "model.safetensors")
    del weights["lm_head.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(BundleError, match=r"lacks lm_head\.weight, so its predictions would be random"):
        network_of(tmp_path)


def test_a_folder_with_pickled_weights_alone_is_refused(tiny_llama, tmp_path):
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).write_bytes((tiny_llama / name).read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"")

    with pytest.raises(BundleError, match="lacks weights in safetensors"):
        checkpoint_folder(str(tmp_path))


def test_an_id_that_is_not_here_is_refused_offline():
    with pytest.raises(BundleError, match="neither a folder, nor a Hugging Face id"):
        checkpoint_folder("no-such-organisation/no-such-model")


@pytest.fixture(scope="module")
def learned_positions(tmp_path_factory, make):
    torch.manual_seed(4)
    config = GPT2Config(vocab_size=258, n_embd=32, n_layer=2, n_head=4, n_positions=256, bos_token_id=0, eos_token_id=1)
    return make.saved(GPT2LMHeadModel(config), make.byte_tokenizer(), tmp_path_factory.mktemp("gpt2"))


@pytest.mark.parametrize("checkpoint", ["tiny_llama", "tied_llama", "learned_positions"])
def test_going_on_after_the_prompt_s_head_gives_what_reading_it_each_time_gives(checkpoint, request):
    folder = request.getfixturevalue(checkpoint)
    network = network_of(folder)
    rows = ids_of(network, folder)
    frame = network.spec.frame

    state = network.module.prompt_state(frame.prefix_ids, frame.suffix_ids)
    rest = AfterPrompt(network, state)

    n_head = len(frame.prefix_ids)
    assert state[0][0].shape[2] == n_head > 10
    whole = class_probabilities(network, rows)
    for _ in range(2):  # a call leaves the state as it was
        gone_on = class_probabilities(rest, [row[n_head:] for row in rows])
        assert np.allclose(gone_on, whole, rtol=0, atol=1e-6)
    assert np.ptp(whole, axis=0).max() > 1e-4


def test_a_model_with_a_sliding_window_reads_the_head_each_time(tmp_path, make):
    from transformers import MistralConfig, MistralForCausalLM

    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=258,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        sliding_window=8,
        pad_token_id=1,
    )
    network = network_of(make.saved(MistralForCausalLM(config), make.byte_tokenizer(), tmp_path))
    frame = network.spec.frame

    assert network.module.prompt_state(frame.prefix_ids, frame.suffix_ids) is None
