"""Peers that are no requirement of the tests, installed into a folder of a run."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def install(folder: Path, *pinned: str) -> Path:
    """A folder with these packages, for PYTHONPATH; what they require is there, or named too. Skips without them."""
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("no uv on the path to install the peers with")
    done = subprocess.run(
        [uv, "pip", "install", "-q", "--no-deps", "--target", str(folder), *pinned],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"the peers could not be installed: {done.stderr.strip()[-200:]}")
    return folder
