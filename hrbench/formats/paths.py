"""Names of files in lists and annotations: how they may be written, and that they stay within their folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from hrbench.errors import InputError, UsageError

Paths = Literal["posix", "windows"]
_DRIVE = re.compile(r"^[A-Za-z]:")


def inside(name: str, where: str, paths: Paths = "posix") -> str:
    """A file's name, with "/" between folders.

    name: relative to the folder that it is looked for in.
    where: what names it, for the message.
    paths: "windows" if backslashes separate folders.

    Raises InputError if it leads out of the folder. No option allows that: what a file from elsewhere names must not
    decide which files of this machine are read.

    >>> inside("a\\\\b.jpg", "a list", "windows")
    'a/b.jpg'
    """
    plain = name.replace("\\", "/") if paths == "windows" else name
    windows = plain.replace("\\", "/")
    if windows.startswith("/") or _DRIVE.match(plain) or ".." in windows.split("/"):
        raise InputError(
            f"{where}: file name {name!r} leads out of the folder of images, which no option allows: name a folder "
            "above all images (`images`, `folder`), and write names relative to it"
        )
    return plain


def checked_paths(paths: str) -> Paths:
    """A data set's `paths`. Raises UsageError for another word."""
    if paths == "posix" or paths == "windows":
        return paths
    raise UsageError(f"paths: posix or windows was expected, not {paths!r}")


def windows_names(folder: Path, names: Iterable[str]) -> dict[str, str | None]:
    """The file below `folder` that each name means where case does not count and backslashes separate folders.

    A file of exactly this name comes first. None for a name without a file.
    """
    found: dict[str, str | None] = {}
    listed: dict[str, dict[str, str]] = {}
    for name in names:
        plain = name.replace("\\", "/")
        parts: list[str] = []
        for part in plain.split("/"):
            above = "/".join(parts)
            if above not in listed:
                here = sorted(entry.name for entry in os.scandir(folder / above)) if (folder / above).is_dir() else []
                listed[above] = {entry.lower(): entry for entry in here} | {entry: entry for entry in here}
            actual = listed[above].get(part, listed[above].get(part.lower()))
            if actual is None:
                break
            parts.append(actual)
        else:
            found[name] = "/".join(parts)
            continue
        found[name] = None
    return found


def name_forms(name: str) -> list[str]:
    """What a file may be called, longest first: its path, without ending, its name in its folder, that without ending.

    >>> name_forms("a/b.c.jpg"), name_forms("b")
    (['a/b.c.jpg', 'a/b.c', 'b.c.jpg', 'b.c'], ['b', 'b', 'b', 'b'])
    """
    name = name.replace("\\", "/").removeprefix("./")
    last = name.rpartition("/")[2]
    return [name, _without_ending(name), last, _without_ending(last)]


ENDINGS = frozenset((".jpeg", ".jpg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".gif"))
"""Suffixes of image files, in lower case."""


def _without_ending(name: str) -> str:
    head, dot, ending = name.rpartition(".")
    return head if dot and f".{ending.lower()}" in ENDINGS else name


def below(folder: Path) -> list[str]:
    """Files in and below a folder, relative to it, sorted by folder and name; hidden ones are left out."""
    found = []
    for place, folders, files in os.walk(folder, followlinks=True):
        folders.sort()
        inner = Path(place).relative_to(folder).as_posix()
        found += [file if inner == "." else f"{inner}/{file}" for file in sorted(files) if not hidden(file)]
    return found


def hidden(name: str) -> bool:
    """Whether a file is one that operating systems leave in folders: `._a.png`, `.DS_Store`, Thumbs.db, desktop.ini."""
    return name.startswith(".") or name.lower() in ("thumbs.db", "desktop.ini")
