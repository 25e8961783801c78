"""An object store in memory (memory://), of which this process has no mirror yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from hrbench.core.remote import Remote, mirror


def memory_store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Remote:
    """An empty store with an address of its own; what is fetched of it is kept below `folder`, of a test."""
    monkeypatch.setenv("HRBENCH_CACHE", str(folder / "cache"))
    monkeypatch.setattr(mirror, "_MIRRORS", {})
    monkeypatch.setattr(mirror, "_USERS", {})
    return Remote.open(f"memory://{folder.name}")
