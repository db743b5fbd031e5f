"""Exports as Hugging Face's own libraries read them: `datasets` loads the folder, TRL takes both preference forms."""

import importlib.util
import json

import pytest

from labeling.frozen.dataset_files import counts
from labeling.frozen.exports import Exported, export
from labeling.frozen.hf_folder import hf_files
from labeling.frozen.lines import json_lines
from tests.conftest import absent
from tests.labeling.frozen_datasets import FIRST, SECOND, judgement, six, version

TEMPLATE = "{% for message in messages %}<{{ message.role }}>{{ message.content }}{% endfor %}"


def library(name):
    """A library of the dev extra."""
    if importlib.util.find_spec(name) is None:
        absent(f"{name} (pip install 'preceptor[dev]')")
    return pytest.importorskip(name)


def written(dataset, form, folder, *, part="all"):
    """The rows of a form as a JSONL file."""
    path = folder / f"{form}.jsonl"
    path.write_text(json_lines(export(dataset, form, part=part).rows), encoding="utf-8")
    return str(path)


@pytest.fixture
def tokenizer():
    """A tokeniser that knows no words, with a chat template."""
    tokenizers, transformers = library("tokenizers"), library("transformers")
    plain = tokenizers.Tokenizer(tokenizers.models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    return transformers.PreTrainedTokenizerFast(tokenizer_object=plain, chat_template=TEMPLATE)


def test_datasets_loads_the_folder_with_its_splits_columns_and_types(tmp_path):
    datasets = library("datasets")
    told = [judgement(1, "ann", FIRST), judgement(2, "ann", SECOND, strength=2), judgement(3, "ann", FIRST)]
    dataset = version(told, p2={"is_audit": True, "inclusion_probability": 0.25})
    rows = export(dataset, "hf", part="all").rows
    Exported(hf_files(dataset, rows), len(rows), 0, "{}").write(tmp_path / "ear")
    loaded = datasets.load_dataset(str(tmp_path / "ear"), cache_dir=str(tmp_path / "cache"))

    assert {split: loaded[split]["pair_id"][:] for split in loaded} == {"train": ["p-001", "p-003"], "audit": ["p-002"]}
    assert loaded["audit"][0] == {
        **{key: value for key, value in rows[1].items() if key != "messages"},
        "messages": [{"role": "user", "content": "Code diagnosis 2: ménière’s disease."}],
    }
    assert (loaded["train"][0]["strength"], loaded["audit"][0]["strength"]) == (None, 2.0)
    assert str(loaded["train"].features["n_experts"].dtype) == "int64"


def test_the_card_is_the_datasheet_and_the_same_version_gives_the_same_bytes():
    rows = export(six(), "hf").rows
    files = hf_files(six(), rows)

    assert files == hf_files(six(), rows)
    assert sorted(files) == ["README.md", "data/train-00000-of-00001.parquet"]
    assert "\n---\n\n# ear@1\n" in files["README.md"].decode()
    assert f"{counts(six())['judgements']} judgements of 1 experts" in files["README.md"].decode()


def test_trl_takes_the_preference_form_as_a_conversation_and_renders_the_chosen_answer(tmp_path, tokenizer):
    datasets, trl = library("datasets"), library("trl.data_utils")
    rows = datasets.load_dataset("json", data_files=written(six(), "trl", tmp_path), cache_dir=str(tmp_path / "cache"))
    rendered = [trl.apply_chat_template(row, tokenizer) for row in rows["train"]]

    assert all(trl.is_conversational(row) for row in rows["train"])
    assert rendered[1]["prompt"] == "<user>Code diagnosis 2: ménière’s disease."
    assert (rendered[1]["chosen"], rendered[1]["rejected"]) == (
        "<assistant>H81.02",
        "<assistant>**H81.02**, Ménière's disease.",
    )
    assert rows["train"]["margin"][:] == [2.0, 1.0, 3.0]


def test_trl_takes_the_unpaired_form_and_unpairs_the_preference_form_into_the_same_labels(tmp_path, tokenizer):
    datasets, trl = library("datasets"), library("trl.data_utils")
    decided = version([judgement(1, "ann", FIRST), judgement(2, "ann", SECOND)])
    files = {form: written(decided, form, tmp_path) for form in ("kto", "trl")}
    loaded = {
        form: datasets.load_dataset("json", data_files=path, cache_dir=str(tmp_path / form))["train"]
        for form, path in files.items()
    }
    unpaired = trl.unpair_preference_dataset(loaded["trl"].select_columns(["prompt", "chosen", "rejected"]))
    labels = [
        {json.dumps([row["prompt"], row["completion"]]): row["label"] for row in rows}
        for rows in (loaded["kto"], unpaired)
    ]

    assert all(trl.is_conversational(row) for row in loaded["kto"])
    assert trl.apply_chat_template(loaded["kto"][1], tokenizer)["completion"] == "<assistant>H81.01"
    assert labels[0] == labels[1]
    assert sorted(labels[0].values()) == [False, False, True, True]
