"""Makes a check load now what it would load on its first answer: no request waits, no library is missed late."""

from core.errors import PreceptorError
from core.records import Message, Query
from verifiers.case import Case
from verifiers.chain import Check, Price
from verifiers.verdict import price_of

_CASE = Case(
    query=Query(id="warm-up", messages=(Message(role="user", content="Asthma, seen on 2 March 2026. Sum 40 and 2?"),)),
    answer=(
        'Code: J45.909. See 410 U.S. 113 (1973) and Section 2(a). It says "the party shall give notice in writing". '
        "40 + 2 = 42, NPI 1234567893, IBAN GB82 WEST 1234 5698 7654 32, LEI 5493001KJTIIGC8Y1R12, 5 mg on 3 March 2026."
    ),
    facts={
        "source": "Section 2(a): the party shall give notice in writing. Asthma since 2 March 2026. 40 and 2.",
        "date_of_service": "2026-03-02",
        "age_years": 40,
        "schema": {"type": "object"},
        "allowed": ["J45.909"],
        "language": "en",
    },
)
"""An answer with something for every check to read."""


def warm_up(check: Check) -> None:
    """Call the check's own `warm_up` where it has one; else let a free check judge one answer, and forget what it says.

    Raises:
        PreceptorError: the check cannot work here, such as for want of a library.
    """
    own = getattr(check, "warm_up", None)
    try:
        if own is not None:
            own()
        elif price_of(check) is Price.FREE:
            check.judge(_CASE)
    except PreceptorError:
        raise
    except Exception:  # noqa: BLE001 - what breaks now breaks on answers too, and is on record there
        return
