"""The results that checks of coding give, in one form: evidence holds codes and counts, never words of the answer."""

from collections.abc import Mapping

from verifiers.chain import CheckOutcome, CheckResult, Evidence
from verifiers.coding.claim import Claim, ClaimedCode
from verifiers.coding.code_set import dotted


def fine(check: str, claim: Claim | None = None, *, reason: str = "ok") -> CheckResult:
    """Nothing stands against the answer."""
    return CheckResult(check=check, outcome=CheckOutcome.PASS, reason=reason, evidence=_about(claim))


def wrong(check: str, reason: str, each: ClaimedCode, claim: Claim) -> CheckResult:
    """The code is wrong, whatever else the answer says."""
    return CheckResult(check=check, outcome=CheckOutcome.FAIL, reason=reason, evidence={**_about(claim), **shown(each)})


def doubtful(check: str, reason: str, evidence: Mapping[str, Evidence]) -> CheckResult:
    """Something that a person should look at, and that may still be right."""
    return CheckResult(check=check, outcome=CheckOutcome.CANNOT_DECIDE, reason=reason, evidence=evidence)


def unread(check: str, claim: Claim) -> CheckResult:
    """The answer claims no code, or leaves open which."""
    return doubtful(check, "several_codes_found" if claim.n_open else "no_code_found", {"n_codes": claim.n_open})


def not_applicable(check: str, reason: str, *, required: bool) -> CheckResult:
    """A pass where the check has nothing to look at, unless the pack requires that it has."""
    return doubtful(check, reason, {}) if required else fine(check, reason=reason)


def shown(each: ClaimedCode) -> dict[str, Evidence]:
    """The code where it looks like one; else only that it does not, since it could be anything."""
    return {"code": each.code} if each.is_code_shaped else {"is_code_shaped": False}


def shown_rival(bare: str | None) -> dict[str, Evidence]:
    """The code that fits better, where there is one."""
    return {} if bare is None else {"rival": dotted(bare)}


def _about(claim: Claim | None) -> dict[str, Evidence]:
    if claim is None or not claim.codes:
        return {}
    if len(claim.codes) == 1:
        return {**shown(claim.codes[0]), "is_labelled": claim.codes[0].is_labelled}
    return {"n_codes": len(claim.codes)}
