"""The prompt of the causal router and the tokens of its labels. Nothing is generated.

The prompt ends where one token is due; the network's logits of three tokens there are the classes.
"""

from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from core.errors import BundleError, MissingExtra
from models.networks.reading import special_ids_around

INSTRUCTION = (
    "A small assistant answers routine questions; a large, costly one answers the rest. "
    "Read the question and judge which answer could be relied on. Reply with one letter.\n"
    "A: only the large assistant's answer.\n"
    "B: the small assistant's answer as well.\n"
    "C: neither answer."
)
"""What the model is told. The letters stand in the order of `models.training.network.CLASSES`."""

LABELS = (("A", "B", "C"), (" A", " B", " C"), ("1", "2", "3"), (" 1", " 2", " 3"), ("a", "b", "c"))
"""Texts of the three labels, tried in this order: the first three that are one token each, and distinct, are taken."""

_HERE = "PRECEPTOR-PUTS-THE-QUESTION-HERE"


def prompt_ids(tokenizer: Tokenizer, folder: Path, *, instruction: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Ids before and after the question: by the model's own chat template where it has one, else as plain text.

    Args:
        tokenizer: blind to special tokens, as `plain_tokenizer` makes it.
        folder: the checkpoint, for its chat template.
        instruction: what the model is told first.

    Raises:
        BundleError: the chat template drops the question or does not render.
        MissingExtra: transformers is not installed.
    """
    rendered = _by_chat_template(folder, instruction)
    if rendered is None:
        before, _ = special_ids_around(tokenizer)
        head, tail = f"{instruction}\n\nQuestion:\n", "\n\nLetter:"
    else:
        before = ()  # the template spells the start token itself
        head, found, tail = rendered.partition(_HERE)
        if not found or _HERE in tail:
            raise BundleError(
                f"The chat template of {folder.name} does not hold the question once. "
                "Remove the template from tokenizer_config.json, or name another model."
            )
    return (*before, *_encode(tokenizer, head)), _encode(tokenizer, tail)


def label_ids(tokenizer: Tokenizer, n_classes: int) -> tuple[int, ...]:
    """One token id a class.

    Raises:
        BundleError: no set of labels in `LABELS` is one distinct known token each.
    """
    for labels in LABELS:
        rows = [tokenizer.encode(label, add_special_tokens=False) for label in labels[:n_classes]]
        ids = [row.ids[0] for row in rows if len(row.ids) == 1]
        spelled = [tokenizer.decode([i]).strip() for i in ids]  # an unknown label would come back as nothing or <unk>
        if len(set(ids)) == n_classes and spelled == [label.strip() for label in labels[:n_classes]]:
            return tuple(ids)
    raise BundleError(
        "The tokenizer spells none of A/B/C, 1/2/3, a/b/c as one token each, so no label can be read from one logit. "
        "Name another causal model."
    )


def _encode(tokenizer: Tokenizer, text: str) -> tuple[int, ...]:
    """Ids of a piece of our own prompt, in which a special token is meant as one."""
    tokenizer.encode_special_tokens = False
    try:
        return tuple(tokenizer.encode(text, add_special_tokens=False).ids)
    finally:
        tokenizer.encode_special_tokens = True


def _by_chat_template(folder: Path, instruction: str) -> str | None:
    try:
        from jinja2.exceptions import TemplateError
        from transformers import AutoTokenizer
    except ImportError as error:
        raise MissingExtra("transformers", "train", "The causal router's prompt") from error
    tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if not tokenizer.chat_template:
        return None
    system = {"role": "system", "content": instruction}
    alone = {"role": "user", "content": _HERE}
    together = {"role": "user", "content": f"{instruction}\n\n{_HERE}"}
    how = {"tokenize": False, "add_generation_prompt": True, "enable_thinking": False}
    try:
        return str(tokenizer.apply_chat_template([system, alone], **how))
    except TemplateError:  # some families know no system turn
        return str(tokenizer.apply_chat_template([together], **how))
