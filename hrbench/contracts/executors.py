"""What runs jobs, each isolated from the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from hrbench.types import Event, Shard


@dataclass(frozen=True, slots=True)
class Job:
    """One call for an `Executor`, described by names and plain values that JSON can hold.

    target: "package.module:function", called as `function(emit, **arguments)`. It returns what JSON can hold, and
        `emit(event)` sends a dictionary of such values to the caller.
    arguments: of the function.
    log: path of the file to which the output of the call is appended (a long output without its middle); "" for none.
    timeout: seconds after which it is ended; None for never.
    device: "cpu", "cuda" or "cuda:N".
    quiet: whether it measures times, so that nothing else may run at the same time.
    modules: dotted names of modules that compute nothing on import, imported once for all jobs that name them.
    path: `sys.path` of the job; None for the caller's.
    folder: working folder of the job; "" for the caller's.
    environment: all environment variables of the job; None for the caller's. Libraries that are imported already do not
        see a change.
    """

    target: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    log: str = ""
    timeout: float | None = None
    device: str = "cpu"
    quiet: bool = False
    modules: tuple[str, ...] = ()
    path: tuple[str, ...] | None = None
    folder: str = ""
    environment: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a `Job`.

    value: what its function returned, as JSON gives it back; None if it failed.
    failure: why there is no value, in a line: an exception, a signal, an exit, its timeout; "" if there is one.
    error: the class name of the exception that it raised, "" for none.
    foreseen: whether that was an error of hrbench, whose message is sufficient.
    traceback: of the exception.
    changes: what it changed in its process, each in a few words.
    output: the last lines of what it printed.
    output_bytes: how much it printed in all.
    left_out: how many bytes of that are not in its log either.
    threads: CPU threads in use at its end; None if it did not reach it.
    fresh: whether it ran in a new interpreter and not in a fork.
    seconds: from its start to its end.
    """

    value: Any = None
    failure: str = ""
    error: str = ""
    foreseen: bool = False
    traceback: str = ""
    changes: tuple[str, ...] = ()
    output: str = ""
    output_bytes: int = 0
    left_out: int = 0
    threads: int | None = None
    fresh: bool = False
    seconds: float = 0.0


class Executor(Protocol):
    """Runs jobs, each isolated from the others: in this process, in separate processes, or elsewhere."""

    def submit(self, job: Job, on_event: Callable[[Mapping[str, Any]], object] = ..., /) -> Outcome:
        """Runs a job to its end.

        on_event: called with each event of the job.

        Returns the outcome; an error of the job's code is part of it and is not raised.
        """
        ...

    def close(self) -> None:
        """Ends running jobs and releases all resources."""
        ...


@runtime_checkable
class PredictsShards(Protocol):
    """An executor that predicts shards of an entry side by side, each written to a file."""

    def usual_shards(self, request: Mapping[str, Any], /) -> int:
        """How many shards an entry is cut into whose suite says `shards: auto`; at least 1.

        request: of `runner.jobs.request`.
        """
        ...

    def predict_shards(
        self,
        request: Mapping[str, Any],
        shards: Sequence[Shard],
        folder: Path,
        on_event: Callable[[Event], object],
        /,
    ) -> None:
        """Predicts all of these shards; the file of each is written whole into `folder` as soon as it is done.

        request: JSON values, of which each worker makes a `runner.sharded.ShardNetwork`. Beside them it holds `path`
            (`sys.path` of the worker: what lies beside the suite is found there), `log` (a file of this machine that
            gets what workers print; "" for none) and `timeout` (seconds for all shards together, None for no limit).
        shards: in order, without a common image.
        on_event: called in one thread at a time, with progress in images of these shards ("predict", done, total) and
            with notes.

        Raises JobFailed (`runner.execution`) if one of them fails for good; files of others that are done stay.
        """
        ...


@runtime_checkable
class MeasuresElsewhere(Protocol):
    """An executor whose jobs that measure (`Job.quiet`) run on another machine."""

    def machine(self) -> Mapping[str, Any]:
        """What costs depend on of that machine, the same one throughout a run: see `runner.cost_keys.machine_here`.

        Raises EntryError if there is none.
        """
        ...
