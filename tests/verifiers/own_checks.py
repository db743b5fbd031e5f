"""The example of docs/verifiers.md: a check of a site's own."""

from verifiers.case import Case
from verifiers.chain import CheckOutcome, CheckResult, Price


class NoSecrets:
    """Fails where the answer holds a word that must not leave the house."""

    id = "own.no_secrets"
    price = Price.FREE

    def __init__(self, *, words: list[str]) -> None:
        self._words = [word.lower() for word in words]

    def judge(self, case: Case) -> CheckResult:
        answer = case.answer[:100_000].lower()
        n_found = sum(word in answer for word in self._words)
        return CheckResult(
            check=self.id,
            outcome=CheckOutcome.FAIL if n_found else CheckOutcome.PASS,
            reason="secret_word" if n_found else "ok",
            evidence={"n_found": n_found},
        )
