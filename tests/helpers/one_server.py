"""Runs of many tests that share the process that starts their entries' processes: importing torch takes seconds.

What an entry does stays in its own process, so all that they share is what that process has imported.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hrbench.runner.executors import local


class Kept(local._ServerProcess):
    """A server that an executor leaves for the next one, unless it is dead or busy."""

    def hang_up(self) -> None:
        if self.job is not None or self.process.poll() is not None:
            super().hang_up()

    def end(self, patience: float = 0) -> str:
        if self.job is None and self.process.poll() is None:
            return ""
        return super().end(patience)

    def end_for_good(self) -> None:
        super().hang_up()
        super().end(local.CLOSE_SECONDS)


class Servers:
    """Those that are kept: one for each environment, since what is imported may have read it."""

    def __init__(self) -> None:
        self._kept: dict[frozenset[tuple[str, str]], Kept] = {}

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Within it, executors of this process that follow one another, of this interpreter, have the same server."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(local, "_ServerProcess", self._get)
            yield

    def end(self) -> None:
        """Ends them all."""
        while self._kept:
            _, server = self._kept.popitem()
            if server.process.poll() is None:
                server.end_for_good()

    def _get(self, interpreter: None) -> Kept:
        assert interpreter is None
        environment = frozenset(item for item in os.environ.items() if item[0] != "PYTEST_CURRENT_TEST")
        server = self._kept.get(environment)
        if server is None or server.process.poll() is not None:
            server = self._kept[environment] = Kept(interpreter)
        return server
