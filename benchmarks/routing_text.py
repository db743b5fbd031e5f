"""What a system prompt does to a router of bare questions: `python -m benchmarks.routing_text --data DIR [--json]`.

Questions of MMLU-Pro with the outcomes of a weak model. A ridge on MiniLM's vectors learns from bare questions whether
the weak model fails, and scores others bare, with a system prompt in front, and with one behind. AUC says whether it
still ranks; the mean shift of its scores says whether a threshold still keeps its promise. Intervals are paired
bootstraps over the scored questions, 95 %. The data's folder is that of `mmlu-pro-outcomes`.
"""

import gzip
import json
import os
from pathlib import Path
from typing import Any

import click
import numpy as np
from jaxtyping import Float

WEAK = "Meta-Llama-3_1-8B-Instruct"
N_LEARN, N_SCORED, N_RESAMPLES = 1100, 500, 1000

SHORT = "You are a helpful assistant. Answer concisely."
LONG = (
    "You are the assistant of a hospital group and answer questions of its clinicians. Write formal English, invent no "
    "source, and say so where you are not certain. Answer in short paragraphs, then list the evidence that you used. "
    "Where a question cannot be answered, say which information is missing. Give no legal advice. "
) * 5


def measure(data: Path) -> dict[str, Any]:
    """Every figure by name."""
    from models.encoders import EncoderSpec
    from models.onnx_encoder import OnnxEncoder

    rows = _rows(data)
    encoder = OnnxEncoder(EncoderSpec())
    learned = encoder.encode([question for question, _ in rows[:N_LEARN]]).astype(np.float64)
    asked = [question for question, _ in rows[N_LEARN:]]
    fails = np.array([is_failed for _, is_failed in rows[N_LEARN:]])
    center, target = learned.mean(axis=0), np.array([is_failed for _, is_failed in rows[:N_LEARN]], dtype=np.float64)
    gram = (learned - center).T @ (learned - center) + 3.0 * np.eye(learned.shape[1])
    weights = np.linalg.solve(gram, (learned - center).T @ (target - target.mean()))
    forms = {
        "bare": "{}",
        "short, in front": f"system: {SHORT}\n\nuser: {{}}",
        "short, behind": f"{{}}\n\nsystem: {SHORT}",
        "long, in front": f"system: {LONG}\n\nuser: {{}}",
        "long, behind": f"{{}}\n\nsystem: {LONG}",
    }
    scores = {
        name: (encoder.encode([form.replace("{}", one) for one in asked]) - center) @ weights + target.mean()
        for name, form in forms.items()
    }
    figures: dict[str, Any] = {
        "n_learn": N_LEARN,
        "n_scored": N_SCORED,
        "short_chars": len(SHORT),
        "long_chars": len(LONG),
    }
    return {**figures, **{name: _compared(scores["bare"], found, fails) for name, found in scores.items()}}


def _compared(bare: Float[np.ndarray, " n"], found: Float[np.ndarray, " n"], fails: np.ndarray) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(bare), size=(N_RESAMPLES, len(bare)))
    gaps = [_auc(found[draw], fails[draw]) - _auc(bare[draw], fails[draw]) for draw in draws]
    shifts = [(found[draw] - bare[draw]).mean() for draw in draws]
    return {
        "auc": round(_auc(found, fails), 3),
        "auc_gap_interval": [round(float(one), 3) for one in np.quantile(gaps, (0.025, 0.975))],
        "mean_shift": round(float((found - bare).mean()), 3),
        "mean_shift_interval": [round(float(one), 3) for one in np.quantile(shifts, (0.025, 0.975))],
        "share_above_bare_median": round(float((found >= np.median(bare)).mean()), 3),
    }


def _auc(scores: Float[np.ndarray, " n"], fails: np.ndarray) -> float:
    from scipy.stats import rankdata

    ranks, n_fails = rankdata(scores), int(fails.sum())
    return float((ranks[fails].sum() - n_fails * (n_fails + 1) / 2) / (n_fails * (len(fails) - n_fails)))


def _rows(data: Path) -> list[tuple[str, bool]]:
    with gzip.open(data / "mmlu-pro-outcomes" / "outcomes.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    order = np.random.default_rng(0).permutation(len(rows))[: N_LEARN + N_SCORED]
    return [(rows[i]["question"], not rows[i]["results"][WEAK]["correct"]) for i in order]


@click.command()
@click.option(
    "--data", type=click.Path(path_type=Path), default=lambda: os.environ.get("PRECEPTOR_DATA"), required=True
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def main(data: Path, as_json: bool) -> None:
    """Measure and print. Example: OMP_NUM_THREADS=1 python -m benchmarks.routing_text --data DIR."""
    figures = measure(data)
    if as_json:
        click.echo(json.dumps(figures))
        return
    for name, value in figures.items():
        click.echo(f"{name:16}{value}")


if __name__ == "__main__":
    main()
