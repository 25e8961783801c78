"""Examples in docstrings are run, so that none tells what is no longer so."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Collected here rather than by pytest's --doctest-modules, which imports each folder's conftest.py under one name.
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted((ROOT / "hrbench").rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


def test_there_are_examples():
    assert "hrbench.core.units" in MODULES


@pytest.mark.parametrize("module", MODULES)
def test_examples_hold(module: str):
    failed, tried = doctest.testmod(importlib.import_module(module))
    assert tried > 0
    assert failed == 0, "the report above says which"
