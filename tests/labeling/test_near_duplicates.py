import numpy as np
import pytest

from labeling.content.near_duplicates import near_pairs, shingles_of
from labeling.content.query_overlap import QueryOverlap

WORDS = [f"word{n}" for n in range(60)]


def some_texts(rng, n):
    """Texts of 8 to 30 words, half of them another one with up to three words changed."""
    texts = [list(rng.choice(WORDS, size=rng.integers(8, 31))) for _ in range(n // 2)]
    for text in list(texts):
        changed = list(text)
        for at in rng.integers(0, len(changed), size=rng.integers(0, 4)):
            changed[at] = str(rng.choice(WORDS))
        texts.append(changed)
    return [" ".join(text) for text in texts]


@pytest.mark.parametrize("bound", [0.5, 0.75, 0.9, 1.0])
def test_the_index_finds_exactly_what_comparing_all_with_all_finds(bound):
    shingles = [shingles_of(text) for text in some_texts(np.random.default_rng(3), 200)]
    sets = [set(one.tolist()) for one in shingles]
    wanted = {
        (first, second)
        for second in range(len(sets))
        for first in range(second)
        if len(sets[first] & sets[second]) >= bound * len(sets[first] | sets[second])
    }

    found = near_pairs(shingles, least_similarity=bound)

    assert {(pair.first, pair.second) for pair in found} == wanted
    assert len(wanted) >= 20
    assert [pair.similarity for pair in found] == sorted((pair.similarity for pair in found), reverse=True)


def test_none_of_a_thousand_copies_of_one_form_goes_unnoticed():
    form = (
        "Code the diagnosis of patient in bed {} who was seen for meningitis due to sporotrichosis "
        "and then went home without any complaint at all"
    )
    found = near_pairs([shingles_of(form.format(n)) for n in range(1000)])

    assert {place for pair in found for place in (pair.first, pair.second)} == set(range(1000))


def test_texts_without_a_letter_are_near_nothing():
    assert near_pairs([shingles_of("?!"), shingles_of(""), shingles_of("... ?")]) == []


def test_letters_of_other_scripts_count():
    one, other = (shingles_of(f"Перелом шейки левой бедренной кости у взрослого пациента {end}") for end in ("а", "б"))

    assert near_pairs([one, other], least_similarity=0.5)[0].similarity < 1


def test_two_stored_items_are_not_reported_again():
    overlap = QueryOverlap()
    for number in range(2):
        overlap.add(f"q{number}", f"one and the same long question about a fracture of the femur {number}", group=None)

    assert overlap.near_duplicates() == ()
