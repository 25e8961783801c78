"""Suites of drawn fixtures: written beside their data, and run in this process as `hrbench run` runs them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from hrbench.cli.command_line import main

Draw = Callable[[Path, bool], list[dict[str, Any]]]
"""As `draw` of the modules in `drawn`: writes fixtures below a folder, with worse predictions or not; gives entries."""


def written(folder: Path, entries: list[dict[str, Any]], name: str = "suite", **defaults: Any) -> Path:
    """The path of a suite of these entries, `folder`/`name`.yaml; defaults: those of its entries."""
    path = folder / f"{name}.yaml"
    content = {"suite": "drawn", "report": {"images": 1}, "defaults": defaults, "entries": entries}
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def run(suite: Path, out: str, *options: str) -> int:
    """Runs a suite on `data` beside it into `out` beside it; returns the exit code of `hrbench run`."""
    where = ["--data", str(suite.parent / "data"), "--out", str(suite.parent / out)]
    return main(["run", str(suite), *where, "--device", "cpu", "--plain", "--in-process", *options])


def before_and_worse(folders: pytest.TempPathFactory, draw: Draw, *options: str, **defaults: Any) -> dict[str, Path]:
    """Run folders of the same suite: "before" by predictions as they are, "worse" by worse ones."""
    found = {}
    for name in ("before", "worse"):
        folder = folders.mktemp(name)
        assert run(written(folder, draw(folder, name == "worse"), **defaults), "run", *options) == 0
        found[name] = folder / "run"
    return found
