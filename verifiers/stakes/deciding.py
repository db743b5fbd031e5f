"""The stakes of a request: the highest tier that the server, its rules, its classifier or the client names.

Nothing here lowers a tier. Unknown means high: a domain the policy does not list, a word in the header nobody defined,
facts that are no object. What breaks while it is evaluated means `on_error`, and a text that was not read `on_unread`;
both are high or critical.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pydantic import JsonValue

from core.records import Stakes
from verifiers.stakes.conditions import Asked
from verifiers.stakes.policy import StakesPolicy
from verifiers.stakes.readings import faults_of, readings_of

HEADER_TIERS = {stakes.value: stakes for stakes in Stakes}
"""What clients may write in the header, and as `stakes` in the request's metadata."""


class StakesRequest(NamedTuple):
    """What a policy may know of a request. `is_readable` is false where it holds more than text."""

    texts: Sequence[str] = ()
    domain: str | None = None
    header: str | None = None
    facts: object = None
    task: str | None = None
    is_readable: bool = True


class StakesDecision(NamedTuple):
    """The tier, and the ids of everything that named one, highest first; `probability` is the classifier's."""

    stakes: Stakes
    rules: tuple[str, ...]
    policy_sha256: str
    probability: float | None = None


def decide_stakes(policy: StakesPolicy, request: StakesRequest) -> StakesDecision:
    """The highest tier that anything names.

    >>> decide_stakes(StakesPolicy(), StakesRequest(header="low")).stakes.value          # a client cannot lower it
    'high'
    >>> decide_stakes(StakesPolicy(default=Stakes.LOW), StakesRequest(header="high")).rules
    ('header.high', 'policy.default')
    """
    tiers = {"policy.default": policy.default}
    if request.domain is not None:
        known = policy.domains.get(request.domain)
        tiers["policy.domain" if known else "policy.domain_unknown"] = known or Stakes.HIGH
    tiers |= _named_by_client(request.header, source="header")
    facts: Mapping[str, JsonValue] = {}
    if isinstance(request.facts, Mapping):
        facts = request.facts
        if facts.get("stakes") is not None:
            tiers |= _named_by_client(facts["stakes"], source="facts")
    elif request.facts is not None:
        tiers["facts.not_understood"] = policy.on_error
    texts, named = _read(policy, request)
    tiers |= named
    asked = Asked(texts, facts=facts, task=request.task, domain=request.domain)
    tiers |= _fired(policy, asked)
    probability, named = _classified(policy, asked)
    tiers |= named
    ranked = sorted(tiers, key=lambda name: -tiers[name].rank)
    return StakesDecision(tiers[ranked[0]], tuple(ranked), policy.sha256, probability)


def _named_by_client(words: object, *, source: str) -> dict[str, Stakes]:
    """What the client's words name; several, parted by commas, each count."""
    if words is None:
        return {}
    if not isinstance(words, str):
        return {f"{source}.unknown": Stakes.HIGH}
    found: dict[str, Stakes] = {}
    for word in (word.strip().lower() for word in words[:1000].split(",")):
        tier = HEADER_TIERS.get(word)
        found[f"{source}.{word}" if tier else f"{source}.unknown"] = tier or Stakes.HIGH
    return found


def _read(policy: StakesPolicy, request: StakesRequest) -> tuple[list[str], dict[str, Stakes]]:
    named: dict[str, Stakes] = {}
    if not request.is_readable:
        named["text.not_text"] = policy.on_error
    texts: list[str] = []
    read = readings_of if policy.rules or policy.classifier is not None else faults_of  # nobody would read them
    try:
        for text in request.texts:
            found = read(text)
            texts.extend(found.texts)
            if not found.is_whole:
                named["text.too_long"] = policy.on_unread
            if found.is_hidden:
                named["text.hidden"] = policy.on_unread
    except Exception:  # noqa: BLE001 - a text that cannot be read is unknown
        named["text.fault"] = policy.on_unread
    return list(dict.fromkeys(texts)), named


def _fired(policy: StakesPolicy, asked: Asked) -> dict[str, Stakes]:
    fired: dict[str, Stakes] = {}
    for rule in policy.rules:
        try:
            holds = rule.when.holds(asked)
        except Exception:  # noqa: BLE001 - a rule that breaks is not known not to fire
            holds = None
        if holds is None:
            fired[f"{rule.id}.fault"] = max(policy.on_error, rule.tier)
        elif holds:
            fired[rule.id] = rule.tier
    return fired


def _classified(policy: StakesPolicy, asked: Asked) -> tuple[float | None, dict[str, Stakes]]:
    classifier = policy.classifier
    if classifier is None:
        return None, {}
    try:
        probability = max((classifier.probability(words) for words in asked.words), default=0.0)
    except Exception:  # noqa: BLE001 - a classifier that breaks says nothing
        probability = math.nan
    if not isinstance(probability, float) or not 0.0 <= probability <= 1.0:
        return None, {"classifier.fault": policy.on_error}
    return probability, {"classifier.high": Stakes.HIGH} if probability >= classifier.high_if_p_at_least else {}
