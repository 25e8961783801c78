"""Machines that write one run folder in an object store, each with a cache of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from stored_results import store, suite_of

from hrbench.core.remote import Remote, RetryPolicy
from hrbench.store.elsewhere.lease import Timing
from hrbench.store.elsewhere.mirror import RunMirror
from hrbench.store.elsewhere.objects import RunStore
from hrbench.store.elsewhere.snapshot import Needs, snapshot
from hrbench.store.run_folder import RunFolder


class Machine:
    """A machine with a cache of its own, of whose clock the test decides."""

    def __init__(self, url: str, cache: Path, patch: pytest.MonkeyPatch) -> None:
        self.url, self.cache, self.patch = url, cache, patch
        self.told: list[str] = []
        self.waited: list[float] = []
        self.late = timedelta()
        self.remote = Remote.open(url, RetryPolicy(first_wait=0))

    def mirror(self, remote: Remote | None = None) -> RunMirror:
        self.patch.setenv("HRBENCH_CACHE", str(self.cache))
        timing = Timing(renew=3600, sleep=self.waited.append, today=lambda: datetime.now(UTC) + self.late)
        return RunMirror.open(self.url, timing, RunStore(remote or self.remote))

    @contextmanager
    def running(self, remote: Remote | None = None) -> Iterator[RunFolder]:
        mirror = self.mirror(remote)
        folder = RunFolder(mirror.path, mirror)
        mirror.tell = self.told.append
        with folder.locked():
            yield folder

    def read(self, needs: Needs = Needs.ALL) -> Path:
        self.patch.setenv("HRBENCH_CACHE", str(self.cache))
        return snapshot(self.url, needs, RunStore(self.remote))


def run_two(folder: RunFolder) -> None:
    """What a suite of two entries does: what is stored stays."""
    folder.write_run(suite_of("one", "two"))
    for name, value in (("one", 0.5), ("two", 0.7)):
        if folder.read(name) is None:
            store(folder, name, value)
