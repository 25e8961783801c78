"""The commit of a checkout, and whether its files were changed since: as git tells."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

SECONDS = 10.0
"""After so long without an answer the commit is not known."""

PACKAGE = Path(__file__).resolve().parents[1]


@cache
def own_commit() -> str:
    """Of hrbench itself: "" unless it is used from its own checkout, which an installed package is not."""
    return commit_of(PACKAGE.parent) if (PACKAGE.parent / ".git").exists() else ""


def commit_of(folder: Path) -> str:
    """The commit that a folder's checkout is at, "1a2b3c4d5e6f" or "1a2b3c4d5e6f, changed"; "" if there is none.

    Changed is a file that git tracks, or one that is to be committed; new files are not looked at.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return ""
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return f"{commit[:12]}{', changes not known' if changed is None else ', changed' if changed else ''}"


def _git(folder: Path, *arguments: str) -> str | None:
    """What git says; None if it is not installed, fails or takes too long. It writes nothing and asks nothing."""
    quiet = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            check=True,
            timeout=SECONDS,
            env=quiet,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace").strip()
