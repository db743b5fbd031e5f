"""Tiny networks and rows with a planted rule, for the tests of the training engine and the processes they start."""

import numpy as np
import torch
from transformers import BertConfig, BertForSequenceClassification, LlamaConfig, LlamaForSequenceClassification

from models.training.network import Examples

VOCABULARY = 40
N_CLASSES = 3


class TinyNetwork:
    """A transformers classifier as a ClassNetwork."""

    def __init__(self, module, padding_side="right"):
        self.module = module
        self.pad_id = 0
        self.padding_side = padding_side

    def logits(self, input_ids, attention_mask):
        return self.module(input_ids=input_ids, attention_mask=attention_mask).logits.float()


def tiny_bert(*, dropout=0.0, seed=0, unused=False):
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        num_labels=N_CLASSES,
    )
    network = TinyNetwork(BertForSequenceClassification(config))
    if unused:  # as an encoder's pooler under a head of one's own
        network.module.unused = torch.nn.Linear(4, 4)
    return network


def tiny_llama(*, seed=0):
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        pad_token_id=0,
        num_labels=N_CLASSES,
    )
    return TinyNetwork(LlamaForSequenceClassification(config), "left")


def build_tiny(description):
    """The builder that the worker of the tests hands in."""
    network = {"bert": tiny_bert, "llama": tiny_llama}[description["family"]]
    return network(**description.get("options", {}))


def examples(n, *, seed=0, longest=30):
    """Rows in which token 1 stands where the strong model is needed; soft targets, uneven weights and lengths."""
    rng = np.random.default_rng(seed)
    is_strong = rng.random(n) < 0.4
    input_ids = []
    for strong in is_strong:
        ids = rng.integers(3, VOCABULARY, size=int(rng.integers(3, longest + 1)))
        ids[0] = 2
        if strong:
            ids[1:][rng.random(len(ids) - 1) < 0.3] = 1
            ids[-1] = 1
        input_ids.append(ids)
    targets = np.where(is_strong[:, None], [0.9, 0.05, 0.05], [0.05, 0.8, 0.15])
    return Examples(
        input_ids=tuple(input_ids),
        targets=targets,
        weights=rng.uniform(0.5, 2.0, size=n),
        gap=is_strong.astype(float),
    )
