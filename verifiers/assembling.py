"""The recheck that settings describe: the pack's checks, those that ask the models named there, and what they may take.

| setting | adds, where the pack does not name it itself |
|---|---|
| `verifiers.n_samples` | `doubt.samples` |
| `verifiers.second` | `doubt.second_model` |
| `verifiers.stack` | `doubt.suspicion` |
| `verifiers.judge` | `doubt.judge` |

It asks nobody and opens nothing: models come as callables.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.model_settings import ModelSettings
from core.verifier_settings import VerifierSettings
from verifiers.catalogue import make_check
from verifiers.chain import Check, Limits, Price
from verifiers.packs import checks_of, load_pack
from verifiers.stakes.sources import policy_in_force
from verifiers.verdict import price_of
from verifiers.warming import warm_up

NO_PACK = "none"
"""The pack's name where settings name none: nothing is rechecked, so nothing is verified."""


@dataclass(frozen=True)
class Recheck:
    """Checks that are ready to run, and what the recheck of one answer may take."""

    checks: tuple[Check, ...] = ()
    limits: Limits = field(default_factory=Limits)

    @property
    def needs_tokens(self) -> bool:
        """Whether a check reads the weak model's log-probabilities."""
        return any(getattr(check, "needs_tokens", False) is True for check in self.checks)

    @property
    def timeout_s(self) -> float:
        """Seconds that the whole recheck of one answer may take: the free checks together count as one."""
        paid = [check.id for check in self.checks if price_of(check) is not Price.FREE]
        return self.limits.check_timeout_s + sum(self.limits.timeout_s(check) for check in paid)


def recheck_of(verifiers: VerifierSettings, *, resources: Mapping[str, object] | None = None) -> Recheck:
    """The recheck that the settings describe.

    A check that asks models has the seconds that its pack says, else as long as its calls may take together.

    Args:
        verifiers: the settings.
        resources: what checks need that ask models: `weak`, `second`, `judge`, `judge_name`, `proof`, `gauge`,
            `reads_facts`.

    Raises:
        SettingsError: the pack, or an option of a check, cannot be used.
        MissingExtra: a library that a check needs is not installed.
    """
    if verifiers.pack == NO_PACK:
        return Recheck(limits=_limits(verifiers, {}))
    pack = load_pack(verifiers.pack)
    checks = checks_of(pack, resources=resources)
    for name, options in _added(verifiers):
        if name not in {check.id for check in checks}:
            check = make_check(name, options, beside=None, resources=resources)
            warm_up(check)
            checks += (check,)
    timeouts_s = {**_calls_s(verifiers, checks, resources or {}), **pack.timeouts_s}
    return Recheck(checks, _limits(verifiers, timeouts_s))


def free_recheck_of(verifiers: VerifierSettings) -> Recheck:
    """Of that recheck, the checks that ask nobody and read texts alone: those that rows of a run can be put through.

    A certificate may count on them, whatever the others say: these stop answers, and never let one leave.
    """
    if verifiers.pack == NO_PACK:
        return Recheck(limits=_limits(verifiers, {}))
    pack = load_pack(verifiers.pack)
    of_texts = tuple(
        check
        for check in checks_of(pack)
        if price_of(check) is Price.FREE and not getattr(check, "needs_tokens", False)
    )
    return Recheck(of_texts, _limits(verifiers, pack.timeouts_s))


def verifier_policy(verifiers: VerifierSettings, domains: Sequence[str] = ()) -> dict[str, Any]:
    """What a bundle and its certificate say of the recheck: the settings, and the hash of what their files hold.

    `stakes_sha256` is that of the policy of stakes, as each decision of the gateway names it.

    Args:
        verifiers: the settings.
        domains: those that the settings name (`data.target_domains`).
    """
    files = {name: getattr(verifiers, name) for name in ("policy", "judge_proof", "stack")}
    return {
        **verifiers.model_dump(mode="json"),
        "pack_sha256": pack_hash(verifiers.pack),
        "stakes_sha256": policy_in_force(verifiers, domains).sha256,
        "files_sha256": {name: _sha256(path) for name, path in files.items() if path is not None and path.is_file()},
    }


def pack_hash(pack: str) -> str | None:
    """The hash of all that decides with a pack; None where there is none to load."""
    return None if pack == NO_PACK else load_pack(pack).sha256


def _added(verifiers: VerifierSettings) -> list[tuple[str, dict[str, Any]]]:
    added: list[tuple[str, dict[str, Any]]] = []
    if verifiers.n_samples > 0:
        added.append(("doubt.samples", {"n_samples": verifiers.n_samples}))
    if verifiers.second is not None:
        added.append(("doubt.second_model", {}))
    if verifiers.stack is not None:
        added.append(("doubt.suspicion", {"tau": verifiers.stack_tau}))
    if verifiers.judge is not None:
        added.append(("doubt.judge", {"band": [verifiers.judge_from, 1.0]}))
    return added


def _calls_s(verifiers: VerifierSettings, checks: Sequence[Check], resources: Mapping[str, object]) -> dict[str, float]:
    """Seconds of each check that asks a model: that model's timeout for each of its calls."""
    models: dict[str, ModelSettings | None] = {"second": verifiers.second, "judge": verifiers.judge}
    slowest_s = max([verifiers.check_timeout_s, *(model.timeout_s for model in models.values() if model is not None)])
    weak_s = resources.get("weak_timeout_s")
    slowest_s = max(slowest_s, weak_s) if isinstance(weak_s, float) else slowest_s
    return {
        check.id: max(verifiers.check_timeout_s, slowest_s * getattr(check, "most_calls", 1))
        for check in checks
        if price_of(check) is not Price.FREE
    }


def _limits(verifiers: VerifierSettings, timeouts_s: Mapping[str, float]) -> Limits:
    return Limits(
        check_timeout_s=verifiers.check_timeout_s,
        max_calls=verifiers.max_calls,
        max_cost_usd=verifiers.max_cost_usd,
        timeouts_s=timeouts_s,
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
