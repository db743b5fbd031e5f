"""What a small language model's surprise adds to `combined`: `python -m benchmarks.likelihood --data DIR [--json]`.

SmolLM2-135M reads each question, and each answer option after it, in one forward pass. What it makes of them becomes a
block of features beside vectors, words and looks:

| of | features |
|---|---|
| the question | negative log-likelihood a token: mean, spread, 90th percentile, largest, of the last eight; tokens |
| the options | least, mean and spread of theirs, the lead of the likeliest, entropy of their softmax, how many |

The options are in no text that the other routers read; `question` stands for the block without them. Five grouped
folds, the same for every column; APGR with 95 % intervals, paired differences. A pass takes about a second on one core:
`--most` takes that many random rows a set, and passes are kept in the cache folder.
"""

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from jaxtyping import Float, Int
from scipy.special import softmax
from scipy.stats import rankdata

from assurance.bootstrap import apgr_interval, paired_apgr_difference
from benchmarks.public_sets import TARGETS, Rows, as_dict, as_text, cache_option, data_option, load_rows, say
from core.fingerprint import normalised_text, of_text
from models.block_ridge import Features, fit_blocks
from models.embedding_cache import embed
from models.encoders import EncoderSpec, cache_folder, load_encoder
from models.label_mixing import mix, topic_gap
from models.looks import fit_looks
from models.selection import grouped_folds
from models.text_features import SIZE
from models.vocabulary import fit_vocabulary

SETS = ("mmlu-pro finance", "medagents")
MOST_TOKENS, MOST_OPTION_TOKENS = 200, 40
N_FOLDS = 5
FARTHEST = 4.0

Surprise = Mapping[str, Any]
"""`q`: negative log-likelihood of each token of the question; `o`: of each option, the sum and how many tokens."""


def surprises(rows: Sequence[tuple[str, Sequence[str]]], *, cache: Path) -> list[Surprise]:
    """What SmolLM2 makes of each (question, options), in order; known ones are read from the cache."""
    known = {}
    if cache.is_file():
        known = {one["key"]: one for one in map(json.loads, cache.read_text(encoding="utf-8").splitlines())}
    missing = [(key, *row) for row in rows if (key := of_text(normalised_text(row[0]))) not in known]
    if missing:
        cache.parent.mkdir(parents=True, exist_ok=True)
        with cache.open("a", encoding="utf-8") as out:
            for key, found in _passes(missing):
                known[key] = found
                out.write(json.dumps({"key": key, **found}) + "\n")
    return [known[of_text(normalised_text(question))] for question, _ in rows]


def features(found: Sequence[Surprise], *, options: bool) -> Float[np.ndarray, "n f"]:
    """The table above as numbers, one row a question."""
    lines = []
    for one in found:
        q = np.asarray(one["q"]) if one["q"] else np.zeros(1)
        line = [q.mean(), q.std(), np.quantile(q, 0.9), q.max(), q[-8:].mean(), np.log1p(len(q))]
        if options:
            o = np.sort([total / max(n, 1) for total, n in one["o"]]) if len(one["o"]) > 1 else np.zeros(2)
            p = softmax(-o)
            line += [o[0], o.mean(), o.std(), o[1] - o[0], float(-p @ np.log(p)), np.log1p(len(one["o"]))]
        lines.append(line)
    return np.array(lines)


