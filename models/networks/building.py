"""Builds a text network from its record, the same in every process. Trains nothing, scores nothing."""

import importlib.util
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from core.errors import BundleError, MissingExtra
from models.file_tree import files_in, put_files, within
from models.networks.loading import checkpoint_folder, checkpoint_sha256, quiet, read_config, torch_libraries
from models.networks.spec import NetworkSpec

if TYPE_CHECKING:
    import torch

    from models.networks.bert import ClassLogits
    from models.networks.causal_lm import LabelLogits

CHECKPOINT = "checkpoint"
"""Folder of a merged base beside its record."""


@dataclass(frozen=True, eq=False)
class TextNetwork:
    """A text network as the training engine wants it: `models.training.network.ClassNetwork`."""

    spec: NetworkSpec
    module: "ClassLogits | LabelLogits"
    """Its forward gives the class logits; `module.core` is what PEFT wraps."""
    head: tuple[str, ...]
    """Layers of the core that are trained whole, beside any update."""

    @property
    def pad_id(self) -> int:
        """Token id of padding."""
        return self.spec.frame.pad_id

    @property
    def padding_side(self) -> Literal["left", "right"]:
        """Left for a causal model: its last position is where the label is due."""
        return "left" if self.spec.family == "causal_lm" else "right"

    def logits(self, input_ids: "torch.Tensor", attention_mask: "torch.Tensor") -> "torch.Tensor":
        """Logits of shape (b, classes), float32, of token ids and mask of shape (b, t)."""
        logits: torch.Tensor = self.module(input_ids, attention_mask)
        return logits


def build_network(description: Mapping[str, Any]) -> TextNetwork:
    """The network of a description, ready to be trained: its update put on, at zero, or every weight free.

    Args:
        description: the record under `spec` and, where the network starts from a trained
            one, the folder of that one's files under `starts_from`.

    Raises:
        BundleError: the record does not read, the base is missing or is another than it was, or an earlier update does
            not fit.
        SettingsError: a target module's name matches no layer.
        MissingExtra: torch, transformers or peft is not installed.
    """
    try:
        spec = NetworkSpec.model_validate(description["spec"])
    except (KeyError, ValidationError) as error:
        raise BundleError(f"The network's record does not read ({error}). Describe the network anew.") from error
    start = description.get("starts_from")
    network = base_network(spec, {} if start is None else files_in(Path(start)))
    if spec.lora is None:
        network.module.requires_grad_()
        return network
    from models.networks.updates import put_update

    network.module.core = put_update(network.module.core, spec.lora, head=network.head, seed=spec.seed)
    return network


def base_network(spec: NetworkSpec, files: Mapping[str, bytes]) -> TextNetwork:
    """The network without its own update: the checkpoint, with the updates before merged in.

    Args:
        spec: its base's hash and those of the updates before are checked.
        files: holds `before/0/...` where there are updates before, and `checkpoint/...` where the spec names no base.

    Raises:
        BundleError: a part is missing or is another than it was.
        MissingExtra: a library is not installed.
    """
    torch_libraries()
    with checkpoint_at(spec, files, checked=True) as folder:
        network = _loaded(spec, folder)
    for update in updates_before(spec, files):
        network = with_update(network, update)
    return network


@contextmanager
def checkpoint_at(spec: NetworkSpec, files: Mapping[str, bytes], *, checked: bool = False) -> Iterator[Path]:
    """The folder of a network's base: the named checkpoint's, else a passing one of the files `checkpoint/...`.

    Args:
        spec: names the base and its hash.
        files: of the network.
        checked: refuse another checkpoint than the one that was trained over.

    Raises:
        BundleError: the base is missing, or is another.
    """
    if spec.base is not None:
        yield _same(spec, checkpoint_folder(spec.base)) if checked else checkpoint_folder(spec.base)
        return
    with tempfile.TemporaryDirectory(prefix="preceptor-checkpoint-") as name:
        put_files(within(files, CHECKPOINT), Path(name))
        yield _same(spec, Path(name)) if checked else Path(name)


