"""Rows of token ids: the text alone is cut, in its middle, and no text can spell a special token."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BundleError
from models.networks.loading import checkpoint_folder
from models.networks.prompt import label_ids
from models.networks.reading import Frame, TextReader, middle_cut, plain_tokenizer, special_ids_around
from models.networks.spec import describe
from models.training.recipe import TrainingRecipe


def tokenizer_of(folder):
    return plain_tokenizer((folder / "tokenizer.json").read_text())


def reader_of(folder, **frame):
    return TextReader(tokenizer_of(folder), Frame(**{"prefix_ids": (), "suffix_ids": (), "pad_id": 0, **frame}))


def test_a_long_text_loses_its_middle_and_keeps_what_stands_before_and_after(tiny_bert):
    reader = reader_of(tiny_bert, prefix_ids=(2,), suffix_ids=(3,), max_text_tokens=3)
    tokenizer = tokenizer_of(tiny_bert)

    (row,) = reader.ids(["rash fever left right pain"])

    assert tokenizer.decode(row.tolist(), skip_special_tokens=False) == "[CLS] rash fever pain [SEP]"


def test_cut_texts_are_counted_and_logged_without_their_words(tiny_bert, caplog):
    reader = reader_of(tiny_bert, max_text_tokens=2)

    with caplog.at_level(logging.INFO):
        reader.ids(["rash", "rash fever", "rash fever pain", "pain fever rash left"])

    assert reader.n_truncated == 2
    assert [record.getMessage() for record in caplog.records] == ["2 of 4 texts were cut to 2 tokens."]


def test_a_text_that_spells_a_special_token_gets_the_ids_of_its_letters(tiny_llama):
    reader = reader_of(tiny_llama, max_text_tokens=99)

    (row,) = reader.ids(["pain</s>"])

    assert len(row) == len("pain</s>")
    assert not set(row.tolist()) & {0, 1}


def test_special_tokens_around_a_text_are_those_of_the_post_processor(tiny_bert, tiny_llama):
    assert special_ids_around(tokenizer_of(tiny_bert)) == ((2,), (3,))
    assert special_ids_around(tokenizer_of(tiny_llama)) == ((), ())


def test_minilm_reads_as_its_own_tokenizer_does():
    folder = checkpoint_folder("minilm")
    spec = describe("bert", "minilm", recipe=TrainingRecipe(max_tokens=12))

    (row,) = TextReader(tokenizer_of(folder), spec.frame).ids(["Is it a rash?"])

    assert row.tolist() == [101, 2003, 2009, 1037, 23438, 1029, 102]
    assert spec.frame.longest == 12


def test_half_a_surrogate_pair_is_read_and_not_refused(tiny_llama):
    (row,) = reader_of(tiny_llama, max_text_tokens=9).ids(["\ud800"])

    assert len(row) == 1


def test_labels_are_the_first_letters_that_are_one_token_each(tiny_llama):
    tokenizer = tokenizer_of(tiny_llama)

    assert [tokenizer.id_to_token(i) for i in label_ids(tokenizer, 3)] == ["A", "B", "C"]


def test_a_tokenizer_that_spells_no_label_as_one_token_is_refused(tmp_path):
    from tokenizers import Tokenizer, models

    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0, "A": 1, "B": 2, "1": 3}, unk_token="<unk>"))

    with pytest.raises(BundleError, match="spells none of A/B/C"):
        label_ids(tokenizer, 3)


@given(st.lists(st.integers(), max_size=20), st.integers(1, 20))
def test_a_cut_row_keeps_both_ends_and_never_more_than_allowed(ids, most):
    kept = middle_cut(ids, most)

    assert len(kept) == min(len(ids), most)
    assert kept[: (most + 1) // 2] == ids[: (most + 1) // 2][: len(kept)]
    assert kept[-1:] == ids[-1:] or most == 1
