"""figures.prose: arithmetic that an answer states is recomputed. It reads no table and no source."""

from verifiers.case import Case
from verifiers.chain import CheckResult, Price
from verifiers.figures.equations import equations_of
from verifiers.figures.finding import Finding, conclude, number


class ProseArithmetic:
    """Fails when an equation of the answer, such as `12.5 + 7.5 = 21`, does not hold to the digits shown."""

    id = "figures.prose"
    price = Price.FREE

    def __init__(self, *, required: bool = False) -> None:
        self._required = required

    def judge(self, case: Case) -> CheckResult:
        """Pass when every equation that could be read holds."""
        equations = equations_of(case.answer)
        findings = [
            Finding(
                "wrong_arithmetic", is_hard=True, evidence={"expected": number(e.expected), "stated": number(e.stated)}
            )
            for e in equations
            if not e.holds
        ]
        return conclude(
            self.id,
            findings,
            n_checked=len(equations),
            nothing="no_arithmetic",
            required=self._required,
            text=case.answer,
        )
