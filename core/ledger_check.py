#!/usr/bin/env python3
"""Checks a ledger and its anchors. It runs by itself, on a machine without Preceptor, and never writes.

It needs this one file, Python 3.11 and, for anchors alone, the library cryptography:

    python ledger_check.py EVENTS.jsonl --anchors DIR --public-key FILE

EVENTS is what `preceptor ledger export` wrote, or a SQLite store. Exit 0: the ledger holds; 1: it does not, and the
first fault is named; 2: misuse.

    hash(event) = SHA-256(prev_hash || canonical JSON of seq, at, actor, action, subject, details)

The chain shows an edited, removed or inserted event. It cannot show that someone rewrote the whole ledger; the anchors
do: each holds the hash of one event, signed with an Ed25519 key that is kept away from the store.
"""

import argparse
import base64
import hashlib
import json
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GENESIS = "0" * 64
"""The hash before the first event."""

CONTENT = ("seq", "at", "actor", "action", "subject", "details")
"""The fields that an event's hash covers, beside the hash before it."""

ANCHOR_FORMAT = "preceptor-anchor/1"
ANCHOR_FIELDS = ("format", "seq", "hash", "at")
"""The fields that an anchor's signature covers."""


class BrokenLedger(Exception):
    """The ledger or an anchor does not hold; the message names the first fault."""


@dataclass(frozen=True)
class Anchor:
    """The hash that event `seq` had at the moment `at`, signed; `signature` is base64 of 64 bytes."""

    seq: int
    hash: str
    at: str
    signature: str
    name: str


@dataclass(frozen=True)
class Checked:
    """What was checked: events in the chain, anchors that hold, and the last event that an anchor covers (0: none)."""

    n_events: int
    n_anchors: int
    anchored_up_to: int


def check(events: Iterable[Mapping[str, Any]], anchors: Iterable[Anchor] = ()) -> Checked:
    """Recompute every hash and every link, and compare with the anchors; reads the events once, in order.

    Raises:
        BrokenLedger: names the first event, or the anchor, that does not hold.
    """
    awaited: dict[int, list[Anchor]] = {}
    for anchor in anchors:
        awaited.setdefault(anchor.seq, []).append(anchor)
    n_anchors, n_events, previous = sum(map(len, awaited.values())), 0, GENESIS
    anchored_up_to = max(awaited, default=0)
    for event in events:
        fault = event_fault(event, n_events + 1, previous)
        if fault:
            raise BrokenLedger(f"The ledger is broken at event {fault}.")
        n_events, previous = n_events + 1, str(event["hash"])
        for anchor in awaited.pop(n_events, ()):
            if anchor.hash != previous:
                raise BrokenLedger(
                    f"Anchor {anchor.name} was made at {anchor.at} of another event {anchor.seq}: "
                    f"it had the hash {anchor.hash[:12]}, it has {previous[:12]}. The ledger was rewritten since."
                )
    if awaited:
        first = awaited[min(awaited)][0]
        raise BrokenLedger(
            f"Anchor {first.name} was made at {first.at} of event {first.seq}, "
            f"and the ledger ends at event {n_events}. Its end was cut off since."
        )
    return Checked(n_events, n_anchors, anchored_up_to)


def event_fault(event: Mapping[str, Any], expected_seq: int, previous: str) -> str | None:
    """What is wrong with an event that should have this number and follow this hash; None when it holds."""
    seq = event["seq"]
    if seq != expected_seq:
        return f"{seq}: event {expected_seq} is missing"
    if event["prev_hash"] != previous:
        return f"{seq}: it does not follow the event before it"
    if event["hash"] != event_hash(previous, event):
        return f"{seq}: its content does not match its hash"
    return None


def event_hash(previous: str, event: Mapping[str, Any]) -> str:
    """The hash of an event that follows the hash `previous`."""
    content = canonical_json({name: event[name] for name in CONTENT})
    return hashlib.sha256((previous + content).encode("utf-8", "surrogatepass")).hexdigest()


def canonical_json(value: object) -> str:
    """Sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def with_details(row: Mapping[str, Any]) -> dict[str, Any]:
    """An event whose details are read from their JSON text; a text that is none stays, and cannot match the hash."""
    details = row["details"]
    try:
        details = json.loads(details) if isinstance(details, str) else details
    except ValueError:
        details = {"unreadable": details}
    return {**row, "details": details}


def anchor_message(anchor: Anchor) -> bytes:
    """The bytes that an anchor's signature covers."""
    fields = {"format": ANCHOR_FORMAT, "seq": anchor.seq, "hash": anchor.hash, "at": anchor.at}
    return canonical_json(fields).encode()


