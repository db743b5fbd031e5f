"""The bundle's classifier of (question, weak answer) as a check, with the threshold of the request's stratum."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from core.records import Stakes
from gateway.certified import stratum_of
from verifiers.case import Case
from verifiers.chain import Check, CheckOutcome, CheckResult, Price

Suspicions = Callable[[Sequence[tuple[str, str]]], Any]
"""P(the weak answer is not acceptable) per (question, answer), as an array."""


class BundleSuspicion:
    """Fails where suspicion exceeds tau; what cannot be scored is as suspicious as can be."""

    id = "bundle.suspicion"
    price = Price.CHEAP
    most_calls = 0

    def __init__(self, suspicions: Suspicions, tau: float) -> None:
        self._suspicions, self._tau = suspicions, tau

    def judge(self, case: Case) -> CheckResult:
        """Pass iff suspicion <= tau."""
        suspicions = list(self._suspicions([(case.query.routing_text, case.answer)]))
        suspicion = float(suspicions[0]) if len(suspicions) == 1 else math.nan
        suspicion = suspicion if 0.0 <= suspicion <= 1.0 else math.nan
        is_low = suspicion <= self._tau
        return CheckResult(
            check=self.id,
            outcome=CheckOutcome.PASS if is_low else CheckOutcome.FAIL,
            reason="ok" if is_low else "suspicious",
            evidence={"tau": self._tau},
            suspicion=1.0 if math.isnan(suspicion) else suspicion,
        )


def doubt_of(bundle: Any, *, domain: str | None, stakes: Stakes) -> Check | None:  # noqa: ANN401 - a RoutingBundle
    """The check that the bundle asks for in this stratum; None where it has no classifier, or does not ask it here."""
    tau_of = getattr(bundle, "tau", None)
    if tau_of is None:
        return None
    stratum = stratum_of(bundle.thresholds, domain, stakes) or f"default/{stakes}"
    tau = tau_of(stratum)
    return None if tau is None else BundleSuspicion(bundle.suspicions, float(tau))
