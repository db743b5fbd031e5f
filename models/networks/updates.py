"""Low-rank updates of a text network by PEFT: put on, taken out as files, put back, merged. Trains nothing.

The files are PEFT's own (adapter_config.json, adapter_model.safetensors), without any path of this machine: an update
of a causal model loads with plain PEFT on its plain base.
"""

import hashlib
import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from core.errors import BundleError, MissingExtra, SettingsError
from core.fingerprint import of_json
from models.networks.spec import Lora

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"

Files = Mapping[str, bytes]


def put_update(core: Any, lora: Lora, *, head: tuple[str, ...], seed: int) -> Any:  # noqa: ANN401 - torch modules
    """`core` under an update that is zero as yet; the layers of `head` are trained whole beside it.

    Every name is checked against the modules that got an update: PEFT itself passes over a name that matches nothing.

    Args:
        core: what transformers loaded; it is changed in place and frozen.
        lora: shape of the update. Without target modules every linear layer but the head and the output embedding.
        head: names of layers inside `core`.
        seed: of the update's first factor.

    Raises:
        SettingsError: a target module's name matches no linear layer.
        MissingExtra: peft is not installed.
    """
    torch, peft = _libraries()
    linear = _linear_names(torch, core, head=head)
    targets = sorted(lora.target_modules or {name.rpartition(".")[2] for name in linear})
    if missed := [name for name in targets if not any(_ends_with(layer, name) for layer in linear)]:
        known = sorted({name.rpartition(".")[2] for name in linear})
        raise SettingsError(
            f"training.target_modules names {', '.join(missed)}, which the network does not have. "
            f"Its linear layers are {', '.join(known)}."
        )
    config = peft.LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targets,
        modules_to_save=list(head) or None,
        use_rslora=lora.method in ("rslora", "qlora"),
        use_dora=lora.method == "dora",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        with _without_notice_to_peft():
            return peft.get_peft_model(core, config)


def update_files(core: Any, name: str, *, base: str | None) -> dict[str, bytes]:  # noqa: ANN401 - a PEFT model
    """The update `name` of a PEFT model as PEFT's two files.

    Args:
        core: what `put_update` gave.
        name: of the update.
        base: name of the base for a reader's eye; what it really is, the network's record says by hash.
    """
    from safetensors.torch import save

    peft = _libraries()[1]
    state = peft.get_peft_model_state_dict(core, adapter_name=name, save_embedding_layers=False)
    tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in state.items()}
    values = core.peft_config[name].to_dict()
    config = {key: sorted(value) if isinstance(value, set) else value for key, value in values.items()}
    config |= {
        "base_model_name_or_path": None if base is None or Path(base).is_absolute() else base,
        "inference_mode": True,
    }
    text = json.dumps(config, indent=1, sort_keys=True, default=str) + "\n"
    return {CONFIG: text.encode(), WEIGHTS: save(tensors)}


def load_update(core: Any, files: Files, name: str) -> Any:  # noqa: ANN401 - torch modules
    """The PEFT model of `core` with the update of `files` under `name`; a plain core is wrapped first.

    Raises:
        BundleError: the files are no update of this network.
    """
    from safetensors.torch import load

    peft = _libraries()[1]
    try:
        values = json.loads(files[CONFIG])
        tensors = load(files[WEIGHTS])
        known = {key: value for key, value in values.items() if key in peft.LoraConfig.__dataclass_fields__}
        config = peft.LoraConfig(**known | {"base_model_name_or_path": None, "inference_mode": True})
        with _without_notice_to_peft():
            if isinstance(core, peft.PeftModel):
                core.add_adapter(name, config)
            else:
                core = peft.get_peft_model(core, config, adapter_name=name)
        expected = peft.get_peft_model_state_dict(core, adapter_name=name, save_embedding_layers=False)
        if {key: value.shape for key, value in expected.items()} != {key: t.shape for key, t in tensors.items()}:
            raise ValueError("its tensors are not those of this base")
        peft.set_peft_model_state_dict(core, tensors, adapter_name=name)
    except (KeyError, TypeError, ValueError, SafetensorError, RuntimeError) as error:
        raise BundleError(
            f"The update does not fit the network ({error}). Register the bundle anew with its own base."
        ) from error
    return core


def merged(core: Any) -> Any:  # noqa: ANN401 - torch modules
    """The plain core with its one update added to the weights; the PEFT model is used up."""
    return core.merge_and_unload()


def update_sha256(files: Files) -> str:
    """Hash of an update: of its weights and of what its config says about them.

    Raises:
        BundleError: a file is missing or no JSON.
    """
    try:
        config, weights = json.loads(files[CONFIG]), files[WEIGHTS]
    except (KeyError, ValueError) as error:
        raise BundleError(f"The update's files do not read ({error!r}). Register the bundle anew.") from error
    return of_json(
        {
            "weights": hashlib.sha256(weights).hexdigest(),
            "config": {key: config.get(key) for key in ("lora_alpha", "r", "target_modules", "use_dora", "use_rslora")},
        }
    )


def _linear_names(torch: Any, core: Any, *, head: tuple[str, ...]) -> list[str]:  # noqa: ANN401 - torch modules
    from transformers.pytorch_utils import Conv1D

    output = core.get_output_embeddings() if hasattr(core, "get_output_embeddings") else None
    return [
        name
        for name, module in core.named_modules()
        if isinstance(module, torch.nn.Linear | Conv1D)
        and module is not output
        and not any(name == layer or name.startswith(f"{layer}.") for layer in head)
    ]


def _ends_with(layer: str, name: str) -> bool:
    return layer == name or layer.endswith(f".{name}")


@contextmanager
def _without_notice_to_peft() -> Iterator[None]:
    """PEFT asks transformers by a name that transformers will drop; that is between the two of them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        yield


def _libraries() -> tuple[Any, Any]:
    try:
        import peft
        import torch
    except ImportError as error:
        raise MissingExtra("torch and peft", "train", "A low-rank update of a network") from error
    return torch, peft
