"""Routers that read the text itself: the BERT classifier and the causal language model.

Torch is imported when one is loaded, not before. A BERT classifier on MiniLM's structure is served without it, from the
same files, by `models.minilm_classifier`.

As files, a router is network.json and either its update (`update/...`, PEFT's two files, beside the name and hash of
its base) or its merged weights (`checkpoint/...`, a Hugging Face folder). Updates that were merged before stand in
`before/0/...` and so on. Training is in `models.text_training`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from pydantic import ValidationError

from core.errors import BundleError
from core.fingerprint import of_json
from models.file_tree import below, within
from models.networks.building import (
    CHECKPOINT,
    base_network,
    checkpoint_files,
    tokenizer_json,
    with_update,
)
from models.networks.held import HeldNetwork, Update, held_network
from models.networks.loading import torch_libraries
from models.networks.reading import TextReader, plain_tokenizer
from models.networks.spec import NetworkSpec
from models.networks.updates import update_sha256
from models.router import Queries
from models.training.network import ClassNetwork
from models.training.scoring import TOKENS_AT_ONCE, log_probabilities

FORMAT = 1
RECORD = "network.json"


@dataclass(frozen=True, eq=False)
class TextRouter:
    """A fine-tuned text network as a router. Safe to share between threads, which take turns.

    Routers of one process that share a base share it in memory; each adds its update alone.
    """

    spec: NetworkSpec
    _held: HeldNetwork
    _update: Update | None
    """None: the weights that are held are merged."""
    _beneath: Mapping[str, bytes]
    """Files of what the update lies on: updates before, and a base that has no name; the update's own, if merged."""
    _tokenizer_json: str
    _reader: TextReader

    @property
    def family(self) -> str:
        """`bert` or `causal_lm`."""
        return self.spec.family

    @property
    def dimension(self) -> None:
        """None: it reads no vectors."""
        return None

    @property
    def n_truncated(self) -> int:
        """How many texts, since loading, were longer than it reads and were cut in their middle."""
        return self._reader.n_truncated

    def score(self, queries: Queries) -> Float[np.ndarray, " n"]:
        """P(strong needed) per query; NaN where it is not finite."""
        return self.score_texts(queries.texts)

    def score_texts(self, texts: Sequence[str]) -> Float[np.ndarray, " n"]:
        """P(strong needed) per text; NaN where it is not finite."""
        return np.asarray(self.class_probabilities(texts)[:, 0])

    def class_probabilities(self, texts: Sequence[str]) -> Float[np.ndarray, "n c"]:
        """Probability of (strong, either, neither) per text, by one forward pass each; NaN where it is not finite."""
        ids = self._reader.ids(texts)
        network: ClassNetwork
        with self._held.using(self._update, self.spec) as held:  # in evaluation mode
            network = held
            rest = self._held.after_prompt(self._update, held)
            if rest is not None:
                n_head = len(self.spec.frame.prefix_ids)
                network, ids = rest, tuple(row[n_head:] for row in ids)
            logs = log_probabilities(network.logits, network, ids, tokens_at_once=TOKENS_AT_ONCE)
        return np.asarray(np.exp(logs))

    def to_files(self) -> dict[str, bytes]:
        """The router as files of safetensors and JSON.

        No file names a path of this machine, unless the settings named the base by one: such a base is looked for
        there and below $PRECEPTOR_MODELS, and `merged` needs none.
        """
        files = {**record_file(self.spec), **self._beneath}
        if self._update is not None:
            return files | below(self._update.files(self.spec), "update")
        if self.spec.lora is not None:
            return files
        with self._held.using(None, self.spec) as network:
            checkpoint, _ = checkpoint_files(network, self._tokenizer_json)
        return files | below(checkpoint, CHECKPOINT)

    @classmethod
    def from_files(
        cls, files: Mapping[str, bytes], *, n_threads: int = 1, device: str = "auto", merge: bool = False
    ) -> "TextRouter":
        """The router that `to_files` took apart.

        Args:
            files: by relative path.
            n_threads: CPU threads; torch has one number for the whole process.
            device: where torch computes; `auto`: on the GPU where there is one.
            merge: add the update to weights of its own, which no other router shares: about twice as fast for a small
                network, at the memory of one more base; scores differ in the last bits. A base in 4 bits is left as it
                is: rounding the sum to 4 bits again would change the scores.

        Raises:
            BundleError: a file is missing or altered, or the base is missing or another than the one trained over.
            MissingExtra: torch, transformers or peft is not installed.
        """
        torch, _ = torch_libraries()
        torch.set_num_threads(n_threads)
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        spec = spec_in(files)
        own, beneath = within(files, "update"), dict[str, bytes]()
        if spec.lora is not None:
            beneath = {name: files[name] for name in files if name.startswith(("before/", f"{CHECKPOINT}/"))}
        if spec.lora is not None and merge and not spec.is_4_bit:
            beneath |= below(own, "update")
            sha256 = of_json([spec.held_sha256, update_sha256(own)])
            held, update = held_network(sha256, device, lambda: with_update(base_network(spec, files), own)), None
        else:
            held = held_network(spec.held_sha256, device, lambda: base_network(spec, files))
            update = held.add(own) if spec.lora is not None else None
        tokenizer = tokenizer_json(spec, files)
        return cls(spec, held, update, beneath, tokenizer, TextReader(plain_tokenizer(tokenizer), spec.frame))


def record_file(spec: NetworkSpec) -> dict[str, bytes]:
    """network.json of a router."""
    record = {"format": FORMAT, "spec": spec.model_dump(mode="json")}
    return {RECORD: (json.dumps(record, indent=1, sort_keys=True) + "\n").encode()}


def spec_in(files: Mapping[str, bytes]) -> NetworkSpec:
    """The record of a router's files.

    Raises:
        BundleError: it is missing, or of a format that this version cannot read.
    """
    try:
        record = json.loads(files[RECORD])
        if record["format"] != FORMAT:
            raise ValueError(f"its format is {record['format']}, known is {FORMAT}")
        return NetworkSpec.model_validate(record["spec"])
    except (KeyError, ValueError, TypeError, ValidationError) as error:
        raise BundleError(
            f"The text router's {RECORD} does not read ({error}). Install the release that wrote it, or train it anew."
        ) from error
