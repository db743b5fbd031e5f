"""Who may do what: one policy, as two tables and one pure function. It reads no store and remembers nothing.

`MAY` says which roles may do an act. `SEPARATIONS` says who may not do it all the same, because of something else they
did: nobody checks their own work. Both tables stand in docs/access.md too, and a test compares them.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from core.errors import AccessDenied


class Role(StrEnum):
    """What a person is trusted with. A person may hold several; an admin holds that one alone."""

    ANNOTATOR = "annotator"
    SENIOR = "senior"
    LEAD = "lead"
    STEWARD = "steward"
    ENGINEER = "engineer"
    VALIDATOR = "validator"
    APPROVER = "approver"
    AUDITOR = "auditor"
    ADMIN = "admin"


class Act(StrEnum):
    """What a person may want to do."""

    JUDGE = "judge"
    ADJUDICATE = "adjudicate"
    PUBLISH_GUIDELINE = "publish_guideline"
    APPROVE_GUIDELINE = "approve_guideline"
    IMPORT_ITEMS = "import_items"
    CLEAR_PHI = "clear_phi"
    VIEW_PHI = "view_phi"
    FREEZE = "freeze"
    EXPORT = "export"
    VIEW_PROGRESS = "view_progress"
    VIEW_QUALITY = "view_quality"
    SELECT_QUEUE = "select_queue"
    VIEW_LEDGER = "view_ledger"
    REVIEW_LEDGER = "review_ledger"
    VIEW_PEOPLE = "view_people"
    MANAGE_PEOPLE = "manage_people"
    GRANT_ROLE = "grant_role"
    TRAIN = "train"
    VALIDATE = "validate"
    APPROVE_RELEASE = "approve_release"
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    STOP = "stop"
    RESUME = "resume"
    MANAGE_KEYS = "manage_keys"
    PRUNE_TEXTS = "prune_texts"


def _roles(names: str) -> frozenset[Role]:
    return frozenset(Role(name) for name in names.split())


MAY: Mapping[Act, frozenset[Role]] = {
    Act.JUDGE: _roles("annotator senior"),
    Act.ADJUDICATE: _roles("senior"),
    Act.PUBLISH_GUIDELINE: _roles("lead"),
    Act.APPROVE_GUIDELINE: _roles("lead senior"),
    Act.IMPORT_ITEMS: _roles("lead steward"),
    Act.CLEAR_PHI: _roles("steward"),
    Act.VIEW_PHI: _roles("steward"),
    Act.FREEZE: _roles("lead"),
    Act.EXPORT: _roles("lead engineer"),
    Act.VIEW_PROGRESS: _roles("annotator senior lead steward engineer validator approver auditor"),
    Act.VIEW_QUALITY: _roles("lead senior validator approver auditor"),
    Act.SELECT_QUEUE: _roles("lead engineer"),
    Act.VIEW_LEDGER: _roles("auditor validator approver lead admin"),
    Act.REVIEW_LEDGER: _roles("auditor"),
    Act.VIEW_PEOPLE: _roles("admin auditor"),
    Act.MANAGE_PEOPLE: _roles("admin"),
    Act.GRANT_ROLE: _roles("admin"),
    Act.TRAIN: _roles("engineer"),
    Act.VALIDATE: _roles("validator"),
    Act.APPROVE_RELEASE: _roles("approver"),
    Act.PROMOTE: _roles("engineer approver"),
    Act.ROLLBACK: _roles("engineer approver lead"),
    Act.STOP: _roles("engineer validator approver lead steward"),
    Act.RESUME: _roles("engineer approver"),
    Act.MANAGE_KEYS: _roles("engineer steward"),
    Act.PRUNE_TEXTS: _roles("steward"),
}
"""Which roles may do an act."""


@dataclass(frozen=True)
class Actor:
    """Who wants to act.

    Attributes:
        name: their login.
        roles: what they hold now.
        at_open_command_line: they act by command on a store where nobody was ever admin; no role is asked for.
        is_qualified: False where the store has a qualification of theirs that has run out.
    """

    name: str
    roles: frozenset[Role] = frozenset()
    at_open_command_line: bool = False
    is_qualified: bool = True


@dataclass(frozen=True)
class Facts:
    """What is known of the thing acted on: the logins of those who had a hand in it.

    Attributes:
        trainers: who trained the release.
        validators: who validated the release.
        approvers: who approved the release already.
        judges: who judged the item.
        authors: who wrote the guideline.
        grantee: to whom a role is given or whose identity is confirmed.
        role: the role that is given.
        roles_held: the roles that the grantee holds.
    """

    trainers: tuple[str, ...] = ()
    validators: tuple[str, ...] = ()
    approvers: tuple[str, ...] = ()
    judges: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    grantee: str | None = None
    role: Role | None = None
    roles_held: frozenset[Role] = frozenset()


NOTHING = Facts()
"""Nothing is known of the thing acted on, or nothing matters."""


@dataclass(frozen=True)
class Separation:
    """Whoever stands in the fact `did` may not do `act`: they `have` done something that the act is to check."""

    act: Act
    did: str
    have: str


SEPARATIONS = (
    Separation(Act.ADJUDICATE, "judges", "judged this item"),
    Separation(Act.APPROVE_GUIDELINE, "authors", "wrote this guideline"),
    Separation(Act.VALIDATE, "trainers", "trained this release"),
    Separation(Act.APPROVE_RELEASE, "trainers", "trained this release"),
    Separation(Act.APPROVE_RELEASE, "validators", "validated this release"),
    Separation(Act.APPROVE_RELEASE, "approvers", "approved this release already"),
)
"""Nobody checks their own work. These hold for every role, on an open store too."""

CLOSED_TO_ADMINS = frozenset(MAY) - {act for act, roles in MAY.items() if Role.ADMIN in roles}
"""An admin looks after people alone: may not label, approve or read PHI, whatever else they hold."""

NEED_QUALIFICATION = frozenset({Act.JUDGE, Act.ADJUDICATE})
"""Acts that a run-out qualification stops."""


def refusal(act: Act, actor: Actor, facts: Facts = NOTHING) -> str | None:
    """Why the actor may not do this, in sentences; None when they may.

    >>> ann = Actor("ann", frozenset({Role.SENIOR}))
    >>> refusal(Act.ADJUDICATE, ann, Facts(judges=("bob",))) is None
    True
    >>> refusal(Act.ADJUDICATE, ann, Facts(judges=("Ann", "bob")))
    "'ann' judged this item and may not adjudicate it as well. Ask someone else."
    """
    if not actor.name.strip():
        return f"Nobody is named as the one who wants to {_words(act)}. Give a name."
    for rule in SEPARATIONS:
        if rule.act is act and any(is_same_person(actor.name, other) for other in getattr(facts, rule.did)):
            return f"'{actor.name}' {rule.have} and may not {_verb(act)} it as well. Ask someone else."
    if act in NEED_QUALIFICATION and not actor.is_qualified:
        return (
            f"The qualification of '{actor.name}' has run out. "
            f"Ask an admin to renew it: preceptor people qualify '{actor.name}'."
        )
    if act is Act.GRANT_ROLE and (fault := _grant_fault(actor, facts)):
        return fault
    if actor.at_open_command_line:
        return None
    if Role.ADMIN in actor.roles and act in CLOSED_TO_ADMINS:
        return f"'{actor.name}' is an admin, who looks after people alone and may not {_words(act)}. Ask someone else."
    if actor.roles.isdisjoint(MAY[act]):
        able = ", ".join(sorted(MAY[act]))
        return (
            f"'{actor.name}' may not {_words(act)}; it takes one of these roles: {able}. "
            "Ask someone who has it, or an admin for the role."
        )
    return None


def require(act: Act, actor: Actor, facts: Facts = NOTHING) -> None:
    """Let the act through.

    Raises:
        AccessDenied: the policy forbids it; the message is that of `refusal`.
    """
    if sentence := refusal(act, actor, facts):
        raise AccessDenied(sentence)


def is_same_person(one: str, other: str) -> bool:
    """Whether two logins name one person: case, width and spaces make no difference.

    >>> is_same_person("Dana  Ruiz", "dana ruiz ")
    True
    """
    return login_key(one) == login_key(other)


def login_key(name: str) -> str:
    """The form of a login under which it is unique for ever.

    >>> login_key(" Dana  RUIZ ")
    'dana ruiz'
    """
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).split())


def _grant_fault(actor: Actor, facts: Facts) -> str | None:
    # On an open store there is nobody else to ask, and the ledger says that it was open.
    is_self = facts.grantee is not None and is_same_person(actor.name, facts.grantee)
    if is_self and not actor.at_open_command_line:
        return f"'{actor.name}' may not grant a role to themselves. Ask another admin."
    held = facts.roles_held
    if facts.role is Role.ADMIN and held - {Role.ADMIN}:
        return (
            f"'{facts.grantee}' holds {', '.join(sorted(held))}, and an admin holds no other role. "
            "Revoke these first, or give the role to someone else."
        )
    if facts.role is not None and facts.role is not Role.ADMIN and Role.ADMIN in held:
        return f"'{facts.grantee}' is an admin, who holds no other role. Give '{facts.role}' to someone else."
    return None


def _verb(act: Act) -> str:
    return act.value.split("_")[0]


def _words(act: Act) -> str:
    return act.value.replace("_", " ")
