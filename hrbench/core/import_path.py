"""The only place that changes `sys.path`, and restores it where the process goes on with other work."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal


def search_only(folders: Sequence[str]) -> None:
    """Modules are imported from these folders alone from now on, in a process that serves for nothing else."""
    sys.path[:] = folders


@contextmanager
def importable(*folders: str | Path, place: Literal["last", "first", "only"] = "last") -> Iterator[None]:
    """Modules can be imported from the folders inside the block.

    folders: those that are on `sys.path` already keep their position, also afterwards.
    place: whether they are searched after all others, before them, or alone (a whole `sys.path`).
    """
    before = list(sys.path)
    new = [folder for folder in map(str, folders) if place == "only" or folder not in before]
    if place == "only":
        sys.path[:] = new
    else:
        sys.path[:] = [*before, *new] if place == "last" else [*new, *before]
    try:
        yield
    finally:
        if place == "only":
            sys.path[:] = before
        for folder in new if place != "only" else ():
            with suppress(ValueError):  # imported code may have removed it
                sys.path.remove(folder)
