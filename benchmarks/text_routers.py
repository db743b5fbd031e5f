"""Speed of the text routers beside RouteLLM's way: `python -m benchmarks.text_routers [--json]`.

Weights are as they come (an untrained update is as fast as a trained one); times are of texts in, probabilities out.
RouteLLM's way is its own in a few lines, in the same run and on the same queries:

- BERT: an encoder of XLM-RoBERTa-base's size, random weights, one query at a time (its vocabulary is cut: rows of the
  embedding table that are not looked up cost nothing).
- causal: the same language model, greedy generation of 6 tokens, one query at a time, without a cache, as its code
  does; and with one, as it could.

All on one thread unless told otherwise; bfloat16 is timed where the processor computes in it. Variants are timed in
turn, round by round; ratios are medians of the rounds' ratios, so that a busy neighbour slows both sides.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import itertools
import json
import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM, XLMRobertaConfig, XLMRobertaForSequenceClassification

from benchmarks.timing import ROUNDS, in_turn, lines_of, milliseconds, ratio
from core.errors import PreceptorError
from models.families import Reading, router_from
from models.networks.building import build_network
from models.networks.causal_lm import LabelLogits
from models.networks.spec import Lora, NetworkSpec, describe
from models.networks.updates import put_update
from models.router import Queries, Router
from models.text_router import TextRouter
from models.text_training import files_of_trained
from models.training.recipe import TrainingRecipe

QUESTIONS = (
    "Which code fits type 2 diabetes mellitus with diabetic nephropathy?",
    "Which code fits a displaced fracture of the left radius, initial encounter?",
    "Is hypertensive heart disease coded with heart failure or apart from it?",
    "What is the first-line treatment for refractory neonatal seizures?",
    "How is a sequela of a cerebral infarction with aphasia sequenced?",
    "May a signed lease be ended early when the landlord sells the house?",
    "By how much did net revenue grow from 2018 to 2019, in percent?",
    "Which court hears an appeal against a decision on asylum?",
)
"""Short queries of the kind that the routers see; eight, so that a batch of them is one pass."""

VOCABULARY, WIDTH, LAYERS, LENGTH, BATCH = 32_000, 256, 4, 70, 16
"""Of the small model on which the label rows are timed."""


def measure(n_threads: int, *, bert_alone: bool = False) -> dict[str, Any]:
    """Every figure by name."""
    torch.manual_seed(0)
    figures: dict[str, Any] = {
        "threads": n_threads,
        "has bf16": has_bf16(),
        "torch": str(torch.__version__),
        "rounds": ROUNDS,
    }
    with threads(n_threads):
        figures["bert"] = bert_figures(n_threads)
        if not bert_alone:
            figures["label rows"] = label_row_figures()
    if not bert_alone:
        figures["causal"] = causal_figures(n_threads)
    return figures


def bert_figures(n_threads: int) -> dict[str, Any]:
    """MiniLM as update and merged in torch, and as a bundle is served; beside an encoder of XLM-R-base's size."""
    recipe = TrainingRecipe()
    spec = describe("bert", "minilm", recipe=recipe)
    update, merged = untrained(spec, keep="adapter"), untrained(spec, keep="merged")
    served = router_from("bert", update.to_files(), Reading("weak", "strong", n_threads))
    theirs = XLMRobertaForSequenceClassification(
        XLMRobertaConfig(vocab_size=1000, num_labels=3, max_position_embeddings=514)
    ).eval()
    lengths = [len(row) for row in merged._reader.ids(QUESTIONS)]
    at = itertools.count()

    def one(router: Router) -> object:
        return router.score(Queries([QUESTIONS[next(at) % len(QUESTIONS)]], lambda texts: np.zeros((len(texts), 0))))

    @torch.inference_mode()
    def routellm(length: int) -> object:
        return theirs(input_ids=torch.full((1, length), 7)).logits.softmax(-1)

    times = in_turn(
        {
            "update": lambda: one(update),
            "merged": lambda: one(merged),
            "served": lambda: one(served),
            "routellm": lambda: routellm(round(np.mean(lengths))),
            "routellm 512": lambda: routellm(512),
        },
        repeats={"update": 8, "merged": 8, "served": 16, "routellm": 2, "routellm 512": 1},
    )
    return {
        "tokens": float(np.mean(lengths)),
        **{f"{name} ms": milliseconds(values) for name, values in times.items()},
        "served, times faster than merged in torch": ratio(times["merged"], times["served"]),
        "times faster than routellm": ratio(times["routellm"], times["served"]),
        "times faster than routellm at 512": ratio(times["routellm 512"], times["served"]),
    }


