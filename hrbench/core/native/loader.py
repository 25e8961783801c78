"""Loads the compiled helper, if it was built at install, of the sources that lie here; else all runs on NumPy.

Nothing is compiled here. `HRBENCH_COMPILED=0` leaves the library unused.
"""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from functools import cache

from hrbench.core.native.sources import LIBRARY, NOT_BUILT, digest, folders

AGAIN = "install hrbench again (uv sync --reinstall-package hrbench)"
NO_LIBRARY = "it was not built when hrbench was installed"


@dataclass(frozen=True, slots=True)
class Helper:
    """library: the loaded library; None if NumPy computes all. reason: why it is None, else ""."""

    library: ctypes.CDLL | None
    reason: str = ""


def helper() -> Helper:
    """The compiled helper as it stands now; loaded once."""
    if os.environ.get("HRBENCH_COMPILED") == "0":
        return Helper(None, "HRBENCH_COMPILED is 0")
    return _loaded()


def library() -> ctypes.CDLL | None:
    """The loaded library; None: compute with NumPy."""
    return helper().library


def described() -> str:
    """Which way runs, for the recorded environment: "used", or "not used" and why."""
    found = helper()
    return "used" if found.library is not None else f"not used: {found.reason}"


@cache
def _loaded() -> Helper:
    for folder in folders():
        path, note = folder / LIBRARY, folder / NOT_BUILT
        if path.is_file():
            try:
                return _matching(ctypes.CDLL(str(path)))
            except (OSError, AttributeError) as error:  # of another processor or system, or damaged
                return Helper(None, f"{path} cannot be loaded: {error}")
        if note.is_file():
            return Helper(None, note.read_text(encoding="utf-8", errors="replace").strip() or NO_LIBRARY)
    return Helper(None, NO_LIBRARY)


def _matching(found: ctypes.CDLL) -> Helper:
    found.hrb_sources.restype = ctypes.c_char_p
    built = (found.hrb_sources() or b"").decode("ascii", "replace")
    if built != digest():
        return Helper(None, "it was built of other sources than those of this hrbench")
    return Helper(found)
