"""Domain packs: a YAML each, which names the checks that recheck an answer of the domain, and the stakes rules.

    name: claims
    checks:
      - check: icd10cm.billable
      - check: figures.prose
        timeout_s: 0.5
      - check: own_checks:NoSecrets         # class NoSecrets of own_checks.py beside this file
        options: {words: [confidential]}
    stakes: {...}                           # docs/stakes.md

A pack that stands in a file of the site's own may name code of its own, so that file is to be trusted like a program.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, JsonValue, ValidationError

from core import fingerprint
from core.errors import MissingExtra, PreceptorError, SettingsError
from core.records import Record
from verifiers.catalogue import make_check, own_file
from verifiers.chain import Check, Slug
from verifiers.warming import warm_up

_FOLDER = Path(__file__).parent / "domains"


class CheckEntry(Record):
    """One check of a pack: its id, its options, and the seconds it has where the settings' do not fit it."""

    check: str = Field(min_length=1)
    options: Mapping[str, JsonValue] = {}
    timeout_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None


class PackFile(Record):
    """What the YAML says. `stakes` is read by `verifiers.stakes`."""

    name: Slug
    checks: tuple[CheckEntry, ...] = Field(min_length=1)
    stakes: Mapping[str, JsonValue] = {}


@dataclass(frozen=True)
class Pack:
    """A pack as read: what its file says, where that stands, and the hash of all that decides with it."""

    said: PackFile
    path: Path
    sha256: str
    """Of checks, options, stakes rules, and the content of every file that they name."""

    @property
    def name(self) -> str:
        """The pack's name."""
        return self.said.name

    @property
    def timeouts_s(self) -> dict[str, float]:
        """Seconds by check, where the pack says any."""
        return {one.check: one.timeout_s for one in self.said.checks if one.timeout_s is not None}


def pack_names() -> tuple[str, ...]:
    """The packs that come with Preceptor.

    >>> "medical_coding" in pack_names()
    True
    """
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


def load_pack(pack: str) -> Pack:
    """The pack of that name, or in the YAML at that path.

    Raises:
        SettingsError: there is none, or it has faults; all of the file's shape are listed.
    """
    path = _FOLDER / f"{pack}.yaml" if pack in pack_names() else Path(pack)
    if path.suffix not in (".yaml", ".yml") or not path.is_file():
        raise SettingsError(
            f"There is no verifier pack '{pack}'. The packs are: {', '.join(pack_names())}; or name a YAML file."
        )
    said = _read(path)
    return Pack(said, path, _hash_of(said, path))


def checks_of(pack: str | Pack, *, resources: Mapping[str, object] | None = None) -> tuple[Check, ...]:
    """The pack's checks, ready to run: what they load slowly is loaded now.

    Args:
        pack: a name, the path of a YAML, or a pack that was loaded.
        resources: what checks need that ask models (`verifiers.doubt`); without it they cannot decide.

    Raises:
        SettingsError: there is no such pack, or checks cannot be made as it says; all are listed.
        MissingExtra: a library that the pack needs is not installed.

    >>> [check.id for check in checks_of("medical_coding")][:2]
    ['icd10cm.exists', 'icd10cm.billable']
    """
    loaded = load_pack(pack) if isinstance(pack, str) else pack
    checks: list[Check] = []
    faults: list[str] = []
    for place, entry in enumerate(loaded.said.checks):
        try:
            made = make_check(entry.check, entry.options, beside=loaded.path.parent, resources=resources)
            if made.id in {check.id for check in checks}:
                raise SettingsError(f"The check '{made.id}' stands in the pack twice. Keep one.")
            checks.append(made)
        except MissingExtra:
            raise
        except PreceptorError as error:
            faults.append(f"  checks.{place}: {error}")
    if faults:
        raise SettingsError(f"{loaded.path} does not describe a pack:\n" + "\n".join(faults))
    for check in checks:
        warm_up(check)
    return tuple(checks)


def _read(path: Path) -> PackFile:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror}). Check the path.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not YAML ({error}). Mend the line it names.") from error
    try:
        return PackFile.model_validate(values)
    except ValidationError as error:
        faults = []
        for fault in error.errors():
            where = ".".join(str(part) for part in fault["loc"]) or "(whole file)"
            got = "" if fault["type"] == "missing" else f" (got {fault['input']!r:.80})"
            faults.append(f"  {where}: {fault['msg']}{got}")
        raise SettingsError(
            f"{path} does not describe a pack:\n" + "\n".join(faults) + "\nWhat a pack holds: docs/verifiers.md."
        ) from error


def _hash_of(said: PackFile, path: Path) -> str:
    files: dict[str, str] = {}
    for entry in said.checks:
        own = own_file(entry.check, path.parent)
        named = [own] if own is not None else []
        named += [Path(text) for text in _texts(entry.options) if len(text) < 1000 and "\n" not in text]
        files |= {str(one): _sha256(one) for one in named if _is_file(one)}
    # Paths differ between machines, what stands in the files must not: contents alone, by their place in the pack.
    return fingerprint.of_json({"said": said.model_dump(mode="json"), "files": list(files.values())})


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        value = list(value.values())
    return [text for one in value for text in _texts(one)] if isinstance(value, list | tuple) else []


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a text that can be no path
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
