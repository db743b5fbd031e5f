"""Tiny random checkpoints with real tokenizers: what a text network is built from, small enough for a second."""

from types import SimpleNamespace

import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForMaskedLM,
    DebertaV2Config,
    DebertaV2Model,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

WORDS = "the question code fits claim pain rash fever left right what which is of and A B C ? . :".split()


def word_tokenizer():
    """A word a token, `[CLS]` before and `[SEP]` after, as BERT's."""
    vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )


def byte_tokenizer(chat_template=None):
    """A byte a token and `<s>`, `</s>`; no padding token, as many causal models have none."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate(["<s>", "</s>", *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.add_special_tokens(["<s>", "</s>"])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")
    fast.chat_template = chat_template
    return fast


def saved(model, tokenizer, folder):
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def llama_config(**changes):
    return LlamaConfig(
        **{
            "vocab_size": 258,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 1024,
            "pad_token_id": None,
            "bos_token_id": 0,
            "eos_token_id": 1,
            "initializer_range": 0.1,
            **changes,
        }
    )


@pytest.fixture(scope="session")
def make():
    """What a test needs to save a checkpoint of its own."""
    return SimpleNamespace(
        word_tokenizer=word_tokenizer, byte_tokenizer=byte_tokenizer, saved=saved, llama_config=llama_config
    )


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory):
    """Two layers, untied output embedding, no pad token, no chat template."""
    torch.manual_seed(0)
    return saved(LlamaForCausalLM(llama_config()), byte_tokenizer(), tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="session")
def tied_llama(tmp_path_factory):
    """The same with one embedding for input and output."""
    torch.manual_seed(1)
    model = LlamaForCausalLM(llama_config(tie_word_embeddings=True))
    return saved(model, byte_tokenizer(), tmp_path_factory.mktemp("tied"))


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory):
    """Two layers, no pooler trained, 64 positions."""
    torch.manual_seed(2)
    config = BertConfig(
        vocab_size=len(WORDS) + 4,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        pad_token_id=0,
        initializer_range=0.2,
    )
    return saved(BertForMaskedLM(config), word_tokenizer(), tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="session")
def tiny_deberta(tmp_path_factory):
    """DeBERTa-v3's shape: relative positions, no token types."""
    torch.manual_seed(3)
    config = DebertaV2Config(
        vocab_size=len(WORDS) + 4,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        relative_attention=True,
        position_buckets=16,
        norm_rel_ebd="layer_norm",
        share_att_key=True,
        pos_att_type=["p2c", "c2p"],
        position_biased_input=False,
        type_vocab_size=0,
        pad_token_id=0,
        initializer_range=0.2,
    )
    return saved(DebertaV2Model(config), word_tokenizer(), tmp_path_factory.mktemp("deberta"))
