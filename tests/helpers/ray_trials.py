"""Runs of a suite that are killed, for the benchmarks of Ray: what is compared, and what must not be left."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from hrbench.store.states import read_state

HEADROOM = 60.0
"""Seconds in which everything that a run has started must have ended."""


def hrbench(*arguments: str) -> list[str]:
    """The command line of a run."""
    return [sys.executable, "-P", "-m", "hrbench", *arguments]


def outcomes(folder: Path) -> dict[str, tuple[Any, ...]]:
    """What a run says of each entry, bit for bit: predictions, states, scores, and the costs that are counts."""
    found = {}
    for place in sorted((folder / "entries").iterdir()):
        result = json.loads((place / "result.json").read_text())["result"]
        predictions = {one.name: one.read_bytes() for one in sorted(place.glob("predictions*")) if one.is_file()}
        arrays = {}
        for path in sorted(place.glob("states*.npz")):
            state = read_state(path)
            arrays |= {f"{path.name} {key}": value.tobytes() for key, value in state.arrays.items()}
        kept = {name: result[name] for name in ("status", "scores", "prediction_key", "score_key", "files")}
        counts = {one["quantity"]["name"]: one["value"] for one in result["costs"] if one["quantity"]["unit"] == "1"}
        found[place.name] = (kept, arrays, predictions, counts)
    return found


@dataclass
class Leftovers:
    """What was there before a run. Use `now` after it."""

    shared: set[str]

    @classmethod
    def before(cls) -> Leftovers:
        return cls({one.name for one in Path("/dev/shm").iterdir()})

    def now(self, started: list[psutil.Process]) -> list[str]:
        """What is left of a run: files in /dev/shm, and processes that do not end."""
        _, alive = psutil.wait_procs(started, HEADROOM)
        left = [f"process {one.pid} {' '.join(one.cmdline())[:100]}" for one in alive if _is_alive(one)]
        return [*sorted({one.name for one in Path("/dev/shm").iterdir()} - self.shared), *left]


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def descendants(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """All processes below one."""
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
