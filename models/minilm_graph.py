"""MiniLM's structure as an ONNX graph, run with whatever weights of that shape it is given. Holds none itself.

`models/minilm.onnx` is the graph (`python -m models.export_onnx` makes it); each weight in it is an external tensor by
the name that model.safetensors gives it, and is handed over in memory, so no second copy lies on disk. Needs no torch.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float32, Int64

from core.errors import BundleError

GRAPH = Path(__file__).with_name("minilm.onnx")

UNUSED = ("pooler.", "embeddings.position_ids")
"""Tensors of a file that mean pooling does not read."""

CONFIG = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "hidden_size": 384,
    "intermediate_size": 1536,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 512,
    "num_attention_heads": 12,
    "num_hidden_layers": 6,
    "type_vocab_size": 2,
    "vocab_size": 30522,
}
"""What config.json says of every network that the graph is; the rest of it decides no vector."""


def is_drawn(config: Mapping[str, object]) -> bool:
    """Whether a network with this config.json is the one that the graph draws, whatever its weights.

    >>> is_drawn(CONFIG), is_drawn({**CONFIG, "num_hidden_layers": 12})
    (True, False)
    """
    return (
        all(config.get(key) == value for key, value in CONFIG.items())
        and config.get("position_embedding_type", "absolute") == "absolute"
        and not config.get("is_decoder", False)
    )


class MinilmGraph:
    """The graph with weights; safe to share between threads.

    Raises:
        BundleError: the weights do not fit the graph.
    """

    def __init__(self, weights: Mapping[str, np.ndarray], *, n_threads: int = 1) -> None:
        import onnxruntime

        used = {name: np.ascontiguousarray(array) for name, array in weights.items() if not name.startswith(UNUSED)}
        # onnxruntime reads the arrays where they lie, so they live as long as the session.
        self._weights = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in used.values()]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = n_threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # a busy neighbour costs less so
        options.add_external_initializers([f"bert.{name}" for name in used], self._weights)
        try:
            self._session = onnxruntime.InferenceSession(
                GRAPH.read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's errors share no other base
            raise BundleError(
                f"{GRAPH.name} and the weights for it do not load ({error}). Install preceptor again, or use torch "
                "(encoder.runtime for an encoder)."
            ) from error

    def run(
        self,
        output: Literal["embedding", "mean"],
        input_ids: Int64[np.ndarray, "b t"],
        attention_mask: Int64[np.ndarray, "b t"],
    ) -> Float32[np.ndarray, "b d"]:
        """Per row the mean of the last states over real tokens: as it is (`mean`), or of length 1 (`embedding`)."""
        feed = {"input_ids": input_ids, "attention_mask": attention_mask}
        vectors: Float32[np.ndarray, "b d"] = self._session.run([output], feed)[0]
        return vectors
