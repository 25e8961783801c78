"""An executor on a Ray cluster: shards and costs run on its nodes, all else on this machine.

Nothing here imports Ray: a process of its own does (`ray_driver.py`), which ends with this one.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from hrbench.contracts import Job, Outcome
from hrbench.core import environment
from hrbench.core.units import amount
from hrbench.errors import EntryError, MissingError, UnavailableError, UsageError
from hrbench.runner.executors import ray_cluster
from hrbench.runner.executors.endings import signal_name
from hrbench.runner.executors.job_failed import JobFailed
from hrbench.runner.executors.local import LocalExecutor
from hrbench.runner.executors.messages import receive, send
from hrbench.runner.executors.output import KeptOutput
from hrbench.runner.executors.processes import python_command
from hrbench.runner.executors.ray_shards import LOST_RETRIES
from hrbench.runner.executors.ray_travel import pack
from hrbench.runner.settings import Settings
from hrbench.types import Event, Shard

SHARDS_EACH = 4
"""How many shards each worker gets where the suite says `shards: auto`: a slow or lost one then delays little."""

JOIN_SECONDS = 60.0
"""How long a cluster may take to let the driver's process in: Ray itself waits for ever for some that never will."""

CLOSE_SECONDS = 20.0
"""How long the driver's process may take to end its workers, and a cluster that it started."""


