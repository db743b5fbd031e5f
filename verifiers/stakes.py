"""The stakes of a request: what the server's policy says, raised by the client's header, never lowered by it.

Unknown means high: a domain the policy does not list, a header value nobody defined.
"""

from collections.abc import Mapping
from typing import NamedTuple

from core.records import Record, Stakes

HEADER_TIERS = {stakes.value: stakes for stakes in Stakes}
"""What clients may write in the header."""


class StakesPolicy(Record):
    """The server's word: `default` for every request, `domains` may raise it for a domain the client names."""

    default: Stakes = Stakes.HIGH
    domains: Mapping[str, Stakes] = {}


class StakesDecision(NamedTuple):
    """The tier, and the ids of the rules that name it."""

    stakes: Stakes
    rules: tuple[str, ...]


def decide_stakes(policy: StakesPolicy, *, domain: str | None, header: str | None) -> StakesDecision:
    """The highest tier that the policy, the domain and the client's header name.

    >>> decide_stakes(StakesPolicy(), domain=None, header="low").stakes.value          # a client cannot lower it
    'high'
    >>> decide_stakes(StakesPolicy(default=Stakes.LOW), domain=None, header="high").rules
    ('header.high',)
    """
    tiers = {"policy.default": policy.default}
    if domain is not None:
        known = policy.domains.get(domain)
        tiers["policy.domain" if known else "policy.domain_unknown"] = known or Stakes.HIGH
    if header is not None:
        word = header.strip().lower()
        named = HEADER_TIERS.get(word)
        tiers[f"header.{word}" if named else "header.unknown"] = named or Stakes.HIGH
    stakes = max(tiers.values())
    return StakesDecision(stakes, tuple(rule for rule, tier in tiers.items() if tier is stakes))
