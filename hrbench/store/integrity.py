"""SHA-256 of all files in an entry's folder; a stored result is checked against them when it is read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from hrbench.core.digests import sha256
from hrbench.errors import HrbenchError

LOG = "log.txt"
"""What an entry's code printed."""

UNCHECKED = ("result.json", LOG)
"""Files without a digest: the one that holds the digests, and the log, to which later phases write."""


def digests_of(folder: Path) -> dict[str, str]:
    """Name below `folder` -> SHA-256 of the file, or of a whole folder of predictions; names sorted.

    Hidden files and `UNCHECKED` are left out. Each file of `drawings/` has its own digest.
    """
    found: dict[str, str] = {}
    for path in sorted(folder.iterdir() if folder.is_dir() else ()):
        if path.name.startswith(".") or path.name in UNCHECKED:
            continue
        if path.is_dir() and path.name == "drawings":
            found.update({f"drawings/{one.name}": sha256(one) for one in sorted(path.iterdir()) if one.is_file()})
        else:
            found[path.name] = folder_digest(path) if path.is_dir() else sha256(path)
    return found


def folder_digest(folder: Path) -> str:
    """SHA-256 over the relative names and contents of all files below a folder, 64 hexadecimal digits."""
    whole = hashlib.sha256()
    for path in _files(folder):
        whole.update(f"{path.relative_to(folder).as_posix()}\0{sha256(path)}\n".encode())
    return whole.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    return iter(sorted(path for path in folder.rglob("*") if path.is_file()))


def changed_files(folder: Path, expected: Mapping[str, str]) -> list[str]:
    """Names of the files that were changed or are missing."""
    changed = []
    for name, digest in expected.items():
        path = folder / name
        try:
            if path.is_symlink() or ".." in Path(name).parts or not path.is_relative_to(folder):
                raise OSError  # hrbench stores no such file; the target of a link is not read
            actual = folder_digest(path) if path.is_dir() else sha256(path)
        except (OSError, HrbenchError):
            actual = ""
        if actual != digest:
            changed.append(name)
    return changed