def measure(rows: Rows, vectors: Float[np.ndarray, "n d"], found: Sequence[Surprise]) -> dict[str, Any]:
    """APGR of `combined` without and with the block, of the block alone, and the paired differences."""
    gap, keys = rows.quality[:, 1] - rows.quality[:, 0], rows.text_key
    fold = grouped_folds(len(gap), n_folds=N_FOLDS, seed=0, groups=keys)
    tables = {name: features(found, options=name == "options") for name in ("question", "options")}
    scores = {
        name: np.zeros(len(gap)) for name in ("combined", *(f"+ {t}" for t in tables), *(f"{t} alone" for t in tables))
    }
    shares: dict[str, list[float]] = {name: [] for name in tables}
    for k in range(N_FOLDS):
        train, test = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        ours = _blocks(rows, vectors, train, seed=k)
        extra = {name: {"surprise": _standardised(table, train)} for name, table in tables.items()}
        variants = {"combined": ours}
        variants |= {f"+ {name}": ours | block for name, block in extra.items()}
        variants |= {f"{name} alone": block for name, block in extra.items()}
        for name, blocks in variants.items():
            scores[name][test], found_shares = _scores(rows, gap, blocks, (train, test), seed=k)
            if name.startswith("+ "):
                shares[name[2:]].append(found_shares["surprise"])
        say(f"  fold {k + 1} of {N_FOLDS}")
    weak, strong = rows.quality.T
    ranked = {name: _ranked(column, fold) for name, column in scores.items()}
    rng = np.random.default_rng
    return {
        "n_rows": len(gap),
        "apgr": {n: as_dict(apgr_interval(s, weak, strong, rng=rng(0), groups=keys)) for n, s in ranked.items()},
        "minus_combined": {
            name: as_dict(paired_apgr_difference(column, ranked["combined"], gap, rng=rng(0), groups=keys))
            for name, column in ranked.items()
            if name != "combined"
        },
        "share_of_variance": {name: float(np.mean(values)) for name, values in shares.items()},
        "correlation_with_gap": {
            name: [float(np.corrcoef(column, gap)[0, 1]) for column in table.T] for name, table in tables.items()
        },
    }


def _blocks(
    rows: Rows, vectors: Float[np.ndarray, "n d"], train: Int[np.ndarray, " t"], *, seed: int
) -> dict[str, Features]:
    """The blocks of `models.combined_fit`, of all rows; what is learned of texts is learned of the training rows."""
    seen = [rows.texts[i] for i in train]
    looks = fit_looks(seen, seed=seed).vectors(rows.texts)
    words = fit_vocabulary(seen).vectors(rows.texts)
    return {"meaning": vectors.astype(np.float32), "words": words, "looks": looks, "size": looks[:, : len(SIZE)]}


def _scores(
    rows: Rows,
    gap: Float[np.ndarray, " n"],
    blocks: Mapping[str, Features],
    parts: tuple[Int[np.ndarray, " t"], Int[np.ndarray, " e"]],
    *,
    seed: int,
) -> tuple[Float[np.ndarray, " e"], Mapping[str, float]]:
    train, test = parts
    groups, weights = rows.text_key[train], np.ones(len(train))
    topics = topic_gap([rows.topics[i] for i in train], gap[train], groups=groups, row_weights=weights)
    targets = np.stack([gap[train], topics], axis=1)
    seen = {name: block[train] for name, block in blocks.items()}
    fit = fit_blocks(seen, targets, groups=groups, row_weights=weights, seed=seed)
    mixed = mix(fit.held_out, gap[train], groups=groups, row_weights=weights, seed=seed)
    return mixed.apply(fit.predict({name: block[test] for name, block in blocks.items()})), fit.shares


def _standardised(table: Float[np.ndarray, "n f"], train: Int[np.ndarray, " t"]) -> np.ndarray:
    """The features and their products of two, by the training rows' means and spreads."""
    z = np.clip((table - table[train].mean(axis=0)) / (table[train].std(axis=0) + 1e-6), -FARTHEST, FARTHEST)
    products = [z[:, i] * z[:, j] for i in range(z.shape[1]) for j in range(i + 1)]
    return np.hstack([z, 0.3 * np.stack(products, axis=1)]).astype(np.float32)


