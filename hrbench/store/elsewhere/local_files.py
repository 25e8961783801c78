"""Files of a local copy: their digests, and which stored folder one was made from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hrbench.core.digests import sha256
from hrbench.core.files import write_whole
from hrbench.errors import InputError
from hrbench.store.elsewhere.records import FolderRecord, StoredFile, decode

MARK = ".stored.json"
"""In a folder that was fetched or uploaded: the list of its files, of which some may not have been fetched yet."""


def record_in(folder: Path) -> FolderRecord | None:
    """The mark of a folder; None if there is none that can be read."""
    try:
        return decode((folder / MARK).read_bytes(), FolderRecord, str(folder / MARK))
    except (OSError, InputError):
        return None


def write_record(folder: Path, data: bytes) -> None:
    """Marks a folder with an encoded `FolderRecord`, unless it has this mark."""
    path = folder / MARK
    if not path.is_file() or path.read_bytes() != data:
        write_whole(path, lambda stream: stream.write(data))


@dataclass(slots=True)
class Digests:
    """SHA-256 of files, taken again only where size, time or inode have changed."""

    _known: dict[Path, tuple[tuple[int, int, int], StoredFile]] = field(default_factory=dict)

    def of(self, path: Path) -> StoredFile:
        status = path.stat()
        stamp = (status.st_size, status.st_mtime_ns, status.st_ino)
        known = self._known.get(path)
        if known is None or known[0] != stamp:
            known = (stamp, StoredFile(sha256(path), status.st_size))
            self._known[path] = known
        return known[1]

    def below(self, folder: Path) -> dict[str, StoredFile]:
        """Those of all files of a folder by path below it, sorted; without hidden ones and links."""
        return {path.relative_to(folder).as_posix(): self.of(path) for path in sorted(_files(folder))}


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name.startswith(".") or path.is_symlink():
            continue
        if path.is_dir():
            yield from _files(path)
        elif path.is_file():
            yield path
