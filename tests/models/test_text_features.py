"""Text features: each says what its name says, and no text breaks them."""

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.looks import FARTHEST, fit_looks
from models.text_features import FEATURES, text_features

MULTIPLE_CHOICE = "Which is TRUE?\nA. 12 dogs\nB. 7\nC. none of the above\nAnswer:"


def features(text: str) -> dict[str, float]:
    return dict(zip(FEATURES, text_features([text])[0].tolist(), strict=True))


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("a b c", "characters", math.log1p(5)),
        ("one two three", "words", math.log1p(3)),
        ("12 and 3.5", "numbers", math.log1p(2)),
        ("12 and 3.5", "decimals", math.log1p(1)),
        ("in 2019 and 1999", "years", math.log1p(2)),
        ("He did not, and never will", "negations", math.log1p(2)),
        ("All EXCEPT the MRI", "upper_case_words", math.log1p(2)),
        ("The ____ is", "blanks", 1.0),
        ("The __ is", "blanks", 0.0),
        ("How many are there?", "how_many", 1.0),
        ("Which of the following", "which_following", 1.0),
        ("Carotene is", "ends_open", 1.0),
        ("Carotene is:", "colon_end", 1.0),
        ("What is it?", "starts_with_wh", 1.0),
        ("So what is it?", "starts_with_wh", 0.0),
        ("ABab", "capitals", 0.5),
        ("a1b2", "digits", 0.5),
        ("the fact", "stop_words", 0.5),
        (MULTIPLE_CHOICE, "option_lines", math.log1p(3)),
        (MULTIPLE_CHOICE, "numeric_options", 2 / 3),
        (MULTIPLE_CHOICE, "none_or_all", 1.0),
        (MULTIPLE_CHOICE, "question_mark", 1.0),
    ],
)
def test_a_feature_is_what_its_name_says(text, name, value):
    assert features(text)[name] == pytest.approx(value, abs=1e-6)


def test_the_table_in_the_docstring_names_every_feature():
    import models.text_features

    table = models.text_features.__doc__
    missing = [name for name in FEATURES if name not in table]

    assert missing == []


@given(st.text())
def test_no_text_gives_what_is_not_a_number(text):
    assert np.isfinite(text_features([text])).all()


@pytest.mark.parametrize("unit", ["\n", " ", "A.\n", "? ", ": ", "1.", "_", "(", "' ", "the "])
def test_time_grows_with_the_length_of_a_text_and_not_with_its_square(unit):
    started = time.process_time()

    text_features([unit * 50_000])

    assert time.process_time() - started < 5.0  # about 0.1 s; squared, it would be minutes


def test_no_texts_give_no_rows():
    assert text_features([]).shape == (0, len(FEATURES))


def test_looks_have_a_length_of_at_most_what_the_cut_allows():
    looks = fit_looks(["a", "What is 3?", MULTIPLE_CHOICE])

    far = looks.vectors(["9" * 100_000])[0]

    assert np.abs(far[: len(FEATURES)]).max() <= FARTHEST * math.sqrt(0.5 / len(FEATURES)) + 1e-6
    assert np.square(far[len(FEATURES) :]).sum() <= 1.0


def test_curves_have_the_inner_products_of_the_kernel_they_stand_for():
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(["net", "loss", "12", "Why?", "not", "(x)"], size)) for size in rng.integers(1, 9, 30)]
    looks = fit_looks(texts)

    curves = looks.vectors(texts)[:, len(FEATURES) :]

    z = np.clip((text_features(texts) - looks.center) / looks.spread, -FARTHEST, FARTHEST)
    squares = np.square(z[:, None] - z[None]).sum(axis=2)
    np.testing.assert_allclose(2 * curves @ curves.T, np.exp(-squares / len(FEATURES)), atol=0.2)
    assert np.abs(2 * curves @ curves.T - np.exp(-squares / len(FEATURES))).mean() < 0.05
