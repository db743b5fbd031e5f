import itertools

import pytest

from core.records import Query, Stakes, messages_of

ORDER = ["low", "standard", "high", "critical"]


@pytest.mark.parametrize(("lower", "higher"), list(itertools.combinations(ORDER, 2)))
def test_tiers_are_ordered_by_what_a_wrong_answer_costs_and_not_by_their_letters(lower, higher):
    assert Stakes(lower) < Stakes(higher)
    assert Stakes(higher) > lower
    assert lower < Stakes(higher)
    assert Stakes(lower) <= Stakes(lower) <= Stakes(higher)
    assert not Stakes(lower) >= Stakes(higher)
    assert max(Stakes(lower), Stakes(higher)).value == higher


def test_a_text_that_is_no_tier_has_no_place_in_the_order():
    with pytest.raises(ValueError, match="urgent"):
        _ = Stakes.HIGH > "urgent"


def test_a_query_of_unknown_stakes_is_high_and_all_four_tiers_name_a_stratum():
    messages = messages_of("Code this.")

    assert Query(id="q", messages=messages).stakes is Stakes.HIGH
    assert [Query(id="q", messages=messages, domain="law", stakes=tier).stratum_name for tier in ORDER] == [
        "law/low",
        "law/standard",
        "law/high",
        "law/critical",
    ]
