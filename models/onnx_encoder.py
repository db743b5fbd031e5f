"""MiniLM through onnxruntime, without torch: the committed graph takes its weights from the hash-checked package.

`models/minilm.onnx` holds structure alone (`python -m models.export_onnx` makes it); each weight in it is an external
tensor by the name that model.safetensors gives it, and is handed over in memory, so no second copy lies on disk.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64

from core.errors import BundleError
from models.encoders import EncoderSpec
from models.minilm import DIMENSION, WEIGHTS_SHA256, check_length, minilm_folder, minilm_weights
from models.tokenization import TextTokenizer, encode_batches

GRAPH = Path(__file__).with_name("minilm.onnx")
UNUSED = ("pooler.", "embeddings.position_ids")
"""Tensors of the file that mean pooling does not read."""


class OnnxEncoder:
    """all-MiniLM-L6-v2, mean-pooled and normalised inside the graph; safe to share between threads.

    Raises:
        BundleError: the weights are missing or altered, or do not fit the graph.
    """

    def __init__(self, spec: EncoderSpec, *, n_threads: int = 1) -> None:
        import onnxruntime
        from safetensors.numpy import load

        check_length(spec.max_tokens)
        self.spec = spec
        self.sha256 = WEIGHTS_SHA256
        self.dimension = DIMENSION
        weights = {name: array for name, array in load(minilm_weights()).items() if not name.startswith(UNUSED)}
        self._tokenizer = TextTokenizer(minilm_folder() / "tokenizer.json", max_tokens=spec.max_tokens)
        # onnxruntime reads the arrays where they lie, so they live as long as the session.
        self._weights = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in weights.values()]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = n_threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # a busy neighbour costs less so
        options.add_external_initializers([f"bert.{name}" for name in weights], self._weights)
        try:
            self._session = onnxruntime.InferenceSession(
                GRAPH.read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's errors share no other base
            raise BundleError(
                f"{GRAPH.name} and the weights of 'minilm' do not load ({error}). Install preceptor again, "
                "or set encoder.runtime to torch."
            ) from error

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
        feed = {"input_ids": input_ids, "attention_mask": attention_mask}
        embedding: Float32[np.ndarray, "b d"] = self._session.run(["embedding"], feed)[0]
        return embedding
