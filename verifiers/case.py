"""One weak answer to recheck, with everything that a check may read. Holds no verdict, and is never recorded."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, JsonValue

from core.records import Name, Query, Record


class Token(Record):
    """One token of the answer with its log-probability, and that of the best token that was not chosen."""

    text: str
    logprob: Annotated[float, Field(le=0, allow_inf_nan=False)]
    runner_up: Annotated[float, Field(le=0, allow_inf_nan=False)] | None = None


class Case(Record):
    """The query, the weak answer, and what else is known about them.

    `facts` come from the row or the request's metadata; a check that needs one it does not find cannot decide:

    | fact | what it is |
    |---|---|
    | source | text that the answer must be grounded in; without it the query's own text |
    | date_of_service | ISO date that decides which release of a code set holds |
    | age_years | the patient's age |
    | schema | a JSON Schema that the answer must satisfy |
    | allowed | the answers that may be given |
    | language | ISO 639-1 code in which the answer must be |

    `tokens` are the weak model's own, where its endpoint gave log-probabilities. `is_client_told` says that the facts
    are a client's word: what a pack itself asks for (its schema, allowed answers, language) then holds whatever they
    say, and a date of service that contradicts the query is none.
    """

    query: Query
    answer: str
    facts: Mapping[Name, JsonValue] = {}
    tokens: tuple[Token, ...] = ()
    is_client_told: bool = False

    @property
    def source(self) -> str:
        """The text that the answer must be grounded in.

        >>> Case(query=Query(id="q", messages=({"role": "user", "content": "Asthma."},)), answer="J45.909").source
        'Asthma.'
        """
        given = self.facts.get("source")
        return given if isinstance(given, str) and given.strip() else self.query.text
