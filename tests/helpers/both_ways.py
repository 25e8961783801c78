"""Tests that run with the compiled helper and on NumPy: `@both_ways` on a test, or `pytestmark = both_ways`.

    @both_ways
    def test_something(way): ...

Without the helper the compiled half skips; where CI is set it fails, since .ci/run installs a compiler.
"""

from __future__ import annotations

import os

import pytest

from hrbench.core.native import loader

both_ways = pytest.mark.parametrize("way", ["compiled", "numpy"], indirect=True)


def take(way: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Makes hrbench compute in this way for a test; the fixture `way` of tests/conftest.py calls it."""
    monkeypatch.setenv("HRBENCH_COMPILED", "0" if way == "numpy" else "1")
    if way == "compiled" and loader.library() is None:
        reason = f"no compiled helper: {loader.helper().reason}"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return way
