"""Anchors of the ledger: the hash of its newest event, signed with an Ed25519 key that is kept away from the store.

Whoever can write to the database can rewrite the whole chain, but not the anchors made before. Keep the private key
and the anchors where the database's administrators cannot write. This module writes files, never to the store.
"""

import base64
import json
import os
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from core.errors import LedgerError
from core.ledger import Ledger
from core.ledger_check import ANCHOR_FORMAT, Anchor, BrokenLedger, anchor_message, read_anchors
from core.moments import timestamp


def generate_key(private: Path, public: Path) -> None:
    """Write a new key pair as two PEM files, the private one readable by its owner alone; neither may exist.

    Raises:
        LedgerError: a file is there already, or its folder cannot be written to.
    """
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    if public.exists():
        raise LedgerError(f"{public} exists already. Name another file, so that no key is lost.")
    _write_new(private, secret, mode=0o600)
    _write_new(public, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), mode=0o644)


def anchor(ledger: Ledger, private_key: Path, folder: Path, *, now: datetime) -> Path:
    """Verify the ledger against the folder's anchors, then sign its newest event in a file of its own.

    Raises:
        LedgerError: the ledger is empty or does not verify, or the key cannot be read.
    """
    key = _private_key(private_key)
    folder.mkdir(parents=True, exist_ok=True)
    known: list[Anchor] = []
    if any(folder.glob("anchor-*.json")):
        known = anchors_in(folder, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    last = ledger.check(known).last
    if last is None:
        raise LedgerError(
            "The ledger has no event yet, so there is nothing to anchor. Import or promote something first."
        )
    path = folder / f"anchor-{last.seq:012}.json"
    if path.exists():
        return path
    unsigned = Anchor(last.seq, last.hash, timestamp(now), "", path.name)
    signed = replace(unsigned, signature=base64.b64encode(key.sign(anchor_message(unsigned))).decode())
    fields = {"format": ANCHOR_FORMAT, "seq": signed.seq, "hash": signed.hash, "at": signed.at}
    _write_new(path, json.dumps({**fields, "signature": signed.signature}, indent=1).encode() + b"\n", mode=0o444)
    return path


def anchors_in(folder: Path, public_key_pem: bytes) -> list[Anchor]:
    """The anchors in a folder, each with a signature that holds.

    Raises:
        LedgerError: one cannot be read, or was not signed by this key's owner.
    """
    try:
        return read_anchors(folder, public_key_pem)
    except BrokenLedger as error:
        raise LedgerError(f"{error} Take the anchors from where the database's administrators cannot write.") from error


def _private_key(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise LedgerError(
            f"The key {path} cannot be read ({error}). Make one: preceptor ledger keygen {path} {path}.pub."
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise LedgerError(f"The key {path} is not an Ed25519 key. Make one: preceptor ledger keygen KEY KEY.pub.")
    return key


def _write_new(path: Path, content: bytes, *, mode: int) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError as error:
        raise LedgerError(f"{path} exists already. Name another file, so that nothing is lost.") from error
    except OSError as error:
        raise LedgerError(f"{path} cannot be written ({error.strerror}). Name a folder you may write to.") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
