"""Promotion: gates on the bundle's own evidence, a second person, one alias moved, and the ledger written.

Trains nothing and forces nothing. How the alias and the ledger move together is `pipeline.alias_moves`; rollback and
drift read the ledger, never MLflow's alias table alone.
"""

from dataclasses import dataclass
from pathlib import Path

from core.errors import AccessDenied, BundleError, RegistryError
from core.ledger import Detail, Event
from core.store import open_store
from models.bundle_files import bundle_sha256
from models.registry import ModelVersion, aliases_of, fetch_bundle, get_version, list_names
from pipeline.alias_moves import Desk, Place, look, move
from pipeline.gates import InForce, gates_text, run_gates
from pipeline.releases import MOVES, PROMOTE, REFUSE, ROLLBACK, Approved, history_of, subject_of


@dataclass(frozen=True)
class Signers:
    """Who runs the command, who approves, and why."""

    actor: str
    approver: str
    reason: str = ""


@dataclass(frozen=True)
class Move:
    """An alias that moved: from which version, to which, by which ledger event."""

    name: str
    alias: str
    version_before: int | None
    version_after: int
    bundle_sha256: str
    ledger_seq: int


@dataclass(frozen=True)
class Drift:
    """An alias that is not where the ledger left it."""

    name: str
    alias: str
    in_registry: int | None
    in_ledger: int | None
    why: str


def open_desk(*, tracking_uri: str, store_url: str, cache: Path, gates_sha256: str | None = None) -> Desk:
    """The desk of a registry and a store, under the gates' settings of that hash.

    Raises:
        PreceptorError: the store does not answer.
    """
    return Desk(tracking_uri, open_store(store_url), cache, check_bundle=load_whole_bundle, gates_sha256=gates_sha256)


def load_whole_bundle(folder: Path) -> object:
    """Load the bundle, which checks every file against its manifest.

    Raises:
        BundleError: a file is altered, missing or too many.
    """
    from models.bundle import load_bundle

    return load_bundle(folder)


def promote(name: str, version: int, to: str, *, by: Signers, desk: Desk, expected: int | None = None) -> Move:
    """Point the alias `to` at a version whose gates all pass and which someone other than its trainer approves.

    Args:
        name: the registered model.
        version: the version to promote.
        to: the alias, such as champion.
        by: who runs this, who approves, and why.
        desk: registry, ledger and cache.
        expected: the version the alias points to now. Needed only where that is not what the ledger says: naming it
            says that the change behind the ledger's back is known.

    Raises:
        AccessDenied: the approver trained the version, or its trainer is not known.
        RegistryError: a gate failed, the alias is elsewhere than expected, or another promotion is under way.
        LedgerError: the ledger does not verify.
    """
    candidate = get_version(name, version, tracking_uri=desk.tracking_uri)
    _check_separation(candidate, by)
    place = Place(name, to, desk)
    history, now_at = look(place)
    current = history.current.version if history.current else None
    if expected is not None and expected != now_at:
        raise RegistryError(f"{place} is {_at(now_at)}, not {_at(expected)}. Look at it again before promoting.")
    if expected is None and now_at != current:
        raise RegistryError(
            f"{place} is {_at(now_at)} in MLflow and {_at(current)} in the ledger: someone moved it outside Preceptor. "
            f"{_way_out(place, now_at, current)}"
        )
    if version == now_at == current:
        raise RegistryError(f"{place} is version {version} already. Choose another version.")
    folder = fetch_bundle(f"models:/{name}/{version}", tracking_uri=desk.tracking_uri, cache=desk.cache)
    in_force = InForce(desk.clock(), desk.gates_sha256)
    gates = run_gates(folder, check_bundle=desk.check_bundle, in_force=in_force)
    details = _details(now_at, by) | {"approver": by.approver} | {f"gate.{gate.name}": gate.result for gate in gates}
    target = Approved(version, bundle_sha256(folder))
    if not all(gate.is_open for gate in gates):
        about: dict[str, Detail] = {"version_after": version, "bundle_sha256": target.bundle_sha256}
        desk.ledger.append(by.actor, REFUSE, place.subject, about | details)
        raise RegistryError(
            f"{name} version {version} may not become {to}; its gates say:\n{gates_text(gates)}\n"
            "Train a version that passes, and promote that."
        )
    done = move(place, target, history=history, details=details | {"then": PROMOTE})
    return Move(name, to, now_at, version, target.bundle_sha256, done.seq)


