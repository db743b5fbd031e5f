"""Moving one alias so that the ledger and MLflow cannot part unseen. Decides nothing: promotion does.

A move is three steps, and a crash between any two of them shows:

    1. release.intend in the ledger      refused when anything happened to the alias since it was looked at
    2. the alias in MLflow               compare and set under the store's lock
    3. release.promote or .rollback      closes the intent

An intent that a dead process left open is closed by the next command: as done where the alias had moved, as abandoned
where it had not. The alias `previous` and the tag `status` follow the third step; they are for people who browse.
"""

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from core.errors import LedgerError, RegistryError
from core.ledger import EVENTS, Detail, Event, Ledger, append_in
from core.store import writing
from models.registry import aliases_of, move_alias, set_tag
from pipeline.releases import ABANDON, INTEND, MOVES, Approved, History, approved_by, history_of, subject_of

STALE_AFTER = timedelta(minutes=10)
"""An intent of another machine that is older than this counts as left behind by a crash."""

_OF_INTENT = frozenset({"host", "pid", "then"})


@dataclass(frozen=True)
class Desk:
    """Where promotions are decided: the registry, the store that keeps the ledger, a cache for bundles.

    `check_bundle` loads a folder and raises BundleError where a file is altered, missing or too many.
    `gates_sha256` is the hash of the gates' settings that hold today; None: they are not compared.
    """

    tracking_uri: str
    store: sa.Engine
    cache: Path
    check_bundle: Callable[[Path], object]
    gates_sha256: str | None = None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def ledger(self) -> Ledger:
        """The ledger in the store."""
        return Ledger(self.store)


@dataclass(frozen=True)
class Place:
    """One alias of one registered model, at one desk."""

    name: str
    alias: str
    desk: Desk

    def __str__(self) -> str:
        """`medical-coding@champion`."""
        return f"{self.name}@{self.alias}"

    @property
    def subject(self) -> str:
        """The ledger's name for it."""
        return subject_of(self.name, self.alias)

    def history(self) -> History:
        """What the ledger knows of it."""
        return history_of(self.desk.ledger.events(subject=self.subject))

    def version_now(self) -> int | None:
        """Where it points in MLflow; None where it is not set.

        Raises:
            RegistryError: no such model, or no answer.
        """
        return aliases_of(self.name, tracking_uri=self.desk.tracking_uri).get(self.alias)


def look(place: Place) -> tuple[History, int | None]:
    """The ledger's history of an alias and where it points now; an intent left by a dead process is closed first.

    Raises:
        LedgerError: the ledger does not verify.
        RegistryError: another move is under way, no such model, or no answer.
    """
    place.desk.ledger.verify()
    history = place.history()
    now_at = place.version_now()
    intent = history.open_intent
    if intent is None:
        return history, now_at
    if not _is_left_behind(intent, now=datetime.now(UTC)):
        raise RegistryError(
            f"A move of {place} by {intent.actor} is under way since {intent.at}. Wait for it to end, or, if it "
            f"died on another machine, repeat the command {STALE_AFTER // timedelta(minutes=1)} minutes after it began."
        )
    _close(place, intent, has_moved=now_at == approved_by(intent).version)
    return place.history(), now_at


def move(place: Place, target: Approved, *, history: History, details: Mapping[str, Detail]) -> Event:
    """Move the alias from `details["version_before"]` to the target, and return the event that closed the move.

    Args:
        place: the alias.
        target: where it goes.
        history: the ledger's history on which the decision was taken; anything newer refuses the move.
        details: what the ledger keeps: actor, version_before, `then` (the action that closes the move), and more.

    Raises:
        RegistryError: someone else moved the alias meanwhile, or MLflow refused; the alias is where it was.
    """
    before = details["version_before"]
    assert before is None or isinstance(before, int)
    intent = _intend(place, target, history=history, details=details)
    try:
        move_alias(place.name, place.alias, target.version, expected=before, tracking_uri=place.desk.tracking_uri)
    except RegistryError:
        # A call that timed out may have moved it all the same; where nobody answers, the intent stays open.
        if place.version_now() != target.version:
            _close(place, intent, has_moved=False)
            raise
    return _close(place, intent, has_moved=True)


def _intend(place: Place, target: Approved, *, history: History, details: Mapping[str, Detail]) -> Event:
    about: dict[str, Detail] = {"version_after": target.version, "bundle_sha256": target.bundle_sha256, **details}
    about |= {"host": socket.gethostname(), "pid": os.getpid()}
    with writing(place.desk.store) as connection:
        if _newest(connection, place) != history.last_seq:
            raise RegistryError(f"{place} was moved meanwhile by someone else. Look at it again before repeating.")
        return append_in(connection, str(details["actor"]), INTEND, place.subject, about)


def _close(place: Place, intent: Event, *, has_moved: bool) -> Event:
    """End an intent: with what it announced where the alias moved, else as abandoned."""
    details = {key: value for key, value in intent.details.items() if key not in _OF_INTENT} | {"intent": intent.seq}
    action = str(intent.details["then"]) if has_moved else ABANDON
    with writing(place.desk.store) as connection:
        if _newest(connection, place) != intent.seq:
            raise LedgerError(
                f"The move of {place} that began as ledger event {intent.seq} was closed by someone else meanwhile. "
                "Read `preceptor ledger list`, then set it right with "
                f"`preceptor rollback {place.name} --to {place.alias}`."
            )
        event = append_in(connection, intent.actor, action, place.subject, details)
    if has_moved:
        _show_to_browsers(place, was=intent.details["version_before"])
    return event


def _newest(connection: sa.Connection, place: Place) -> int:
    """The newest event about the alias; nobody else can append until this transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(7236712)"))  # the one that every append takes
    query = sa.select(sa.func.max(EVENTS.c.seq)).where(EVENTS.c.subject == place.subject, EVENTS.c.action.in_(MOVES))
    return connection.scalar(query) or 0


def _show_to_browsers(place: Place, *, was: Detail) -> None:
    """Set the alias `previous` and the versions' tag `status`, which MLflow's own pages show."""
    history = place.history()
    uri = place.desk.tracking_uri
    previous = "previous" if place.alias == "champion" else f"previous-{place.alias}"
    expected = aliases_of(place.name, tracking_uri=uri).get(previous)
    before = history.before.version if history.before else None
    if before != expected:
        move_alias(place.name, previous, before, expected=expected, tracking_uri=uri)
    if isinstance(was, int):
        set_tag(place.name, was, "status", f"was {place.alias}", tracking_uri=uri)
    if history.current is not None:
        set_tag(place.name, history.current.version, "status", place.alias, tracking_uri=uri)


def _is_left_behind(intent: Event, *, now: datetime) -> bool:
    if intent.details.get("host") == socket.gethostname():
        return not _is_alive(intent.details.get("pid"))
    return now - datetime.fromisoformat(intent.at) > STALE_AFTER


def _is_alive(pid: Detail) -> bool:
    if not isinstance(pid, int):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
