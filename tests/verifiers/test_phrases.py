"""Phrases are found through an index, and what is found is what the definition says."""

import re

from hypothesis import given
from hypothesis import strategies as st

from verifiers.stakes.phrases import Words

LETTERS = st.text("abc", min_size=1, max_size=5)
PARTS = st.one_of(LETTERS, st.text("abc", min_size=3, max_size=4).map(lambda start: f"{start}*"))
PHRASES = st.lists(st.lists(PARTS, min_size=1, max_size=3).map(" ".join), min_size=1, max_size=6)
TEXTS = st.lists(LETTERS, max_size=12).map(" ".join)


def places(text, phrase):
    """Where a phrase begins, word by word, as the definition says."""
    words, parts = text.split(), phrase.split()
    fits = [re.compile(re.escape(part.rstrip("*")) + ("[abc]*" if part.endswith("*") else "")) for part in parts]
    return [
        start
        for start in range(len(words) - len(parts) + 1)
        if all(fit.fullmatch(words[start + step]) for step, fit in enumerate(fits))
    ]


@given(TEXTS, PHRASES)
def test_a_text_has_any_of_the_phrases_iff_one_of_them_stands_at_some_place(text, phrases):
    assert Words(text).has_any(phrases) == any(places(text, phrase) for phrase in phrases)


@given(TEXTS, PHRASES, PHRASES, st.integers(1, 4))
def test_phrases_are_near_iff_two_of_their_places_are_so_many_words_apart(text, phrases, others, within):
    here = [place for phrase in phrases for place in places(text, phrase)]
    there = [place for phrase in others for place in places(text, phrase)]
    expected = any(abs(one - other) <= within for one in here for other in there)

    assert Words(text).has_near(phrases, others, within=within) == expected
