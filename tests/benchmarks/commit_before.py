"""The commit before the work on speed, unpacked from git, and whole processes of it and of today in turns.

    trees = [before(tmp_path_factory), HERE]
    theirs, ours = least_cpu_of(3, trees, ["-m", "hrbench", "models"])

Processes get their hrbench by PYTHONPATH, with the installed requirements of today.
"""

from __future__ import annotations

import io
import os
import resource
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

COMMIT = "44c4dac"
"""An ONNX operator without an output is damage, told where the file is read."""

HERE = Path(__file__).parents[2]


def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of `COMMIT`, unpacked once in a process; skips where git has no such commit."""
    return _unpacked(tmp_path_factory.getbasetemp())


@cache
def _unpacked(base: Path) -> Path:
    command = ["git", "-C", str(HERE), "archive", COMMIT, "hrbench", "suites", "reports"]
    try:
        done = subprocess.run(command, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"there is no commit {COMMIT} to compare with: {error}")
    folder = base / f"hrbench-{COMMIT}"
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def run(tree: Path, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """A Python process with the hrbench of a tree. Raises CalledProcessError if it fails."""
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=tree, env=environment, check=True, capture_output=True, text=True)


def cpu_of(tree: Path, arguments: Sequence[str]) -> float:
    """CPU seconds of such a process, with those of its processes."""
    start = resource.getrusage(resource.RUSAGE_CHILDREN)
    run(tree, arguments)
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    return end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime


def least_cpu_of(rounds: int, trees: Sequence[Path], arguments: Sequence[str]) -> list[float]:
    """The least CPU seconds of each tree's process, by turns, after one unmeasured that writes bytecode."""
    spent: list[list[float]] = [[] for _ in trees]
    for number in range(rounds + 1):
        for tree, its in zip(trees, spent, strict=True):
            seconds = cpu_of(tree, arguments)
            if number:
                its.append(seconds)
    return [min(its) for its in spent]
