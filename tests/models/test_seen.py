"""The memory of the questions that a bundle was made from: finds copies, keeps no text."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from core.errors import BundleError
from models.seen import KEY_BYTES, SeenTexts, seen_texts

KEY = bytes(range(KEY_BYTES))


@given(st.lists(st.text(), max_size=20), st.text())
def test_every_text_that_was_seen_is_found_and_another_is_not(texts, other):
    seen = seen_texts([*texts, "What is gout?"], key=KEY)

    assert seen.contains(["  what is GOUT ", *texts]).all()
    assert not seen.contains([f"quite another text {other}"]).any()


def test_order_and_repetition_leave_no_trace():
    there, back = seen_texts(["a", "b", "A."], key=KEY), seen_texts(["b", "a"], key=KEY)

    np.testing.assert_array_equal(there.hashes, back.hashes)
    assert (len(there.hashes), there.hashes.dtype) == (2, np.uint64)
    assert (np.diff(there.hashes.astype(object)) > 0).all()


def test_two_bundles_share_no_hash_since_their_keys_differ():
    texts = [f"question {i}" for i in range(100)]
    one, other = seen_texts(texts, key=KEY), seen_texts(texts, key=bytes(KEY_BYTES))

    assert not np.isin(one.hashes, other.hashes).any()
    assert not SeenTexts(bytes(KEY_BYTES), one.hashes).contains(texts).any()


def test_nothing_seen_contains_nothing_and_nothing_asked_gives_nothing():
    nothing = seen_texts([], key=KEY)

    assert nothing.contains(["a", ""]).tolist() == [False, False]
    assert nothing.contains([]).tolist() == []


def test_the_file_holds_the_same_memory_and_no_word_of_a_text():
    seen = seen_texts(["Injury by bread", "Injury by bus"], key=KEY)
    again = SeenTexts.from_bytes(seen.to_bytes())

    assert again.contains(["Injury by bus", "Injury by bicycle"]).tolist() == [True, False]
    assert b"injury" not in seen.to_bytes().lower()
    assert len(seen.to_bytes()) < 400


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not safetensors",
        save({"hashes": np.zeros(2, np.uint64)}),
        save({"hashes": np.zeros(2, np.uint64), "key": np.zeros(KEY_BYTES, np.uint8)}),  # not each once
        save({"hashes": np.zeros(1, np.int64), "key": np.zeros(KEY_BYTES, np.uint8)}),
        save({"hashes": np.zeros(1, np.uint64), "key": np.zeros(3, np.uint8)}),
    ],
)
def test_a_file_of_another_form_is_refused(content):
    with pytest.raises(BundleError, match=r"seen\.safetensors cannot be read"):
        SeenTexts.from_bytes(content)


def test_a_key_of_another_length_is_refused():
    with pytest.raises(ValueError, match="the key has 3 bytes, not 32"):
        seen_texts(["a"], key=b"abc")