def read_anchors(folder: Path, public_key_pem: bytes) -> list[Anchor]:
    """The anchors in a folder, oldest event first, each with a signature that holds.

    Raises:
        BrokenLedger: the folder has none, or one cannot be read or was not signed by this key's owner.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(public_key_pem)
    except ValueError as error:
        raise BrokenLedger(f"The public key cannot be read ({error}). Name a PEM file of an Ed25519 key.") from error
    if not isinstance(key, Ed25519PublicKey):
        raise BrokenLedger("The public key is not an Ed25519 key. Name the one that `preceptor ledger keygen` wrote.")
    anchors = []
    for path in sorted(folder.glob("anchor-*.json")):
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            if fields["format"] != ANCHOR_FORMAT:
                raise ValueError(f"its format is {fields['format']}, not {ANCHOR_FORMAT}")
            anchor = Anchor(int(fields["seq"]), fields["hash"], fields["at"], fields["signature"], path.name)
            key.verify(base64.b64decode(anchor.signature, validate=True), anchor_message(anchor))
        except InvalidSignature as error:
            raise BrokenLedger(f"Anchor {path.name} was edited, or signed with another key.") from error
        except (ValueError, KeyError, TypeError) as error:
            raise BrokenLedger(f"Anchor {path.name} cannot be read ({error}).") from error
        anchors.append(anchor)
    if not anchors:
        raise BrokenLedger(f"{folder} holds no anchor. Name the folder that `preceptor ledger anchor` writes to.")
    return sorted(anchors, key=lambda anchor: anchor.seq)


def events_of_file(path: Path) -> Iterator[dict[str, Any]]:
    """The events of an exported JSONL file or of a SQLite store, one at a time.

    Raises:
        BrokenLedger: the file is neither.
    """
    with path.open("rb") as file:
        is_sqlite = file.read(16) == b"SQLite format 3\x00"
    if is_sqlite:
        yield from _events_of_sqlite(path)
        return
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                event = json.loads(line)
                missing = {*CONTENT, "prev_hash", "hash"}.difference(event)
            except (ValueError, TypeError) as error:
                raise BrokenLedger(f"Line {number} of {path} is not an event ({error}).") from error
            if missing:
                raise BrokenLedger(f"Line {number} of {path} lacks {', '.join(sorted(missing))}.")
            yield with_details(event)


def _events_of_sqlite(path: Path) -> Iterator[dict[str, Any]]:
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    try:
        connection.row_factory = sqlite3.Row
        for row in connection.execute("SELECT * FROM ledger_event ORDER BY seq"):
            yield with_details(dict(row))
    except sqlite3.DatabaseError as error:
        raise BrokenLedger(f"{path} is not a store with a ledger ({error}).") from error
    finally:
        connection.close()


def main(arguments: list[str] | None = None) -> int:
    """The command line of this file; returns the exit code."""
    parser = argparse.ArgumentParser(description="Check a ledger and its anchors.")
    parser.add_argument("events", type=Path, help="exported JSONL, or a SQLite store")
    parser.add_argument("--anchors", type=Path, metavar="DIR", help="folder of anchors")
    parser.add_argument("--public-key", type=Path, metavar="FILE", help="PEM of the Ed25519 key that signed them")
    given = parser.parse_args(arguments)
    if (given.anchors is None) != (given.public_key is None):
        parser.error("--anchors and --public-key go together")
    try:
        anchors = read_anchors(given.anchors, given.public_key.read_bytes()) if given.anchors else []
        checked = check(events_of_file(given.events), anchors)
    except BrokenLedger as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"{error.filename} cannot be read ({error.strerror}).\n")
        return 1
    sys.stdout.write(f"{sentence(checked)}\n")
    return 0


def sentence(checked: Checked) -> str:
    """What was found, in a sentence.

    >>> sentence(Checked(12, 2, 9))
    '12 events, chain intact; 2 anchors hold, up to event 9.'
    """
    if not checked.n_anchors:
        return f"{checked.n_events} events, chain intact."
    anchors = "1 anchor holds" if checked.n_anchors == 1 else f"{checked.n_anchors} anchors hold"
    return f"{checked.n_events} events, chain intact; {anchors}, up to event {checked.anchored_up_to}."


if __name__ == "__main__":
    sys.exit(main())
