"""Calls the functions of `jobs` through an executor: each in a separate process, or all in this one for debuggers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from hrbench.contracts import Executor, Job, MeasuresElsewhere, Outcome, PredictsShards
from hrbench.errors import UnavailableError
from hrbench.runner.cost_keys import may_use_gpu
from hrbench.runner.evaluate import EventHandler
from hrbench.runner.executors.in_process import InProcessExecutor
from hrbench.runner.executors.interpreter import Interpreter, this_interpreter
from hrbench.runner.executors.job_failed import JobFailed
from hrbench.runner.executors.local import LocalExecutor
from hrbench.runner.executors.needed import modules_for
from hrbench.runner.settings import Settings
from hrbench.runner.sharding import why_whole
from hrbench.types import Entry, Event, Shard

MODULES = ("hrbench.runner.jobs",)


@dataclass(slots=True)
class Processes:
    """An executor, and what all jobs of a run share.

    folders: appended to `sys.path`, so that `use: "ourpkg.nets:pose"` finds what lies beside the suite.
    interpreter: the Python that runs jobs, None for this one.
    """

    executor: Executor
    settings: Settings
    folders: Sequence[str] = ()
    interpreter: Interpreter | None = None

    @classmethod
    def open(
        cls,
        settings: Settings,
        folders: Sequence[str] = (),
        interpreter: Interpreter | None = None,
        results: Path | None = None,
    ) -> Processes:
        """An executor as the settings say.

        folders, interpreter: of `Processes`. The first folder is the suite's.
        results: the run folder, which lies on this machine alone.

        Raises UsageError if a cluster cannot be joined, or is not one that this run may use.
        """
        if settings.in_process:
            return cls(InProcessExecutor(), settings, folders)
        if settings.cluster is not None:
            from hrbench.runner.executors.ray_executor import RayExecutor

            executor = RayExecutor(settings, next(iter(folders), ""), [results] if results else [])
            try:
                executor.open()
            except BaseException:
                executor.close()
                raise
            return cls(executor, replace(settings, device="cpu"), folders)  # of jobs that stay on this machine
        executor = LocalExecutor(interpreter=interpreter)
        executor.warm()  # its process starts while the first entry is planned
        return cls(executor, settings, folders, interpreter)

    def call(
        self,
        function: str,
        request: Mapping[str, Any],
        on_event: EventHandler,
        entry: Entry,
        log: Path | None,
        quiet: bool = False,
        network: bool = True,
    ) -> tuple[dict[str, Any], Outcome]:
        """Calls a function of `jobs`. Raises JobFailed if it fails, however its process ended.

        function: its name.
        request: its arguments, JSON values.
        on_event: called with the events of the job.
        entry: gives the timeout and the modules that the job needs.
        log: file for what the job prints; None for none.
        quiet: whether the job measures times.
        network: whether it runs the entry's network.

        Returns the value of the function, and the outcome, which lists what the job changed in its process.
        """
        device = "cpu"
        if network and may_use_gpu(self.settings):
            device = "cuda" if self.settings.device == "auto" else self.settings.device
        job = Job(
            f"hrbench.runner.jobs:{function}",
            dict(request),
            log="" if log is None else str(log),
            timeout=entry.timeout,
            device=device,
            quiet=quiet,
            modules=(*MODULES, *modules_for(entry, network)),
            path=self._path(),
        )
        outcome = self.executor.submit(job, lambda event: on_event(msgspec.convert(event, Event)))
        if outcome.failure:
            unavailable = outcome.error == UnavailableError.__name__
            raise JobFailed(outcome.failure, "" if outcome.foreseen else outcome.traceback, unavailable)
        return outcome.value, outcome

    def machine(self) -> Mapping[str, Any] | None:
        """The machine that measures costs, see `cost_keys.machine_here`; None for this one. Raises EntryError."""
        return self.executor.machine() if isinstance(self.executor, MeasuresElsewhere) else None

    def predict_shards(
        self,
        request: Mapping[str, Any],
        shards: Sequence[Shard],
        folder: Path,
        on_event: EventHandler,
        entry: Entry,
        log: Path,
    ) -> list[Outcome]:
        """Has shards predicted, their files in `folder`, as `contracts.PredictsShards` says. Raises JobFailed.

        log: file for what is printed.

        Returns the outcomes of processes of this machine.
        """
        if isinstance(self.executor, PredictsShards):
            told = {"path": list(self._path()), "log": str(log), "timeout": entry.timeout}
            self.executor.predict_shards({**request, **told}, shards, folder, on_event)
            return []
        more = {"shards": msgspec.to_builtins(shards), "folder": str(folder)}
        return [self.call("shards", {**request, **more}, on_event, entry, log)[1]]

    @property
    def elsewhere(self) -> bool:
        """Whether networks predict where the executor says, in shards, and not in a process of this machine."""
        return isinstance(self.executor, PredictsShards)

    def shards_of(self, entry: Entry, request: Mapping[str, Any]) -> int:
        """Into how many shards an entry is cut; 0 if it is predicted without any, in one process of this machine."""
        if entry.shards == "auto" or why_whole(entry):
            usual = self.executor.usual_shards(request) if isinstance(self.executor, PredictsShards) else 0
            return min(usual, 1) if why_whole(entry) else usual
        return entry.shards if self.elsewhere or entry.shards > 1 else 0

    def _path(self) -> tuple[str, ...]:
        """`sys.path` of jobs."""
        found = (self.interpreter or this_interpreter()).path
        return (*found, *(folder for folder in self.folders if folder not in found))

    def close(self) -> None:
        self.executor.close()
