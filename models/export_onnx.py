"""Makes `models/minilm.onnx`, the graph without weights: `python -m models.export_onnx`. For developers.

Needs the extra `train` and `pip install onnx` (torch's exporter imports it).

torch traces the model, with pooling inside: `mean`, and `embedding`, which is `mean` at length 1. onnxruntime writes
the graph anew with every weight moved out. What is left is structure under the names of model.safetensors. The file of
weights is thrown away.
"""

import tempfile
import warnings
from pathlib import Path

from models.minilm import minilm_folder, minilm_weights
from models.minilm_graph import GRAPH

SMALLEST_WEIGHT_BYTES = 1000
"""Every weight is larger than this (a layer norm has 1,536 bytes), every other constant is smaller."""


def export(path: Path) -> int:
    """Write the graph to `path`; how many bytes it has."""
    minilm_weights()
    with tempfile.TemporaryDirectory() as name:
        whole, bare = Path(name) / "whole.onnx", Path(name) / "bare.onnx"
        _trace(whole)
        _move_weights_out(whole, bare)
        path.write_bytes(bare.read_bytes())
    return path.stat().st_size


def _trace(path: Path) -> None:
    import torch
    from transformers import AutoModel

    class Pooled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bert = AutoModel.from_pretrained(
                minilm_folder(), attn_implementation="eager", dtype=torch.float32, local_files_only=True
            ).eval()

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            hidden = self.bert(
                input_ids=input_ids,
                attention_mask=attention_mask,
                token_type_ids=torch.zeros_like(input_ids),
                position_ids=torch.arange(input_ids.shape[1])[None],
            ).last_hidden_state
            weights = attention_mask.unsqueeze(-1).to(hidden.dtype)
            mean = (hidden * weights).sum(1) / weights.sum(1).clamp(min=1.0)
            return mean / mean.norm(dim=1, keepdim=True).clamp(min=1e-12), mean

    input_ids = torch.tensor([[101, 2054, 102], [101, 102, 0]])
    axes = {0: "n", 1: "t"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of shapes that the tests vary
        torch.onnx.export(
            Pooled(),
            (input_ids, (input_ids > 0).long()),
            str(path),
            input_names=["input_ids", "attention_mask"],
            output_names=["embedding", "mean"],
            dynamic_axes={"input_ids": axes, "attention_mask": axes, "embedding": {0: "n"}, "mean": {0: "n"}},
            opset_version=17,
            dynamo=False,
            do_constant_folding=False,
        )


def _move_weights_out(whole: Path, bare: Path) -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # names stay as they are
    options.optimized_model_filepath = str(bare)
    prefix = "session.optimized_model_external_initializers"
    options.add_session_config_entry(f"{prefix}_file_name", "weights.bin")
    options.add_session_config_entry(f"{prefix}_min_size_in_bytes", str(SMALLEST_WEIGHT_BYTES))
    onnxruntime.InferenceSession(str(whole), options, providers=["CPUExecutionProvider"])


def main() -> None:
    """Write `models/minilm.onnx` in place."""
    import click

    click.echo(f"{GRAPH}: {export(GRAPH):,} bytes")


if __name__ == "__main__":
    main()
