import pytest

from core.records import Query, messages_of
from verifiers.case import Case


@pytest.fixture
def case():
    """An answer to recheck, with what is known about it: `case("Code: B42.81", "Code this.", age_years=70)`."""

    def make(answer, query="Code this.", **facts):
        return Case(query=Query(id="q", messages=messages_of(query)), answer=answer, facts=facts)

    return make
