"""What an answer's figures may rest on: the source and the query, up to a cap. It judges nothing."""

from verifiers.case import Case

READ_SOURCE = 60_000
"""Characters of the source and the query that are read."""


def grounds_of(case: Case) -> str:
    r"""The source and, where it is another text, the query, at most 60,000 characters.

    >>> grounds_of(Case(query={"id": "q", "messages": [{"role": "user", "content": "How much?"}]}, answer="4",
    ...                 facts={"source": "It costs $4."}))
    'It costs $4.\nHow much?'
    """
    source, asked = case.source, case.query.text
    return (source if asked in source else f"{source}\n{asked}")[:READ_SOURCE]