def label_row_figures() -> dict[str, Any]:
    """Label rows against logits of every token at every position, as transformers' own loss takes them."""
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        num_key_value_heads=4,
    )
    network = LabelLogits(LlamaForCausalLM(config).eval(), (5, 6, 7))
    ids = torch.randint(0, VOCABULARY, (BATCH, LENGTH))
    mask, targets = torch.ones_like(ids), torch.randint(0, 3, (BATCH,))

    def all_logits() -> torch.Tensor:
        logits: torch.Tensor = network.core(input_ids=ids, attention_mask=mask, use_cache=False).logits
        return logits[:, -1, [5, 6, 7]]

    def step(read: Callable[[], torch.Tensor]) -> None:
        network.zero_grad()
        torch.nn.functional.cross_entropy(read(), targets).backward()  # type: ignore[no-untyped-call]

    def plain_step() -> None:
        network.zero_grad()
        with_label = torch.cat([ids, 5 + targets[:, None]], dim=1)
        asked = torch.full_like(with_label, -100)
        asked[:, -1] = with_label[:, -1]
        network.core(input_ids=with_label, labels=asked, use_cache=False).loss.backward()

    def rows() -> torch.Tensor:
        return network.row_logits(ids, mask)

    def last() -> torch.Tensor:
        return network.full_logits(ids, mask)

    readers = {"rows": rows, "last position": last, "all": all_logits}
    with torch.inference_mode():
        difference = float((rows() - all_logits()).abs().max())
        scoring = in_turn(readers)
    shape = Lora(rank=8, alpha=16, dropout=0)
    network.core = put_update(network.core, shape, head=(), seed=0)
    training = in_turn({"rows": lambda: step(rows), "last position": lambda: step(last), "all": plain_step})
    return {
        "largest difference": difference,
        "scoring ms": {name: milliseconds(values) for name, values in scoring.items()},
        "training ms": {name: milliseconds(values) for name, values in training.items()},
        "scoring times faster": ratio(scoring["all"], scoring["rows"]),
        "training times faster": ratio(training["all"], training["rows"]),
    }


def causal_figures(n_threads: int) -> dict[str, Any]:
    """SmolLM2 where its package is here, else a random one of its width: one query, eight, and RouteLLM's way."""
    with tempfile.TemporaryDirectory() as name:
        spec = _causal_spec(Path(name))
        figures: dict[str, Any] = {"model": "SmolLM2-135M" if spec.base == "smollm2" else "random", "prompt tokens": 0}
        figures["prompt tokens"] = len(spec.frame.prefix_ids) + len(spec.frame.suffix_ids)
        figures["fp32"] = _batches(untrained(spec, keep="merged"), n_threads=n_threads)
        if has_bf16():
            bf16 = spec.model_copy(update={"dtype": "bfloat16"})
            figures["bf16"] = _batches(untrained(bf16, keep="adapter"), n_threads=n_threads)
        with threads(n_threads):
            figures |= _beside_generation(spec)
    return figures


def _batches(router: TextRouter, *, n_threads: int) -> dict[str, Any]:
    """Queries a second one by one and eight at a time; the eight are one query, so that no padding is between."""
    query = QUESTIONS[0]
    with threads(n_threads), router._held.using(router._update, router.spec) as network:
        row = router._reader.ids([query])[0]
        n_head = len(router.spec.frame.prefix_ids)
        rest = router._held.after_prompt(router._update, network)
        assert rest is not None, "the model goes on after its prompt's head"

        def forward(n: int, *, whole: bool) -> torch.Tensor:
            ids = torch.from_numpy(np.tile(row if whole else row[n_head:], (n, 1)))
            with torch.inference_mode():
                read = network if whole else rest
                return read.logits(ids, torch.ones_like(ids)).softmax(-1)

        times = in_turn(
            {
                "1": lambda: forward(1, whole=False),
                "8": lambda: forward(8, whole=False),
                "1, head read each time": lambda: forward(1, whole=True),
                "8, head read each time": lambda: forward(8, whole=True),
            }
        )
    one, eight = times["1"], times["8"]
    return {
        "tokens": len(row) - n_head,
        **{f"{name} ms": milliseconds(values) for name, values in times.items()},
        "batch 8 times the throughput": ratio(8 * one, eight),
        "batch 8 times the throughput, head read each time": ratio(
            8 * times["1, head read each time"], times["8, head read each time"]
        ),
        "batch 8 and head once, times the throughput": ratio(8 * times["1, head read each time"], eight),
        "head once, times faster": ratio(times["1, head read each time"], one),
    }


