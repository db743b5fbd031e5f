"""Static encoders: a vector a token, averaged. Reads model2vec's folder with numpy and tokenizers alone; distils one.

About a hundred times cheaper than the network it was distilled from, and somewhat worse.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32
from safetensors import SafetensorError
from safetensors.numpy import load_file

from core.errors import BundleError, MissingExtra
from core.fingerprint import of_file, of_json
from models.encoders import EncoderSpec, cache_folder
from models.tokenization import TextTokenizer

FILES = ("model.safetensors", "tokenizer.json")


class StaticEncoder:
    """A lookup table of token vectors; the mean over a text's known tokens, normalised.

    Raises:
        BundleError: the folder is missing, or is not one that `distill_static` or model2vec wrote.
    """

    def __init__(self, spec: EncoderSpec) -> None:
        folder = default_static_folder() if spec.name == "static" else Path(spec.name)
        missing = [name for name in FILES if not (folder / name).is_file()]
        if missing:
            raise BundleError(
                f"There is no static encoder in {folder} ({' and '.join(missing)} missing). "
                f"Make one with `python -m models.static_encoder {folder}`."
            )
        self.spec = spec
        self.sha256 = of_json({name: of_file(folder / name) for name in FILES})
        try:
            arrays = load_file(folder / "model.safetensors")
            table = arrays["embeddings"].astype(np.float32)
            if "mapping" in arrays:
                table = table[arrays["mapping"]]
            if "weights" in arrays:
                table = table * arrays["weights"].astype(np.float32)[:, None]
        except (SafetensorError, KeyError, ValueError, IndexError) as error:
            raise BundleError(
                f"{folder / FILES[0]} holds no token vectors ({error!r}). "
                f"Make it anew with `python -m models.static_encoder {folder}`."
            ) from error
        self._table = np.ascontiguousarray(table)
        self.dimension = int(table.shape[1])
        self._tokenizer = TextTokenizer(folder / FILES[1], max_tokens=spec.max_tokens, special_tokens=False)
        self._unknown = _unknown_id(folder / FILES[1], self._tokenizer)

    @property
    def n_truncated(self) -> int:
        """How many texts, since loading, were longer than `max_tokens` and were cut."""
        return self._tokenizer.n_truncated

    def encode(self, texts: Sequence[str]) -> Float32[np.ndarray, "n d"]:
        """One vector of length 1 a text, in order; the zero vector for a text without a known token."""
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, ids in enumerate(self._tokenizer.ids(texts)):
            known = [token for token in ids if token != self._unknown]
            if known:
                vectors[row] = np.add.reduce(self._table.take(known, axis=0), axis=0) / np.float32(len(known))
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors / np.where(norms > 0, norms, np.float32(1.0))


def default_static_folder() -> Path:
    """The folder that the name `static` stands for."""
    return cache_folder() / "static-minilm"


def distill_static(spec: EncoderSpec, folder: Path, *, dimension: int = 256) -> EncoderSpec:
    """Distil `spec`'s network into a static encoder at `folder` and return the spec that loads it.

    About half a minute on one core for MiniLM. Needs torch and model2vec's `distill` extra, once.

    Raises:
        MissingExtra: model2vec[distill] is not installed.
        BundleError: the network is missing, or `folder` exists.
    """
    if folder.exists():
        raise BundleError(f"{folder} exists already and is not overwritten. Remove it, or name another folder.")
    try:
        from model2vec.distill import distill
    except ImportError as error:
        raise MissingExtra("model2vec[distill]", "train,static", "Distilling a static encoder") from error
    from models.minilm import minilm_folder, minilm_weights
    from models.torch_encoder import local_folder

    if spec.name == "minilm":
        minilm_weights()
        source = minilm_folder()
    else:
        source = local_folder(spec.name)
    partial = folder.with_name(f".{folder.name}.partial")
    distill(model_name=str(source), pca_dims=dimension).save_pretrained(str(partial))
    partial.rename(folder)
    return EncoderSpec(name=str(folder), runtime="static", max_tokens=spec.max_tokens)


def _unknown_id(path: Path, tokenizer: TextTokenizer) -> int | None:
    model: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["model"]
    if model.get("unk_token") is not None:
        return tokenizer.token_id(model["unk_token"])
    found: int | None = model.get("unk_id")
    return found


def main() -> None:
    """`python -m models.static_encoder [FOLDER]`: distil MiniLM there, or where the name `static` looks."""
    import click

    @click.command()
    @click.argument("folder", type=click.Path(path_type=Path), default=default_static_folder())
    def command(folder: Path) -> None:
        """Distil MiniLM into a static encoder at FOLDER. Example: python -m models.static_encoder static-minilm."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        spec = distill_static(EncoderSpec(runtime="torch"), folder)
        click.echo(f"Written. Set encoder: {{name: {spec.name}, runtime: static}}.")

    command()


if __name__ == "__main__":
    main()
