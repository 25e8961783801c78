"""How a condition of a cost is told: with its name or without, and what another condition tells already."""

from __future__ import annotations

from typing import Any

UNNAMED = ("dtype", "device", "runtime")
"""Conditions whose value says which they are. A table may have a text column of each."""


def worded(name: str, value: Any) -> str:
    """A condition in words.

    >>> worded("dtype", "float32"), worded("threads", 2)
    ('float32', 'threads 2')
    """
    return str(value) if name in UNNAMED else f"{name} {value}"


def tells_threads(runtime: str, threads: Any) -> bool:
    """Whether a runtime in words names these CPU threads, which then are not told again.

    >>> tells_threads("compile, threads 1", 1), tells_threads("compile, threads 12", 1), tells_threads("", None)
    (True, False, False)
    """
    return worded("threads", threads) in runtime.split(", ")
