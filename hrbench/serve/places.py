"""Where runs and baselines lie: folders below two roots, found by a plain name and never through a link.

hrbench makes no links, so none is followed below a root: a folder that is a link is a row that says so, and files are
opened one part of their path after the other, each refused if it is a link (`open_file`).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hrbench.core.shown_text import clean
from hrbench.errors import InputError, MissingError

Kind = Literal["runs", "baselines"]
KINDS: tuple[Kind, ...] = ("runs", "baselines")

LINK = "is a link, and is not followed: serve the folder that it leads to"

MANY_FILES = 200_000
"""Files of one run that are looked at for links; a folder with more is refused."""


@dataclass(frozen=True, slots=True)
class RunPlace:
    """A run folder or a baseline.

    kind: under which of the two roots it lies, and how its address begins.
    name: of the folder, which its address has.
    path: of the folder.
    problem: why it is not looked into, "" if it is.
    """

    kind: Kind
    name: str
    path: Path
    problem: str = ""

    @property
    def key(self) -> str:
        """Kind and name, as the site's addresses and its form have them: "runs/pose"."""
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True)
class Roots:
    """The folders of runs and of baselines; either may be a run folder itself, and may be missing."""

    runs: Path
    baselines: Path

    def places(self) -> list[RunPlace]:
        """All run folders and baselines, by name; a baseline that lies among the runs is one of the runs."""
        found: dict[str, RunPlace] = {}
        for kind in KINDS:
            for place in _below(kind, getattr(self, kind)):
                found.setdefault(str(place.path) if place.problem else os.path.realpath(place.path), place)
        return list(found.values())

    def find(self, kind: str, name: str) -> RunPlace:
        """The run folder or baseline of this name. Raises MissingError if there is none."""
        known = next((place for place in _below_of(self, kind) if place.name == name), None) if plain(name) else None
        if known is None:
            raise MissingError("there is no such run or baseline here")
        if known.problem:
            raise InputError(f"{known.name} {known.problem}")
        return known


def _below_of(roots: Roots, kind: str) -> Iterator[RunPlace]:
    return _below(kind, getattr(roots, kind)) if kind in KINDS else iter(())


def _below(kind: Kind, root: Path) -> Iterator[RunPlace]:
    """The root itself if it is a run folder, and each folder in it that is one."""
    if (root / "entries").is_dir():
        own = root.resolve().name
        yield RunPlace(kind, own, root, "" if plain(own) else "has a name that no address can have")
    try:
        with os.scandir(root) as found:
            names = sorted((one for one in found if not one.name.startswith(".")), key=lambda one: one.name)
    except OSError:
        return
    for one in names:
        path = root / one.name
        if one.is_symlink():
            if os.path.isdir(f"{one.path}/entries"):  # noqa: PTH112 (a string that may have no characters of UTF-8)
                yield RunPlace(
                    kind, one.name, path, "is a link, and is not followed: serve the folder that it leads to"
                )
        elif one.is_dir() and _is_folder(path / "entries"):
            yield RunPlace(kind, one.name, path, "" if plain(one.name) else "has a name that no address can have")


def _is_folder(path: Path) -> bool:
    """Whether it is a folder, and no link to one."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def plain(name: str) -> bool:
    """Whether a part of an address may name a file: one name that is seen as it is, and does not begin with a dot."""
    return bool(name) and name[0] != "." and not set("/\\\0") & set(name) and name.isprintable() and clean(name) == name


# --- files -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file that was opened for reading.

    descriptor: the caller closes it.
    size: bytes when it was opened.
    """

    descriptor: int
    size: int


def parts_of(path: str) -> tuple[str, ...]:
    """The names in the rest of an address, () for the folder itself. Raises MissingError unless all are `plain`."""
    names = tuple(path.split("/"))
    if names[-1:] == ("",):
        names = names[:-1]
    if not all(map(plain, names)):
        raise MissingError("there is no such file here")
    return names


def open_file(root: Path, names: Sequence[str]) -> OpenFile:
    """Opens a regular file below a folder for reading. Raises MissingError if there is none, or if a part is a link."""
    try:
        descriptor = _open_below(root, names)
    except (OSError, ValueError):
        raise MissingError("there is no such file here") from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise MissingError("there is no such file here")
    return OpenFile(descriptor, status.st_size)


def _open_below(root: Path, names: Sequence[str]) -> int:
    """A descriptor of what lies there, reached without following a link below the root."""
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for number, name in enumerate(names):
        folder = os.O_DIRECTORY if number + 1 < len(names) else os.O_NONBLOCK  # a pipe is not waited for
        try:
            below = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | folder, dir_fd=at)
        finally:
            os.close(at)
        at = below
    return at


@dataclass(frozen=True, slots=True)
class Listed:
    """What lies in a folder. size: in bytes, None of a folder. changed: seconds since 1970."""

    name: str
    size: int | None
    changed: float


def list_folder(root: Path, names: Sequence[str]) -> list[Listed]:
    """Files and folders in a folder below the root, by name, without links and hidden ones.

    Raises MissingError if there is no such folder, or if a part is a link.
    """
    try:
        descriptor = _open_below(root, names)
    except (OSError, ValueError):
        raise MissingError("there is no such folder here") from None
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise MissingError("there is no such folder here")
        found = []
        for name in sorted(os.listdir(descriptor)):  # noqa: PTH208 (of a descriptor)
            status = os.stat(name, dir_fd=descriptor, follow_symlinks=False) if plain(name) else None
            if status is not None and (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
                size = status.st_size if stat.S_ISREG(status.st_mode) else None
                found.append(Listed(name, size, status.st_mtime))
        return found
    except OSError as error:
        raise InputError(f"this folder cannot be read: {error.strerror}") from None
    finally:
        os.close(descriptor)


def is_folder(root: Path, names: Sequence[str]) -> bool:
    """Whether a folder lies there, reached without a link."""
    try:
        descriptor = _open_below(root, names)
    except (OSError, ValueError):
        return False
    try:
        return stat.S_ISDIR(os.fstat(descriptor).st_mode)
    finally:
        os.close(descriptor)


def check_whole(place: RunPlace) -> None:
    """Raises InputError if a run holds what hrbench never makes: links, pipes, devices. Others then read it freely."""
    left = MANY_FILES
    for above, folders, files in os.walk(place.path):
        for name in (*folders, *files):
            try:
                mode = os.lstat(f"{above}/{name}").st_mode
            except FileNotFoundError:  # a run goes on meanwhile
                continue
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                what = "a link" if stat.S_ISLNK(mode) else "no regular file"
                below = os.path.relpath(f"{above}/{name}", place.path)
                raise InputError(f"{place.name}/{below} is {what}, which hrbench never makes: remove it")
        left -= len(files)
        if left < 0:
            raise InputError(f"{place.name} has more than {MANY_FILES:,} files, too many to look at")
