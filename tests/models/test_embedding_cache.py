"""The embedding cache: each text is encoded once, ever, and what a killed or damaged run left is mended."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.embedding_cache import embed
from models.encoders import EncoderSpec


class HashEncoder:
    """A real encoder of a kind: a vector made of the text's hash; remembers what it was asked, may break."""

    dimension = 4
    n_truncated = 0

    def __init__(self, *, sha256="a" * 64, max_tokens=256, breaks_at_batch=None):
        self.spec = EncoderSpec(max_tokens=max_tokens)
        self.sha256 = sha256
        self.asked = []
        self.breaks_at_batch = breaks_at_batch

    def encode(self, texts):
        self.asked.append(list(texts))
        if len(self.asked) == self.breaks_at_batch:
            raise KeyboardInterrupt
        digests = [hashlib.sha256(text.encode()).digest()[:4] for text in texts]
        return np.array([list(digest) for digest in digests], dtype=np.float32).reshape(-1, 4)

    @property
    def encoded(self):
        return sorted(text for batch in self.asked for text in batch)


@settings(deadline=None, max_examples=50)
@given(texts=st.lists(st.text(max_size=5)), batch_size=st.integers(1, 7))
def test_cached_vectors_are_the_encoders_own_in_order(tmp_path_factory, texts, batch_size):
    folder = tmp_path_factory.mktemp("cache")
    expected = HashEncoder().encode(texts)

    for _ in range(2):
        assert np.array_equal(embed(texts, HashEncoder(), folder=folder, batch_size=batch_size), expected)


def test_a_text_that_repeats_is_encoded_once(tmp_path):
    encoder = HashEncoder()

    embed(["b", "a", "b", "b"], encoder, folder=tmp_path)

    assert encoder.encoded == ["a", "b"]


def test_a_second_run_encodes_only_what_is_new(tmp_path):
    embed(["a", "b"], HashEncoder(), folder=tmp_path)
    encoder = HashEncoder()

    embed(["c", "a", "b"], encoder, folder=tmp_path)

    assert encoder.encoded == ["c"]


@pytest.mark.parametrize("other", [{"sha256": "b" * 64}, {"max_tokens": 8}])
def test_another_encoder_never_gets_these_vectors(tmp_path, other):
    embed(["a"], HashEncoder(), folder=tmp_path)
    encoder = HashEncoder(**other)

    embed(["a"], encoder, folder=tmp_path)

    assert encoder.encoded == ["a"]


def test_an_interrupted_run_keeps_the_batches_it_finished(tmp_path):
    texts = [f"{i:02}" for i in range(10)]
    with pytest.raises(KeyboardInterrupt):
        embed(texts, HashEncoder(breaks_at_batch=4), folder=tmp_path, batch_size=2)
    encoder = HashEncoder()

    vectors = embed(texts, encoder, folder=tmp_path, batch_size=2)

    assert encoder.encoded == ["06", "07", "08", "09"]
    assert np.array_equal(vectors, HashEncoder().encode(texts))


def test_a_killed_run_resumes_where_it_was_saved(tmp_path):
    code = f"""
import os, sys, numpy as np
from pathlib import Path
from models.embedding_cache import embed
from models.encoders import EncoderSpec
class Dies:
    spec, sha256, dimension, calls = EncoderSpec(), "a" * 64, 4, 0
    def encode(self, texts):
        self.calls += 1
        if self.calls == 4:
            os._exit(9)
        return np.zeros((len(texts), 4), np.float32)
embed([f"{{i:02}}" for i in range(10)], Dies(), folder=Path({str(tmp_path)!r}), batch_size=2, max_unsaved_s=0)
"""
    root = Path(__file__).parents[2]
    died = subprocess.run([sys.executable, "-c", code], cwd=root, env=os.environ, check=False)
    encoder = HashEncoder()

    embed([f"{i:02}" for i in range(10)], encoder, folder=tmp_path)

    assert died.returncode == 9
    assert encoder.encoded == ["06", "07", "08", "09"]


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_a_shard_with_one_changed_byte_is_made_anew(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("cache")
    expected = embed(["a", "b"], HashEncoder(), folder=folder)
    (shard,) = folder.rglob("*.safetensors")
    content = bytearray(shard.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    shard.write_bytes(content)
    encoder = HashEncoder()

    assert np.array_equal(embed(["a", "b"], encoder, folder=folder), expected)
    assert encoder.encoded == ["a", "b"]


def test_a_half_written_file_is_passed_over(tmp_path):
    embed(["a"], HashEncoder(), folder=tmp_path)
    (shard,) = tmp_path.rglob("*.safetensors")
    shard.with_suffix(".7.partial").write_bytes(shard.read_bytes()[:20])
    encoder = HashEncoder()

    embed(["a"], encoder, folder=tmp_path)

    assert encoder.encoded == []


def test_progress_counts_repeats_and_what_was_found_and_ends_at_all(tmp_path):
    embed(["a"], HashEncoder(), folder=tmp_path)
    told = []

    embed(["a", "b", "a", "c", "b"], HashEncoder(), folder=tmp_path, batch_size=1, on_batch=told.append)

    assert told == [2, 4, 5]


def test_no_text_lies_in_the_cache(tmp_path):
    embed(["patient Jane Roe"], HashEncoder(), folder=tmp_path)

    assert all(b"Jane" not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