def _ranked(values: Float[np.ndarray, " n"], fold: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    ranks = np.zeros(len(values))
    for one in np.unique(fold):
        ranks[fold == one] = rankdata(values[fold == one]) / np.sum(fold == one)
    return ranks


def _passes(rows: Sequence[tuple[str, str, Sequence[str]]]) -> Iterator[tuple[str, Surprise]]:
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoModelForCausalLM

    from models.networks.smollm2 import smollm2_folder

    torch.set_num_threads(1)
    folder = smollm2_folder()
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True).eval()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))

    def ids(text: str) -> list[int]:
        found: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
        return found

    start, ask = tokenizer.token_to_id("<|im_start|>"), ids("\nAnswer:")
    for n, (key, question, options) in enumerate(rows):
        text = ids(question)
        if len(text) > MOST_TOKENS:
            text = text[: MOST_TOKENS // 2] + text[-MOST_TOKENS // 2 :]
        head = [start, *text, *(ask if options else [])]
        choices = [ids(f" {option}")[:MOST_OPTION_TOKENS] for option in options]
        bodies = [choice[:-1] for choice in choices]
        owner = np.repeat(np.arange(len(bodies) + 1), [len(head), *(len(body) for body in bodies)])
        at = np.cumsum([len(head), *(len(body) for body in bodies)])
        sees = np.tril((owner[None, :] == 0) | (owner[None, :] == owner[:, None]))  # an option sees no other option
        places = np.concatenate([np.arange(len(head)), *(len(head) + np.arange(len(body)) for body in bodies)])
        with torch.inference_mode():
            states = model.model(
                input_ids=torch.tensor([[*head, *(token for body in bodies for token in body)]]),
                position_ids=torch.from_numpy(places)[None],
                attention_mask=torch.zeros(sees.shape).masked_fill(~torch.from_numpy(sees), -3.4e38)[None, None],
                use_cache=False,
            ).last_hidden_state[0]
            logs = -torch.log_softmax(model.lm_head(states), dim=1).numpy()
        sums = []
        for choice, end, body in zip(choices, at[1:], bodies, strict=True):
            rows_of = [len(head) - 1, *range(end - len(body), end)][: len(choice)]
            sums.append([float(logs[rows_of, choice].sum()), len(choice)])
        yield key, {"q": [float(value) for value in logs[np.arange(len(text)), text]], "o": sums}
        if n % 100 == 0:
            say(f"  {n:,} of {len(rows):,} questions read")


def _options(data: Path, name: str) -> dict[str, Sequence[str]]:
    with gzip.open(data / TARGETS[name].data / "outcomes.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    found = {str(row["question"]): row.get("options") or [] for row in rows}
    return {text: list(o.values()) if isinstance(o, dict) else list(o) for text, o in found.items()}


def run(data: Path, *, cache: Path, most: int, sets: Sequence[str]) -> dict[str, Any]:
    """Every figure by set."""
    encoder, figures = load_encoder(EncoderSpec()), {}
    for name in sets:
        rows, options = (
            load_rows(data / TARGETS[name].data, TARGETS[name].pair, TARGETS[name].domain),
            _options(data, name),
        )
        drawn = np.sort(np.random.default_rng(0).permutation(len(rows.texts))[:most]).tolist()
        rows = Rows(
            [rows.texts[i] for i in drawn], [rows.topics[i] for i in drawn], rows.text_key[drawn], rows.quality[drawn]
        )
        found = surprises([(text, options[text]) for text in rows.texts], cache=cache / "likelihood" / "smollm2.jsonl")
        figures[name] = measure(rows, embed(rows.texts, encoder, folder=cache / "embeddings"), found)
    return figures


@click.command()
@data_option
@click.option("--set", "sets", multiple=True, type=click.Choice(list(TARGETS)), help="Only this one; may repeat.")
@click.option("--most", default=2000, show_default=True, help="Rows of a set.")
@cache_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(data: Path, sets: tuple[str, ...], most: int, cache: Path | None, as_json: bool) -> None:
    """Measure what SmolLM2's surprise adds. Example: python -m benchmarks.likelihood --data ../data --most 500."""
    figures = run(data, cache=cache or cache_folder(), most=most, sets=sets or SETS)
    if as_json:
        click.echo(json.dumps(figures, indent=1))
        return
    for name, one in figures.items():
        click.echo(f"{name}: {one['n_rows']} rows; share of variance {one['share_of_variance']}")
        for column, interval in one["apgr"].items():
            less = one["minus_combined"].get(column)
            click.echo(
                f"  {column:16} {as_text(interval)}" + (f"   less combined {as_text(less, '+')}" if less else "")
            )


if __name__ == "__main__":
    main()
