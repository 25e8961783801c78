"""What lives on the nodes of a Ray cluster: workers that predict shards or measure costs, and the post to the driver.

Plain classes, which Ray makes actors of. They answer with plain values, never with exceptions: an exception of the
network's code would have to be unpickled on a machine that may not have its class.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from hrbench.contracts import Job
from hrbench.core import import_path
from hrbench.errors import EntryError, HrbenchError
from hrbench.runner.cost_keys import machine_here
from hrbench.runner.executors.child import failure
from hrbench.runner.executors.local import LocalExecutor
from hrbench.runner.executors.ray_probe import described, difference
from hrbench.runner.executors.ray_travel import arrived
from hrbench.runner.settings import Settings
from hrbench.types import Event, Shard

MOST_LETTERS = 4000
"""How many events and pieces of output wait for the driver; older ones are dropped, and their loss costs no number."""

STREAMED_BYTES = 256 << 10
"""How much of what a worker prints is passed on; of the rest the end, after each shard."""

END_BYTES = 16 << 10

EVENT_SECONDS = 0.2
"""Progress is told no more often."""


class RayPost:
    """Events and output on their way to the driver, which fetches them: one for a run, on any node."""

    def __init__(self) -> None:
        self._waiting: deque[Any] = deque(maxlen=MOST_LETTERS)

    def put(self, letters: Sequence[Any]) -> None:
        """Takes letters, each (number of the worker, kind, plain value)."""
        self._waiting.extend(letters)

    def take(self) -> list[Any]:
        """All that is there."""
        found = list(self._waiting)
        self._waiting.clear()
        return found


class NodeSide:
    """What a worker knows of its node, of the driver, and of the way back to it.

    number: which worker it is.
    post: a handle of `RayPost`, or what is called with letters.
    facts: of the driver: "versions", "beside" (the suite's folder there, "" for none), "copied" (whether a copy of that
        is the working folder here; otherwise this is the driver's machine), "folder" (its working folder), "threads"
        (OMP_NUM_THREADS there, "" if it is not set), "places" (its folders of data and weights).
    """

    def __init__(self, number: int, post: Any, facts: Mapping[str, Any]) -> None:
        self.number, self.facts = number, facts
        self._put: Callable[[list[Any]], object] = post if callable(post) else lambda letters: post.put.remote(letters)
        self.copy = str(Path.cwd()) if facts["copied"] else facts["beside"]  # where Ray puts what travels
        self.name = node_name()
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, 0)  # Ray gives its workers a low one
        if facts["folder"]:
            with contextlib.suppress(OSError):
                os.chdir(facts["folder"])  # so that relative paths mean what they mean to the driver

    def send(self, kind: str, value: Any) -> None:
        """Posts a letter, which nobody waits for."""
        with contextlib.suppress(Exception):  # the post is lost with its node; a new one comes
            self._put([(self.number, kind, value)])

    def check_versions(self) -> None:
        """Raises EntryError that names this node if it runs other versions than the driver."""
        if other := difference(self.facts["versions"], described()["versions"]):
            raise EntryError(f"node {self.name} runs other versions than the driver: {other}")

    def arrived(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """A request as it holds here."""
        return arrived(dict(request), self.facts["beside"], self.copy)

    def path(self) -> list[str]:
        """`sys.path` without what Ray brings, and with the copy of the suite's folder."""
        own = os.sep + "ray" + os.sep
        found = [one for one in sys.path if own + "thirdparty_files" not in one and own + "_private" not in one]
        return [*(one for one in found if one != self.copy), *([self.copy] if self.copy else [])]

    def failed(self, error: BaseException) -> dict[str, Any]:
        """An error as plain values, with the name of this node, and what to do where it lacks something."""
        answer = failure(error)
        told = answer["failure"]
        if isinstance(error, HrbenchError) and any(place in told for place in self.facts["places"]):
            told = f"{told}: each node needs the files of the driver under the same paths (--data, --weights)"
        return {**answer, "failure": told if self.name in told else f"on node {self.name}: {told}"}


def node_name() -> str:
    """This node, as a person knows it."""
    import ray

    return f"{os.uname().nodename} ({ray.util.get_node_ip_address()})"


class ShardWorker:
    """Loads a network once and predicts shards with it, in its own process: it is ended with the entry."""

    def __init__(self, number: int, post: Any, facts: Mapping[str, Any]) -> None:
        self.side = NodeSide(number, post, facts)
        self.output = _Output(self.side.send)
        self.network: Any = None

    def load(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Loads the network of a request. Returns {} or what went wrong, see `child.failure`."""
        return self._answer(lambda: self._load(request))

    def predict(self, shard: Mapping[str, Any]) -> dict[str, Any]:
        """Predicts a shard. Returns {"content": bytes of its file} or what went wrong."""
        return self._answer(lambda: self._predict(shard))

    def _load(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self.side.check_versions()
        import_path.search_only(self.side.path())
        from hrbench.runner.sharded import ShardNetwork

        self.network = ShardNetwork.load(self.side.arrived(request))
        return {}

    def _predict(self, shard: Mapping[str, Any]) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="hrbench-shard-") as folder:
            made = self.network.predict(Shard(**shard), Path(folder), self._events(shard["first"]))
            return {"content": made.read_bytes()}

    def _events(self, first: int) -> Callable[[Event], None]:
        last = -EVENT_SECONDS

        def on_event(event: Event) -> None:
            nonlocal last
            now = time.monotonic()
            if event.kind == "progress" and now - last < EVENT_SECONDS and event.done < event.total:
                return
            last = now
            self.side.send("event", [first, msgspec.to_builtins(event)])

        return on_event

    def _answer(self, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        try:
            found = work()
        except BaseException as error:  # SystemExit and KeyboardInterrupt of its code are its failure
            found = self.side.failed(error)
        self.output.flush()
        return found


class CostWorker:
    """Measures costs on a device that nothing else of the run uses, by an executor of this machine."""

    def __init__(self, number: int, post: Any, facts: Mapping[str, Any]) -> None:
        self.side = NodeSide(number, post, facts)
        os.environ.pop("OMP_NUM_THREADS", None)  # Ray's share of the processors, which are all ours
        if facts["threads"]:
            os.environ["OMP_NUM_THREADS"] = facts["threads"]
        self.executor = LocalExecutor()

    def machine(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """What costs depend on here: {"machine": as `cost_keys.machine_here` says}, or what went wrong."""
        try:
            self.side.check_versions()
            return {"machine": machine_here(Settings.of_plain(settings))}
        except BaseException as error:
            return self.side.failed(error)

    def run(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Runs a job. Returns {"outcome": the fields of an `Outcome`, "log": bytes of its log}, or what went wrong."""
        try:
            with tempfile.TemporaryDirectory(prefix="hrbench-cost-") as folder:
                log = Path(folder) / "log.txt"
                outcome = self.executor.submit(self._here(job, log), lambda event: self.side.send("job", dict(event)))
                return {"outcome": asdict(outcome), "log": log.read_bytes() if log.is_file() else b""}
        except BaseException as error:
            return self.side.failed(error)

    def close(self) -> None:
        """Ends what it started."""
        self.executor.close()

    def _here(self, job: Mapping[str, Any], log: Path) -> Job:
        """A job of the driver as it holds on this node."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
        fields = {**job, "arguments": self.side.arrived(job["arguments"]), "modules": tuple(job["modules"])}
        return Job(**fields | {"log": str(log), "path": tuple(self.side.path()), "environment": environment})


class _Output:
    """What this process prints, on its way to the driver: the beginning as it comes, the end after each call."""

    def __init__(self, send: Callable[[str, Any], object]) -> None:
        self._send = send
        self._lock = threading.Lock()
        self._sent = self._left_out = 0
        self._end = bytearray()
        reading, writing = os.pipe()
        with _flushed():
            for number in (1, 2):
                os.dup2(writing, number)
        os.close(writing)
        with contextlib.suppress(Exception):
            faulthandler.enable(2)
        threading.Thread(target=self._read, args=(reading,), name="output", daemon=True).start()

    def _read(self, descriptor: int) -> None:
        while data := os.read(descriptor, 1 << 16):
            with self._lock:
                now = data[: max(0, STREAMED_BYTES - self._sent)]
                self._sent += len(now)
                self._end += data[len(now) :]
                if extra := len(self._end) - END_BYTES:
                    self._left_out += max(0, extra)
                    del self._end[: max(0, extra)]
            if now:
                self._send("output", now)

    def flush(self) -> None:
        """Sends the end of what was too much."""
        with _flushed():
            pass
        with self._lock:
            end, left_out = bytes(self._end), self._left_out
            self._end.clear()
            self._left_out = 0
        if left_out:
            self._send("output", f"\n[hrbench: {left_out:,} bytes left out here]\n".encode())
        if end:
            self._send("output", end)


@contextlib.contextmanager
def _flushed() -> Iterator[None]:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    yield
