"""Files by relative POSIX path, as routers are handed around: below a folder, from one, on disk. Checks nothing."""

from collections.abc import Mapping
from pathlib import Path


def within(files: Mapping[str, bytes], folder: str) -> dict[str, bytes]:
    """The files below a folder, named from there.

    >>> within({"a/x.json": b"1", "b.json": b"2"}, "a")
    {'x.json': b'1'}
    """
    start = f"{folder}/"
    return {name.removeprefix(start): content for name, content in files.items() if name.startswith(start)}


def below(files: Mapping[str, bytes], folder: str) -> dict[str, bytes]:
    """The files, named as below a folder.

    >>> below({"x.json": b"1"}, "a")
    {'a/x.json': b'1'}
    """
    return {f"{folder}/{name}": content for name, content in files.items()}


def files_in(folder: Path) -> dict[str, bytes]:
    """Every file below a folder on disk."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def put_files(files: Mapping[str, bytes], folder: Path) -> None:
    """Write the files below a folder on disk."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
