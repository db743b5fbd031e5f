"""MiniLM as an encoder through onnxruntime, without torch: the committed graph with the package's checked weights."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Int64

from models.encoders import EncoderSpec
from models.minilm import DIMENSION, WEIGHTS_SHA256, check_length, minilm_folder, minilm_weights
from models.minilm_graph import MinilmGraph
from models.tokenization import TextTokenizer, encode_batches


class OnnxEncoder:
    """all-MiniLM-L6-v2, mean-pooled and normalised inside the graph; safe to share between threads.

    Raises:
        BundleError: the weights are missing or altered, or do not fit the graph.
    """

    def __init__(self, spec: EncoderSpec, *, n_threads: int = 1) -> None:
        from safetensors.numpy import load

        check_length(spec.max_tokens)
        self.spec = spec
        self.sha256 = WEIGHTS_SHA256
        self.dimension = DIMENSION
        self._graph = MinilmGraph(load(minilm_weights()), n_threads=n_threads)
        self._tokenizer = TextTokenizer(minilm_folder() / "tokenizer.json", max_tokens=spec.max_tokens)

    @property
    def n_truncated(self) -> int:
        """How many texts, since loading, were longer than `max_tokens` and were cut."""
        return self._tokenizer.n_truncated

    def encode(self, texts: Sequence[str]) -> Float32[np.ndarray, "n d"]:
        """One vector of length 1 a text, in order."""
        return encode_batches(self._tokenizer, texts, dimension=self.dimension, run=self._run)

    def _run(
        self, input_ids: Int64[np.ndarray, "b t"], attention_mask: Int64[np.ndarray, "b t"]
    ) -> Float32[np.ndarray, "b d"]:
        return self._graph.run("embedding", input_ids, attention_mask)