def rollback(name: str, to: str, *, by: Signers, desk: Desk) -> Move:
    """Point the alias back at the version approved before, as the ledger knows it; its bundle is checked first.

    Where someone moved the alias outside Preceptor, it goes back to the version that the ledger has as current.

    Raises:
        RegistryError: there is nothing to roll back to, or that version's bundle is not the one that was approved.
        LedgerError: the ledger does not verify.
    """
    place = Place(name, to, desk)
    history, now_at = look(place)
    current = history.current
    target = history.before if current is not None and current.version == now_at else current
    if target is None:
        raise RegistryError(
            f"{place} is {_at(now_at)}, and the ledger knows no approved version before it: nothing to roll back to. "
            f"Promote a version instead: `preceptor promote {name} VERSION --to {to}`."
        )
    folder = fetch_bundle(f"models:/{name}/{target.version}", tracking_uri=desk.tracking_uri, cache=desk.cache)
    found = bundle_sha256(folder)
    if found != target.bundle_sha256:
        raise RegistryError(
            f"{name} version {target.version} is not the bundle that was approved: its hash is {found[:12]}, "
            f"approved was {target.bundle_sha256[:12]}. Restore the artifact store and MLflow's tags from a backup."
        )
    try:
        desk.check_bundle(folder)
    except BundleError as error:
        raise RegistryError(f"{name} version {target.version} cannot be rolled back to. {error}") from error
    done = move(place, target, history=history, details=_details(now_at, by) | {"then": ROLLBACK})
    return Move(name, to, now_at, target.version, target.bundle_sha256, done.seq)


def drift(desk: Desk) -> list[Drift]:
    """Every alias that is not where the ledger left it, and every intent that nobody closed.

    Aliases that were never promoted are let be (`challenger` is set by each run), except `champion`.

    Raises:
        RegistryError: the registry does not answer.
        LedgerError: the ledger does not verify.
    """
    desk.ledger.verify()
    events = desk.ledger.events()
    by_subject: dict[str, list[Event]] = {}
    for event in events:
        if event.action in MOVES:
            by_subject.setdefault(event.subject, []).append(event)
    names = list_names(tracking_uri=desk.tracking_uri)
    for name in names:
        by_subject.setdefault(subject_of(name, "champion"), [])
    found: list[Drift] = []
    why: str | None
    for subject in sorted(by_subject):
        name, _, alias = subject.removeprefix("models:/").rpartition("@")
        history = history_of(by_subject[subject])
        now_at = aliases_of(name, tracking_uri=desk.tracking_uri).get(alias) if name in names else None
        current = history.current.version if history.current else None
        if history.open_intent is not None:
            why = f"a move begun at {history.open_intent.at} by {history.open_intent.actor} was never ended"
        elif now_at != current:
            why = "the alias was moved outside Preceptor"
        else:
            why = _altered(name, history.current, desk)
        if why:
            found.append(Drift(name, alias, now_at, current, why))
    return found


def _check_separation(candidate: ModelVersion, by: Signers) -> None:
    """Refuse an approver who trained the version: nobody approves their own work."""
    trainer = candidate.tags.get("trainer", "").strip()
    if not by.actor.strip() or not by.approver.strip():
        raise AccessDenied("A promotion needs a name for who runs it and for who approves it. Give both.")
    if not trainer:
        raise AccessDenied(
            f"{candidate.name} version {candidate.version} does not say who trained it, so nobody can be shown to be "
            "independent of it. Register it again with `preceptor run`."
        )
    if trainer.casefold() == by.approver.strip().casefold():
        raise AccessDenied(
            f"'{by.approver.strip()}' trained {candidate.name} version {candidate.version} and may not approve it. "
            "Ask someone else to approve."
        )


def _altered(name: str, approved: Approved | None, desk: Desk) -> str | None:
    if approved is None:
        return None
    tag = get_version(name, approved.version, tracking_uri=desk.tracking_uri).bundle_sha256
    return None if tag == approved.bundle_sha256 else "the version's bundle hash is not the approved one"


def _details(now_at: int | None, by: Signers) -> dict[str, Detail]:
    return {"actor": by.actor, "reason": by.reason, "version_before": now_at}


def _way_out(place: Place, now_at: int | None, current: int | None) -> str:
    restore = f"`preceptor rollback {place.name} --to {place.alias}` brings the approved version back"
    acknowledge = f"`--expected {now_at}` promotes all the same and records that you know"
    return "; ".join([restore] * (current is not None) + [acknowledge] * (now_at is not None)) + "."


def _at(version: int | None) -> str:
    return "not set" if version is None else f"version {version}"
