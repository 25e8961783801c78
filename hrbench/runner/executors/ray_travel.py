"""What of the folder beside a suite goes to the nodes: code and small files, never data, weights or results.

The copy is the working folder of Ray's runtime environment. What is left out must lie on each node under the same path.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hrbench.errors import UsageError

FILE_BYTES = 1 << 20
"""A larger file does not travel, unless it is Python code."""

ALL_BYTES = 64 << 20
ALL_FILES = 5000
"""Together no more: a suite beside more code than this is refused, with the way out."""

NOT_TAKEN = {"__pycache__", "node_modules", "runs", "data", "weights"}
"""Folders of a suite's that hold what is large, or made by a run."""


def pack(folder: Path, to: Path, without: Sequence[Path] = ()) -> Path:
    """Copies what travels to the empty folder `to`, under the same relative names. Returns it.

    without: folders that stay, with all that is below: of data, weights, results.

    Raises UsageError if it is too much.
    """
    count = size = 0
    for path in _taken(folder, {one.resolve() for one in without}):
        count, size = count + 1, size + path.stat().st_size
        if count > ALL_FILES or size > ALL_BYTES:
            raise UsageError(
                f"too much lies beside the suite to be sent to the nodes of a cluster ({folder}: over {ALL_FILES} "
                f"files or {ALL_BYTES >> 20} MiB of code and small files): give the suite a folder of its own"
            )
        target = to / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return to


def _taken(folder: Path, without: set[Path]) -> Iterator[Path]:
    for at, folders, files in os.walk(folder):
        place = Path(at)
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and name not in NOT_TAKEN
            and (place / name).resolve() not in without
            and not (place / name / "pyvenv.cfg").exists()  # an environment of Python
            and not (place / name / "run.json").exists()  # a run folder
        )
        for name in sorted(files):
            path = place / name
            if not name.startswith(".") and path.is_file() and _travels(path):
                yield path


def _travels(path: Path) -> bool:
    return path.suffix in (".py", ".pyi") or path.stat().st_size <= FILE_BYTES


def arrived(value: Any, beside: str, copy: str) -> Any:
    """The JSON value as it holds on a node: a path below the suite's folder that is not there is that of the copy.

    beside: the suite's folder on the machine of the driver; "" for none.
    copy: where its copy lies on this node.
    """
    if isinstance(value, str):
        if beside and (value == beside or value.startswith(beside + os.sep)) and not Path(value).exists():
            moved = copy + value[len(beside) :]
            return moved if Path(moved).exists() else value
        return value
    if isinstance(value, dict):
        return {key: arrived(one, beside, copy) for key, one in value.items()}
    return [arrived(one, beside, copy) for one in value] if isinstance(value, list) else value
