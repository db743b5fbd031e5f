"""Where a policy of stakes comes from: the domain pack's part, the deployer's file, and the settings' word for all."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from core.records import Stakes
from core.verifier_settings import VerifierSettings
from verifiers.packs import load_pack
from verifiers.stakes.policy import StakesPolicy, StakesRules, merged, read_rules, rules_of

Source = tuple[StakesRules, Path]
"""A policy as it stands in a YAML, and the folder of that YAML."""


def sources_of(pack: str, policy: Path | None) -> list[Source]:
    """The pack's part and the deployer's file, as far as there are any; `none` is no pack.

    Raises:
        SettingsError: one of them cannot be read, or is no policy.
    """
    found: list[Source] = []
    if pack != "none":
        loaded = load_pack(pack)
        found.append((rules_of(dict(loaded.said.stakes), where=f"{loaded.path}, stakes"), loaded.path.parent))
    if policy is not None:
        found.append((read_rules(policy), policy.parent))
    return found


def policy_in_force(verifiers: VerifierSettings, domains: Sequence[str]) -> StakesPolicy:
    """The policy by which a gateway with these settings tells stakes, and a run forms its strata.

    Args:
        verifiers: the settings.
        domains: those that the settings name (`data.target_domains`); any other is unknown, so high.

    Raises:
        SettingsError: see `stakes_policy`.

    >>> policy_in_force(VerifierSettings(stakes="standard"), ["law"]).domains["law"].value
    'standard'
    """
    default = Stakes(verifiers.stakes)
    return stakes_policy(verifiers.pack, verifiers.policy, default=default, domains=dict.fromkeys(domains, default))


def stakes_policy(
    pack: str, policy: Path | None, *, default: Stakes, domains: Mapping[str, Stakes] | None = None
) -> StakesPolicy:
    """The policy that settings describe.

    Raises:
        SettingsError: see `sources_of`; or two rules share an id.

    >>> stakes_policy("none", None, default=Stakes.HIGH).rules
    ()
    """
    return merged(sources_of(pack, policy), default=default, domains=domains)
