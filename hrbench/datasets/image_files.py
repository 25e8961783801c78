"""Folders of images: which of the listed images exist, and their file sizes."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from hrbench.core.digests import sha256
from hrbench.core.remote import mirror
from hrbench.formats.paths import Paths, windows_names


def file_sizes(folder: Path, names: Iterable[str]) -> dict[str, int | None]:
    """Bytes of each named file below `folder`, None for one that is not there; each directory is listed once."""
    listed: dict[str, dict[str, int]] = {}
    sizes: dict[str, int | None] = {}
    for name in names:
        parent, _, base = name.rpartition("/")
        if parent not in listed:
            try:
                with os.scandir(folder / parent) as entries:
                    listed[parent] = {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}
            except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a name that no folder can have
                listed[parent] = {}
            except OSError as error:
                if error.errno not in (errno.ENAMETOOLONG, errno.ELOOP):
                    raise
                listed[parent] = {}
        sizes[name] = listed[parent].get(base)
    return sizes


def missing_images(folder: Path, names: Sequence[str], home: str, paths: Paths = "windows") -> list[str]:
    """At most one sentence: which of the named images are not below `folder`, and where to get them.

    folder: of the images.
    names: of their files, below it.
    home: where to get them, in words.
    paths: how the data set takes names; "posix" advises on names that would be found as Windows takes them.
    """
    absent = [name for name, size in file_sizes(folder, names).items() if size is None]
    if not absent:
        return []
    how_many = "all" if len(absent) == len(names) else f"{len(absent)} of"
    remedy = home
    if paths == "posix" and any(windows_names(folder, absent[:1]).values()):
        remedy = "it is there as Windows takes names, in other case or with backslashes: set `paths: windows`"
    return [f"{how_many} {len(names)} images are missing from {folder}, the first is {absent[0]}; {remedy}"]


def digest_of(files: Sequence[Path], images: Mapping[str, int | None]) -> str:
    """SHA-256 (hex) over the bytes of `files` in order and over the sorted (name, bytes) list of `images`.

    Paths are not part of it, so the same data in another folder have the same digest.
    """
    whole = hashlib.sha256()
    mirror.present(files)
    for path in files:
        whole.update(bytes.fromhex(sha256(path)))
    for name in sorted(images):
        whole.update(f"{name}\0{images[name]}\n".encode("utf-8", "surrogatepass"))
    return whole.hexdigest()
