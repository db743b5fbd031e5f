"""The policy of stakes: the server's word for every request, rules that raise it, and the classifier beside them.

A rule can only raise: the tier of a request is the highest that anything names. Rules come from the domain pack and
from the deployer's own YAML, and no two share an id. It decides nothing; `verifiers.stakes.deciding` does.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator

from core import fingerprint
from core.errors import SettingsError
from core.records import Name, Record, Stakes
from verifiers.stakes.classifier import StakesClassifier, load_classifier
from verifiers.stakes.conditions import Condition

RuleId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
"""A short name of small letters, digits, `.`, `_` and `-`; it stands in records and headers."""

OnError = Literal[Stakes.HIGH, Stakes.CRITICAL]
"""What an evaluation that broke may mean; never less than high."""

OWN = ("policy.", "header.", "text.", "facts.", "classifier.")
"""How the ids begin that decisions use beside those of rules."""


class Rule(Record):
    """One rule: who answers for it, when it fires, and what tier it then names."""

    id: RuleId
    owner: Name
    """Who answers for the rule."""
    why: str = ""
    """What goes wrong without it."""
    when: Condition
    tier: Stakes

    @field_validator("id")
    @classmethod
    def _is_free(cls, identifier: str) -> str:
        if identifier.startswith(OWN):
            raise ValueError(f"ids that begin with {', '.join(OWN)} are taken; choose another")
        return identifier


class ClassifierTerms(Record):
    """The classifier's file, beside the policy's, and the probability from which a request is high."""

    file: Path
    high_if_p_at_least: Annotated[float, Field(gt=0, le=1)]
    raise_only: Literal[True] = True
    """It says what holds anyway: no classifier lowers a tier."""


class StakesRules(Record):
    """A policy as it stands in a YAML: the part `stakes` of a pack, or the deployer's own file."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    version: int = Field(1, ge=1)
    """Counted up by its owner; it stands in the policy's hash."""
    default_tier: Stakes | None = None
    """Tier of every request, beside `verifiers.stakes`; the higher holds. Unset: `verifiers.stakes` alone."""
    on_error: OnError = Stakes.HIGH
    """Tier where a rule or the classifier broke, or where a request holds more than text."""
    on_unread: OnError = Stakes.CRITICAL
    """Tier of a text that was not read as a person reads it: it hides its words, is too long, or took too long."""
    domains: Mapping[Name, Stakes] = {}
    """Tiers of domains that a client may name."""
    rules: tuple[Rule, ...] = ()
    classifier: ClassifierTerms | None = None
    vectors: tuple[Path, ...] = ()
    """Files of labelled requests that `preceptor policy test` runs, beside the policy's file."""

    @model_validator(mode="after")
    def _ids_differ(self) -> Self:
        _refuse_twins(self.rules)
        return self


class StakesPolicy(Record):
    """What decides the stakes of a gateway's requests."""

    default: Stakes = Stakes.HIGH
    domains: Mapping[str, Stakes] = {}
    on_error: OnError = Stakes.HIGH
    on_unread: OnError = Stakes.CRITICAL
    rules: tuple[Rule, ...] = ()
    classifier: StakesClassifier | None = None
    versions: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _ids_differ(self) -> Self:
        _refuse_twins(self.rules)
        return self

    @cached_property
    def sha256(self) -> str:
        """Hash of everything in the policy that decides."""
        return fingerprint.of_json(self.model_dump(mode="json", by_alias=True))


def read_rules(path: Path) -> StakesRules:
    """The policy of a YAML file.

    Raises:
        SettingsError: there is no such file, or it is not a policy; every fault is named.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingsError(f"There is no policy at {path}. Correct verifiers.policy or --policy.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not YAML ({error}). Correct it.") from error
    return rules_of(values, where=str(path))


def rules_of(values: Any, *, where: str) -> StakesRules:  # noqa: ANN401 - what a YAML holds
    """The policy that the values describe; `where` is what errors call it.

    Raises:
        SettingsError: they describe none; every fault is named.
    """
    try:
        return StakesRules.model_validate(values)
    except ValidationError as error:
        faults = "\n".join(f"  {_place(fault['loc'])}: {fault['msg']}" for fault in error.errors())
        raise SettingsError(f"{where} does not describe a policy of stakes:\n{faults}\nSee docs/stakes.md.") from error


def merged(
    parts: Sequence[tuple[StakesRules, Path]], *, default: Stakes, domains: Mapping[str, Stakes] | None = None
) -> StakesPolicy:
    """One policy of several: the higher of two tiers, all rules, and the last classifier.

    Args:
        parts: policies, each with the folder of its file, in which its classifier lies.
        default: what settings say of every request.
        domains: what settings say of domains.

    Raises:
        SettingsError: two rules share an id, or a classifier cannot be read.
    """
    tiers = dict(domains or {})
    for rules, _ in parts:
        for domain, tier in rules.domains.items():
            tiers[domain] = max(tier, tiers.get(domain, tier))
    classifiers = [(rules.classifier, folder) for rules, folder in parts if rules.classifier is not None]
    classifier = None
    if classifiers:
        terms, folder = classifiers[-1]
        classifier = load_classifier(folder / terms.file, high_if_p_at_least=terms.high_if_p_at_least)
    try:
        return StakesPolicy(
            default=max([default, *(rules.default_tier for rules, _ in parts if rules.default_tier is not None)]),
            domains=tiers,
            on_error=max([Stakes.HIGH, *(rules.on_error for rules, _ in parts)]),
            on_unread=max([Stakes.HIGH, *(rules.on_unread for rules, _ in parts)]) if parts else Stakes.CRITICAL,
            rules=tuple(rule for rules, _ in parts for rule in rules.rules),
            classifier=classifier,
            versions=tuple(rules.version for rules, _ in parts),
        )
    except ValidationError as error:
        raise SettingsError(f"The policies do not go together: {error.errors()[0]['msg']}. Rename a rule.") from error


def _refuse_twins(rules: Sequence[Rule]) -> None:
    ids = [rule.id for rule in rules]
    twins = sorted({identifier for identifier in ids if ids.count(identifier) > 1})
    if twins:
        raise ValueError(f"two rules share the id {', '.join(twins)}")


def _place(parts: tuple[int | str, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".") or "the whole"