class RayExecutor:
    """An `Executor`, and `PredictsShards`.

    settings: of the run, with the address of its cluster; data and weights are looked for on the nodes under the same
        paths.
    beside: the suite's folder, "" for none.
    without: folders whose content never travels.
    """

    def __init__(self, settings: Settings, beside: str = "", without: Sequence[Path] = ()) -> None:
        self.address, self.beside = settings.cluster or ray_cluster.OWN, beside
        self.without = (*without, settings.data, settings.weights)
        self.settings = settings
        self.local = LocalExecutor()
        self.nodes: list[str] = []
        self._threads: int | None = None
        self._driver: _DriverProcess | None = None
        self._told = False
        self.gpu = False

    def open(self) -> RayExecutor:
        """Joins or starts the cluster, and compares what its nodes run with this machine.

        Raises UsageError in one line, also for a device that the cluster does not have.
        """
        if importlib.util.find_spec("ray") is None:
            raise MissingError("--executor ray needs Ray: pip install 'hrbench[ray]'")
        self.local.warm()
        if self.settings.device.startswith("cuda:"):
            raise UsageError(f"--device {self.settings.device}: Ray chooses which GPU a worker gets; use --device cuda")
        found = self._open()
        self.gpu = self.settings.device == "cuda" or (self.settings.device == "auto" and found["gpus"] > 0)
        self._checked({"do": "room", "gpu": self.gpu}, UsageError)
        return self

    def submit(self, job: Job, listen: Callable[[Mapping[str, Any]], object] = lambda event: None) -> Outcome:
        """Runs a job: on a node if it measures, where nothing else of this run is then; otherwise on this machine."""
        if not job.quiet:
            return self.local.submit(job, listen)
        fields = {name: value for name, value in asdict(job).items() if name not in ("path", "environment", "folder")}
        arguments = dict(job.arguments) | {"settings": self._settings_there(job.arguments["settings"])}
        device = "cuda" if self.gpu else "cpu"
        fields |= {"arguments": arguments, "device": device, "modules": list(job.modules), "log": ""}
        name = job.arguments["entry"]["name"]
        listening = {"job": listen, "note": lambda text: listen({"kind": "note", "entry": name, "text": text})}
        answer = self._ask({"do": "run", "job": fields, "gpu": self.gpu}, listening)
        if "outcome" not in answer:
            return Outcome(
                **{key: answer[key] for key in ("failure", "error", "foreseen", "traceback") if key in answer}
            )
        if job.log:
            output = KeptOutput(Path(job.log))
            output.feed(answer["log"].encode())
            output.close()
        outcome = {**answer["outcome"], "changes": tuple(answer["outcome"]["changes"])}
        return Outcome(**outcome)

    def machine(self) -> Mapping[str, Any]:
        """What costs depend on of the node that measures them, see `cost_keys.machine_here`. Raises EntryError."""
        settings = self._settings_there(self.settings.plain())
        return self._checked({"do": "machine", "settings": settings, "gpu": self.gpu}, EntryError)["machine"]

    def usual_shards(self, request: Mapping[str, Any]) -> int:
        """Several for each worker that the cluster has room for. Raises EntryError if it has room for none."""
        return SHARDS_EACH * self._checked({"do": "room", "gpu": self.gpu}, EntryError)["workers"]

    def predict_shards(
        self,
        request: Mapping[str, Any],
        shards: Sequence[Shard],
        folder: Path,
        on_event: Callable[[Event], object],
    ) -> None:
        """See `contracts.PredictsShards`."""
        progress = _Progress(request["entry"]["name"], sum(shard.images for shard in shards), on_event)
        log = KeptOutput(Path(request["log"]) if request.get("log") else None)
        listening = {
            "event": lambda told: progress.of_shard(*told),
            "done": lambda told: progress.done(*told),
            "note": progress.note,
            "output": lambda told: log.feed(told[1].encode()),
        }
        there = {key: value for key, value in request.items() if key not in ("path", "log", "timeout", "digests")}
        asked = {
            "do": "predict",
            "request": there | {"settings": self._settings_there(request["settings"])},
            "folder": str(folder.absolute()),
            "gpu": self.gpu,
            "timeout": request.get("timeout"),
        }
        answer: dict[str, Any] = {}
        self._tell_cluster(progress)
        try:
            for retry in range(LOST_RETRIES + 1):
                left = [one for one in shards if not (folder / one.file).is_file()]
                answer = self._ask({**asked, "shards": [asdict(one) for one in left]}, listening) if left else {}
                if not answer.get("lost") or retry == LOST_RETRIES:
                    break
                again = f"what is left is predicted again (retry {retry + 1} of {LOST_RETRIES})"
                progress.note(f"{answer['failure']}; {again}")
        finally:
            log.close()
        if answer.get("failure"):
            unavailable = answer.get("error") == UnavailableError.__name__
            trace = "" if answer.get("foreseen") else answer.get("traceback", "")
            raise JobFailed(answer["failure"], trace, unavailable)

    def _tell_cluster(self, progress: _Progress) -> None:
        """Says once in a run on what it runs."""
        if not self._told:
            self._told = True
            whose = "a cluster of this machine" if self.address == ray_cluster.OWN else self.address
            progress.note(f"Ray: {whose}, {amount(len(self.nodes), 'node')}, {'GPUs' if self.gpu else 'CPUs'}")

    def close(self) -> None:
        """Ends the driver's process, with all workers, and a cluster that it started."""
        self._abandon()
        self.local.close()

    # --- the driver's process

    def _settings_there(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Settings for a node: absolute paths, and the device that a worker sees as the only one."""
        paths = {name: settings[name] for name in ("data", "weights")}
        paths = {name: text if "://" in text else str(Path(text).absolute()) for name, text in paths.items()}
        return {**settings, **paths, "device": "cuda" if self.gpu else "cpu", "machine": None, "cluster": None}

    def _open(self) -> dict[str, Any]:
        """A new driver's process that has joined or started the cluster."""
        threads = self._threads = self._threads or _threads_of_a_pass(self.local)
        environment.limit_spin_waiting()
        driver = self._driver = _DriverProcess(self.address)
        working_dir = ""
        if self.beside and self.address != ray_cluster.OWN:  # nodes of a cluster of our own are this machine
            (driver.folder / "suite").mkdir()
            working_dir = str(pack(Path(self.beside), driver.folder / "suite", self.without))
        asked = {
            "do": "open",
            "address": self.address,
            "folder": str(driver.folder),
            "working_dir": working_dir,
            "facts": {
                "beside": self.beside,
                "copied": bool(working_dir),
                "folder": str(Path.cwd()),
                "threads": os.environ.get("OMP_NUM_THREADS", ""),
                "places": [str(one.absolute()) for one in (self.settings.data, self.settings.weights)],
            },
            "environment": {
                "OMP_NUM_THREADS": str(threads),
                "GOMP_SPINCOUNT": os.environ["GOMP_SPINCOUNT"],
            },
            "memory": float(self.settings.worker_memory or 0),
        }
        found: dict[str, Any]
        if self.address != ray_cluster.OWN:
            driver.connection.settimeout(JOIN_SECONDS)
        try:
            found = driver.ask(asked, {"joined": lambda _: driver.connection.settimeout(None)})
        except TimeoutError:
            driver.process.kill()  # it waits in Ray, and has started nothing
            found = {"failure": ray_cluster.no_answer(self.address, JOIN_SECONDS)}
        except _Ended as ended:
            found = {"failure": f"the process that speaks to Ray {ended}"}
        if found.get("failure"):
            self._abandon()
            raise UsageError(found["failure"])
        self.nodes = found["nodes"]
        return found

    def _ask(self, message: Mapping[str, Any], listening: Mapping[str, Callable[[Any], object]]) -> dict[str, Any]:
        """What the driver's process answers; a failure if it ends before. A new one is started if there is none."""
        if self._driver is None:
            self._open()
        assert self._driver is not None
        try:
            return self._driver.ask(message, listening)
        except _Ended as ended:
            self._abandon()
            return {"failure": f"the process that speaks to Ray {ended}", "foreseen": True, "lost": True}
        except BaseException:
            self._abandon()
            raise

    def _checked(self, message: Mapping[str, Any], error: type[Exception]) -> dict[str, Any]:
        answer = self._ask(message, {})
        if answer.get("failure"):
            raise error(answer["failure"])
        return answer

    def _abandon(self) -> None:
        driver, self._driver = self._driver, None
        if driver is not None:
            driver.end()


def _threads_of_a_pass(local: LocalExecutor) -> int:
    """CPU threads that torch uses here: those of workers elsewhere must be as many, so that sums are rounded alike."""
    outcome = local.submit(Job("hrbench.runner.executors.ray_threads:threads"))
    return outcome.value if isinstance(outcome.value, int) else environment.threads()


class _Progress:
    """The progress of shards side by side as one, which never goes back."""

    def __init__(self, entry: str, total: int, on_event: Callable[[Event], object]) -> None:
        self.entry, self.total, self.on_event = entry, total, on_event
        self.images: dict[int, int] = {}
        self.shown = 0

    def of_shard(self, first: int, event: Mapping[str, Any]) -> None:
        told = msgspec.convert(event, Event)
        if told.kind == "progress" and told.phase == "predict":
            self.done(first, told.done)
        else:
            self.on_event(told)

    def done(self, first: int, images: int) -> None:
        self.images[first] = max(images, self.images.get(first, 0))
        if sum(self.images.values()) > self.shown:
            self.shown = sum(self.images.values())
            self.on_event(Event("progress", self.entry, "predict", "images", self.shown, self.total))

    def note(self, sentence: str) -> None:
        self.on_event(Event("note", self.entry, text=sentence))


class _Ended(Exception):
    """The driver's process has ended. The message says how."""


class _DriverProcess:
    """The driver's process, seen from here. folder: of a cluster of its own, and of what travels."""

    def __init__(self, address: str) -> None:
        self.connection, theirs = socket.socketpair()
        # short, since the names of Ray's sockets below it must fit into 107 bytes
        base = tempfile.gettempdir() if len(tempfile.gettempdir()) < 20 else "/tmp"
        self.folder = Path(tempfile.mkdtemp(prefix="hrb-ray-", dir=base))
        self.said = tempfile.TemporaryFile()  # noqa: SIM115
        variables = dict(os.environ)
        ray_cluster.prepare_environment(address, variables)
        code = f"from hrbench.runner.executors.ray_driver import live; live({theirs.fileno()})"
        with theirs:
            self.process = subprocess.Popen(
                python_command(code),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self.said,
                stderr=self.said,
                env=variables,
                start_new_session=True,  # Ctrl-C of a terminal is ours to handle
            )

    def ask(self, message: Mapping[str, Any], listening: Mapping[str, Callable[[Any], object]]) -> dict[str, Any]:
        """Its answer; what it tells before goes to `listening`, by kind.

        Raises _Ended, and TimeoutError if the connection has a timeout.
        """
        try:
            send(self.connection, message)
            while (received := receive(self.connection)) is not None:
                for kind, value in received[0].items():
                    if kind == "answer":
                        return value
                    if kind in listening:
                        listening[kind](value)
        except TimeoutError:
            raise
        except OSError:
            pass
        raise _Ended(self.end())

    def end(self) -> str:
        """Has it end all that it started, and waits for it; how it ended, in words, the first time."""
        if self.said.closed:
            return ""
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        try:
            self.process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
        finally:
            self.connection.close()
            code = self.process.wait()
            shutil.rmtree(self.folder, ignore_errors=True)
        with self.said:
            self.said.seek(max(0, self.said.seek(0, os.SEEK_END) - 4096))
            lines = self.said.read().decode("utf-8", errors="replace").splitlines()
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        words = f"was killed by {signal_name(-code)}" if code < 0 else f"ended with status {code}"
        return f"{words}: {last[:300]}" if last else words
