"""Runs jobs in this process, for debuggers: one job may then end or alter the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from hrbench.contracts import Job, Outcome
from hrbench.core.environment import threads_in_force
from hrbench.runner.executors import witness
from hrbench.runner.executors.child import failure, value_of


class InProcessExecutor:
    """An `Executor` that calls a job's function right here.

    The search path, the folder and the environment are those of this process, whatever the job says; nothing is kept
    of what is printed, there is no timeout, and an interrupt or the end of a debugger's session ends the run.
    """

    def __enter__(self) -> InProcessExecutor:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def warm(self, device: str = "cpu") -> None:
        """Does nothing."""

    def submit(self, job: Job, listen: Callable[[Mapping[str, Any]], object] = lambda event: None) -> Outcome:
        """Calls the job's function. Raises KeyboardInterrupt, which here is the person's."""
        before, started = witness.state(), time.monotonic()
        value, told = None, {}
        try:
            value = value_of(job.target, job.arguments, listen)
        except (Exception, SystemExit, GeneratorExit) as error:
            told = failure(error)
        return Outcome(
            value=value,
            **told,
            changes=witness.changes(before, witness.state()),
            threads=threads_in_force(),
            seconds=time.monotonic() - started,
        )

    def close(self) -> None:
        """Does nothing."""