def updates_before(spec: NetworkSpec, files: Mapping[str, bytes]) -> Iterator[dict[str, bytes]]:
    """The updates that the base carries before the network's own, in order.

    Raises:
        BundleError: one is missing, or is another than it was.
    """
    from models.networks.updates import update_sha256

    for number, expected in enumerate(spec.before_sha256):
        update = within(files, f"before/{number}")
        if not update or update_sha256(update) != expected:
            raise BundleError(
                f"The network starts from update {expected[:12]}, which is missing or altered. Train it anew."
            )
        yield update


def with_update(network: TextNetwork, update: Mapping[str, bytes]) -> TextNetwork:
    """The network with an update added to its weights, which are changed in place.

    Raises:
        BundleError: the update does not fit.
    """
    from models.networks.updates import load_update, merged

    network.module.core = merged(load_update(network.module.core, update, "default"))
    return network


def checkpoint_files(network: TextNetwork, tokenizer: str) -> tuple[dict[str, bytes], str]:
    """A network without update as the files of a checkpoint, and that checkpoint's hash.

    Args:
        network: its core is what transformers would save.
        tokenizer: content of its tokenizer.json.
    """
    with tempfile.TemporaryDirectory(prefix="preceptor-checkpoint-") as name:
        folder = Path(name)
        with quiet():
            if network.spec.family == "bert":
                from models.networks.bert import save_checkpoint

                save_checkpoint(network.module.core, folder)
            else:
                network.module.core.save_pretrained(folder)
        config = {key: value for key, value in read_config(folder).items() if key != "_name_or_path"}
        (folder / "config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        (folder / "tokenizer.json").write_text(tokenizer, encoding="utf-8")
        kept = ("config.json", "tokenizer.json")
        files = {path: content for path, content in files_in(folder).items() if path in kept or path.endswith(_WEIGHTS)}
        return files, checkpoint_sha256(folder)


def tokenizer_json(spec: NetworkSpec, files: Mapping[str, bytes]) -> str:
    """Content of the tokenizer.json of a network's base.

    Raises:
        BundleError: the base is not here, or the files lack it.
    """
    if spec.base is not None:
        return (checkpoint_folder(spec.base) / "tokenizer.json").read_text(encoding="utf-8")
    try:
        return files[f"{CHECKPOINT}/tokenizer.json"].decode()
    except KeyError as error:
        raise BundleError(f"The text router's files lack {CHECKPOINT}/tokenizer.json. Train it anew.") from error


_WEIGHTS = ".safetensors"


def _same(spec: NetworkSpec, folder: Path) -> Path:
    found = checkpoint_sha256(folder)
    if found != spec.base_sha256:
        raise BundleError(
            f"The network was trained over a checkpoint with hash {spec.base_sha256[:12]}; "
            f"'{spec.base or CHECKPOINT}' here has {found[:12]}. Fetch the checkpoint that it was trained over, or "
            "train with this one."
        )
    return folder


def _loaded(spec: NetworkSpec, folder: Path) -> TextNetwork:
    arguments: dict[str, Any] = {"dtype": spec.dtype}
    if spec.is_4_bit:
        arguments["quantization_config"] = _four_bits()
    if spec.family == "causal_lm":
        from models.networks.causal_lm import causal_module

        return TextNetwork(spec, causal_module(folder, label_ids=spec.label_ids, arguments=arguments), ())
    from models.networks.bert import bert_module

    module, head = bert_module(
        folder, pooling=spec.pooling, n_classes=spec.n_classes, seed=spec.seed, arguments=arguments
    )
    return TextNetwork(spec, module, head)


def _four_bits() -> Any:  # noqa: ANN401 - a transformers record
    torch, transformers = torch_libraries()
    if not torch.cuda.is_available() or importlib.util.find_spec("bitsandbytes") is None:
        raise MissingExtra("bitsandbytes and a CUDA device", "qlora", "Training method 'qlora'")
    return transformers.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
