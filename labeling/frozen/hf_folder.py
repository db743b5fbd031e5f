"""Versions as a folder that Hugging Face `datasets` reads: Parquet files, one per split, and a card.

    datasets.load_dataset("FOLDER")

Column types are declared, so an export without a single strength has the same columns as one with many.
"""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from core.errors import MissingExtra
from labeling.frozen.dataset import PART_OF_AUDIT, Dataset
from labeling.frozen.dataset_files import counts
from labeling.frozen.datasheet import datasheet
from labeling.frozen.export_rows import Export, ExportRow
from labeling.frozen.preference_forms import turns
from labeling.frozen.voices import voices_of

if TYPE_CHECKING:
    import pyarrow as pa


def as_hf(dataset: Dataset, *, per_rater: bool) -> Export:
    """One row per pair, or per judgement: texts, verdict, qualities, and where the row comes from."""
    voices = voices_of(dataset, per_rater=per_rater)
    rows: list[ExportRow] = []
    for voice in voices:
        judged, pair = voice.judged, voice.judged.pair
        first_ok, second_ok = voice.acceptable
        rows.append(
            {
                "id": voice.id,
                "pair_id": pair.id,
                "query_id": pair.query.id,
                "messages": turns(pair),
                "first_model": pair.first.model,
                "first_text": pair.first.text,
                "second_model": pair.second.model,
                "second_text": pair.second.text,
                "weak": judged.weak,
                "strong": judged.strong,
                "judge": voice.who,
                "verdict": None if voice.verdict is None else str(voice.verdict),
                "strength": voice.strength,
                "first_acceptable": first_ok,
                "second_acceptable": second_ok,
                "first_quality": voice.first_quality,
                "second_quality": voice.second_quality,
                "share": voice.share,
                "n_experts": voice.n_experts,
                "p_first_better": None if judged.consensus is None else judged.consensus.p_first_better,
                "entropy_bits": None if judged.consensus is None else judged.consensus.entropy_bits,
                "domain": pair.query.domain,
                "stakes": str(pair.query.stakes),
                "stratum": pair.query.stratum_name,
                "group": pair.query.group,
                "topic": pair.query.topic,
                "weight": judged.weight,
                "inclusion_probability": judged.inclusion_probability,
                "split": PART_OF_AUDIT[judged.is_audit],
            }
        )
    n = len(dataset.judgements) if per_rater else len(dataset.pairs)
    return Export(rows, n - len(rows))


def hf_files(dataset: Dataset, rows: Sequence[ExportRow]) -> dict[str, bytes]:
    """The folder's files by path: `data/SPLIT-00000-of-00001.parquet`, and the card with the datasheet in it.

    Raises:
        MissingExtra: pyarrow is not installed.
    """
    splits = [name for name in PART_OF_AUDIT.values() if any(row["split"] == name for row in rows)]
    files = {
        f"data/{split}-00000-of-00001.parquet": _parquet([row for row in rows if row["split"] == split])
        for split in splits
    }
    return {**files, "README.md": _card(dataset, splits).encode()}


def _parquet(rows: Sequence[Mapping[str, object]]) -> bytes:
    try:
        import pyarrow as pa
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise MissingExtra("pyarrow", "train", "The form hf") from error
    columns = [[row[name] for row in rows] for name in _SCHEMA]
    types = {name: _type(pa, kind) for name, kind in _SCHEMA.items()}
    schema = pa.schema(types)
    arrays = [pa.array(values, type=types[name]) for name, values in zip(_SCHEMA, columns, strict=True)]
    written = io.BytesIO()
    parquet.write_table(pa.Table.from_arrays(arrays, schema=schema), written, compression="zstd")
    return written.getvalue()


_SCHEMA = {
    **dict.fromkeys(("id", "pair_id", "query_id"), "text"),
    "messages": "turns",
    **dict.fromkeys(("first_model", "first_text", "second_model", "second_text"), "text"),
    **dict.fromkeys(("weak", "strong", "judge", "verdict"), "text"),
    "strength": "number",
    **dict.fromkeys(("first_acceptable", "second_acceptable"), "truth"),
    **dict.fromkeys(("first_quality", "second_quality", "share"), "number"),
    "n_experts": "count",
    **dict.fromkeys(("p_first_better", "entropy_bits"), "number"),
    **dict.fromkeys(("domain", "stakes", "stratum", "group", "topic"), "text"),
    **dict.fromkeys(("weight", "inclusion_probability"), "number"),
    "split": "text",
}


def _type(pa: "pa", kind: str) -> "pa.DataType":
    if kind == "turns":
        return pa.list_(pa.struct({"role": pa.string(), "content": pa.string()}))
    return {"text": pa.string(), "number": pa.float64(), "truth": pa.bool_(), "count": pa.int64()}[kind]


def _card(dataset: Dataset, splits: Sequence[str]) -> str:
    files = "".join(f"  - split: {split}\n    path: data/{split}-*.parquet\n" for split in splits)
    sheet = datasheet(dataset, counts(dataset)) if dataset.about else f"# {dataset.reference}\n"
    return f"---\nconfigs:\n- config_name: default\n  data_files:\n{files}---\n\n{sheet}"