def _beside_generation(spec: NetworkSpec) -> dict[str, Any]:
    router = untrained(spec, keep="merged")
    other = untrained(spec, keep="adapter")
    second = TextRouter.from_files(other.to_files())
    with router._held.using(None, spec) as network:
        lm = network.module.core
    row = torch.from_numpy(router._reader.ids([QUESTIONS[0]])[0])[None]

    @torch.inference_mode()
    def generate(*, use_cache: bool) -> object:
        return lm.generate(
            row,
            attention_mask=torch.ones_like(row),
            max_new_tokens=6,
            min_new_tokens=6,
            do_sample=False,
            use_cache=use_cache,
            pad_token_id=spec.frame.pad_id,
        )

    times = in_turn(
        {
            "ours": lambda: router.score_texts([QUESTIONS[0]]),
            "generation": lambda: generate(use_cache=False),
            "cached generation": lambda: generate(use_cache=True),
        },
        rounds=5,
    )
    switching = in_turn(
        {
            "stay": lambda: (other.score_texts([QUESTIONS[0]]), other.score_texts([QUESTIONS[0]])),
            "switch": lambda: (other.score_texts([QUESTIONS[0]]), second.score_texts([QUESTIONS[0]])),
        },
        rounds=5,
    )
    start = time.perf_counter()
    build_network({"spec": spec.model_dump(mode="json")})
    loading_ms = 1e3 * (time.perf_counter() - start)
    return {
        **{f"{name} ms": milliseconds(values) for name, values in times.items()},
        "times faster than generation": ratio(times["generation"], times["ours"]),
        "times faster than cached generation": ratio(times["cached generation"], times["ours"]),
        "switching an update ms": 1e3 * max(float(np.median(switching["switch"] - switching["stay"])) / 2, 0.0),
        "loading the base ms": loading_ms,
    }


def has_bf16() -> bool:
    """Whether the processor multiplies in bfloat16; where it does not, torch does so slowly by other means."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        return False
    return bool({"amx_bf16", "avx512_bf16"} & set(flags))


def untrained(spec: NetworkSpec, *, keep: str) -> TextRouter:
    """A router whose update is zero; `merged` has it added to the weights."""
    network = build_network({"spec": spec.model_dump(mode="json")})
    return TextRouter.from_files(files_of_trained(network, {}, keep="merged" if keep == "merged" else "adapter"))


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Inside, torch computes on n threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _causal_spec(folder: Path) -> NetworkSpec:
    recipe = TrainingRecipe()
    try:
        return describe("causal_lm", "smollm2", recipe=recipe)
    except PreceptorError as error:
        click.echo(f"SmolLM2 is not here ({error}); a random model stands in.", err=True)
    from tokenizers import Tokenizer, models, pre_tokenizers

    vocabulary = {token: i for i, token in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    config = LlamaConfig(
        vocab_size=49_152,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=6,  # a byte is a token here: prompts are five times as long
        num_attention_heads=9,
        num_key_value_heads=3,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return describe("causal_lm", str(folder), recipe=recipe)


@click.command()
@click.option("--threads", "n_threads", default=1, show_default=True, help="Threads of torch.")
@click.option("--bert", "bert_alone", is_flag=True, help="The BERT classifier alone.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(n_threads: int, bert_alone: bool, as_json: bool) -> None:
    """Time the text routers beside RouteLLM's way. Example: python -m benchmarks.text_routers --json."""
    logging.getLogger("transformers").setLevel(logging.ERROR)
    figures = measure(n_threads, bert_alone=bert_alone)
    click.echo(json.dumps(figures, indent=1) if as_json else "\n".join(lines_of(figures)))


if __name__ == "__main__":
    main()
