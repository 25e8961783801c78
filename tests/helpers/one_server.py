"""Runs of one test file that share the process that starts their entries' processes: importing torch takes seconds.

What an entry does stays in its own process, so all that they share is what that process has imported.
"""

from __future__ import annotations

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


@contextmanager
def one_server() -> Iterator[None]:
    """Within it, executors of this process that follow one another, of this interpreter, have one server."""
    servers: list[Kept] = []

    def get(interpreter: None) -> Kept:
        assert interpreter is None
        if not servers or servers[-1].process.poll() is not None:
            servers.append(Kept(interpreter))
        return servers[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "_ServerProcess", get)
        yield
    for server in servers:
        if server.process.poll() is None:
            server.end_for_good()
