"""The process that speaks to Ray, so that Ray's threads, signals, output and death are not those of the run.

It answers one request at a time over a socket (`messages.py`): {"do": "open" | "machine" | "predict" | "run", ...} gets
any number of {"event": ...}, {"note": ...} and {"output": ...}, and one {"answer": ...}. When the other end of the
socket is closed, for whatever reason, it ends all workers and a cluster of its own, and itself.
"""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from hrbench.core.files import write_whole
from hrbench.errors import EntryError, UsageError
from hrbench.runner.executors import ray_cluster, ray_probe
from hrbench.runner.executors.child import failure
from hrbench.runner.executors.messages import packed, receive
from hrbench.runner.executors.ray_actor import CostWorker, RayPost, ShardWorker
from hrbench.runner.executors.ray_shards import LOST_RETRIES, POLL_SECONDS, ShardDealer, ShardFailed, WorkerLost
from hrbench.types import Shard

END_SECONDS = 12.0
"""How long the end may take once nobody listens any more; then this process goes at once, and Ray's reaper follows."""

WAIT_NOTE_SECONDS = 30.0
"""After so long without a worker that has started, a note says that others hold the cluster."""


class _Hung(BaseException):
    """Nobody listens any more."""


def live(descriptor: int) -> NoReturn:
    """The life of the process. descriptor: of the socket."""
    status = 1
    connection = socket.socket(fileno=descriptor)
    os.set_inheritable(descriptor, False)
    driver = RayDriver(connection)
    try:
        driver.serve()
        status = 0
    except _Hung:
        status = 0
    finally:
        with contextlib.suppress(BaseException):
            driver.close()
        if driver.folder:  # the other end removes it too, unless it was killed
            shutil.rmtree(driver.folder, ignore_errors=True)
        os._exit(status)


class RayDriver:
    """Takes requests, one after the other."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.requests: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self.hung = threading.Event()
        self.facts: dict[str, Any] = {}
        self.environment: dict[str, str] = {}
        self.folder = ""
        self.memory = 0.0
        self.post: Any = None
        self.costs: Any = None
        self.measured_by: tuple[dict[str, Any], dict[str, Any]] | None = None
        self.number = 0
        threading.Thread(target=self._listen, name="requests", daemon=True).start()

    def serve(self) -> None:
        """Answers until nobody listens."""
        while (request := self.requests.get()) is not None:
            do = {"open": self.open, "room": self.room, "machine": self.machine, "predict": self.predict}
            try:
                answer = (do | {"run": self.run})[request.pop("do")](**request)
            except Exception as error:
                answer = failure(error)
            self.send({"answer": answer})

    def send(self, message: Mapping[str, Any]) -> None:
        """Sends a message. Raises _Hung if nobody listens."""
        if self.hung.is_set():
            raise _Hung
        try:
            self.connection.sendall(packed(message))
        except OSError:
            raise _Hung from None

    def close(self) -> None:
        """Leaves the cluster, and ends one of its own."""
        import ray

        if self.costs is not None:
            _end(self.costs)
        ray.shutdown()

    def _listen(self) -> None:
        with contextlib.suppress(Exception):
            while (received := receive(self.connection)) is not None:
                self.requests.put(received[0])
        self.hung.set()
        self.requests.put(None)
        time.sleep(END_SECONDS)
        os._exit(1)

    # --- requests

    def open(
        self,
        address: str,
        folder: str,
        working_dir: str,
        facts: dict[str, Any],
        environment: dict[str, str],
        memory: float,
    ) -> dict[str, Any]:
        """Joins or starts the cluster and compares versions. Returns {"nodes": their names, "gpus": how many}.

        folder: of a cluster of our own.
        working_dir: what goes to every node; "" for nothing.
        facts: of the driver, see `ray_actor.NodeSide`; "versions" is filled in here.
        environment: further variables of workers.
        memory: bytes that each worker asks for; 0 for no request.
        """
        self.folder = folder
        ray_cluster.connect(address, folder, working_dir)
        self.send({"joined": True})
        self.facts, self.environment, self.memory = facts, environment, memory
        own = self.facts["versions"] = ray_probe.described()["versions"]
        nodes = {node["NodeID"]: ray_cluster.name_of(node) for node in ray_cluster.alive()}
        if address != ray_cluster.OWN:
            for node, told in ray_cluster.ask_all(ray_probe.described, ray_probe).items():
                name = nodes.get(node, node)
                if "unknown" in told:
                    raise UsageError(f"node {name} of the cluster does not say what it runs: {told['unknown']}")
                if other := ray_probe.difference(own, told["versions"]):
                    raise UsageError(f"node {name} runs other versions than the driver, so numbers may differ: {other}")
        self._renew_post()
        return {"nodes": list(nodes.values()), "gpus": self._total("GPU")}

    def room(self, gpu: bool) -> dict[str, Any]:
        """{"workers": how many fit at once}. Raises EntryError if none ever does."""
        return {"workers": ray_cluster.room_for(ray_cluster.alive(), self._needs(gpu))}

    def machine(self, settings: dict[str, Any], gpu: bool) -> dict[str, Any]:
        """What costs depend on of the node that measures them, which is the same one from now on."""
        answer = self._ask_costs(gpu, "machine", settings)
        if "machine" in answer:
            self.measured_by = (settings, answer["machine"])
        return answer

    def run(self, job: dict[str, Any], gpu: bool) -> dict[str, Any]:
        """Runs a job on the node that measures costs, alone. Returns {"outcome": ..., "log": text}, or a failure."""
        answer = self._ask_costs(gpu, "run", job)
        return answer | ({"log": answer["log"].decode(errors="replace")} if "log" in answer else {})

    def predict(
        self,
        request: dict[str, Any],
        shards: Sequence[Mapping[str, Any]],
        folder: str,
        gpu: bool,
        timeout: float | None,
    ) -> dict[str, Any]:
        """Predicts shards side by side, each written to `folder` as it comes. Returns {} or what went wrong."""
        self._end_costs()
        most = min(len(shards), ray_cluster.room_for(ray_cluster.alive(), self._needs(gpu)))
        until = None if timeout is None else time.monotonic() + timeout
        waiting = _Waiting(self.send)

        def keep(shard: Shard, answer: Mapping[str, Any]) -> None:
            Path(folder).mkdir(parents=True, exist_ok=True)
            write_whole(Path(folder) / shard.file, lambda stream: stream.write(answer["content"]))
            self.send({"done": [shard.first, shard.images]})

        def between() -> None:
            self._deliver()
            waiting.look(dealer)
            if until is not None and time.monotonic() > until:
                raise EntryError(f"was not finished after its timeout of {timeout:g} s and was ended")

        workers = _RayWorkers(self, request, gpu)
        dealer = ShardDealer(workers, most, keep, lambda sentence: self.send({"note": sentence}), between)
        try:
            dealer.deal([Shard(**one) for one in shards])
        except ShardFailed as failed:
            self._deliver()
            return failed.answer
        return {}

    # --- helpers

    def _needs(self, gpu: bool) -> dict[str, float]:
        """What a worker that predicts asks Ray for: as many processors as its passes have threads, or a GPU."""
        memory = {"memory": self.memory} if self.memory else {}
        return {"GPU": 1, "CPU": 1, **memory} if gpu else {"CPU": int(self.environment["OMP_NUM_THREADS"]), **memory}

    def _options(self, needs: Mapping[str, float], environment: Mapping[str, str]) -> dict[str, Any]:
        hidden = {} if needs.get("GPU") else {"CUDA_VISIBLE_DEVICES": ""}  # else Ray leaves the node's in sight
        asked = {"num_cpus": needs.get("CPU", 0), "num_gpus": needs.get("GPU", 0)}
        asked |= {"memory": needs["memory"]} if "memory" in needs else {}
        once = {"max_restarts": 0, "max_task_retries": 0}  # what is lost is dealt again, see `ray_shards.py`
        return {**asked, **once, "runtime_env": {"env_vars": {**environment, **hidden}}}

    def start(self, kind: type, needs: Mapping[str, float], environment: Mapping[str, str], **more: Any) -> Any:
        """A new actor of a class of `ray_actor`."""
        import ray

        self.number += 1
        made: Any = ray.remote(kind)
        options = {**self._options(needs, environment), **more}
        return made.options(**options).remote(self.number, self.post, self.facts)

    def _total(self, name: str) -> float:
        return sum(node["Resources"].get(name, 0) for node in ray_cluster.alive())

    def _renew_post(self) -> None:
        import ray

        made: Any = ray.remote(RayPost)
        environment = {"env_vars": {"CUDA_VISIBLE_DEVICES": ""}}
        self.post = made.options(num_cpus=0, max_restarts=-1, max_task_retries=0, runtime_env=environment).remote()
        self.letters: Any = None

    def _deliver(self, last: bool = False) -> None:
        """Passes on what workers have posted. Never waits for it, except at the last."""
        import ray
        from ray.exceptions import RayError

        if self.letters is None:
            self.letters = self.post.take.remote()
        ready, _ = ray.wait([self.letters], timeout=2.0 if last else 0)
        if not ready:
            if self.hung.is_set():
                raise _Hung
            return
        try:
            letters = ray.get(self.letters)
        except RayError:
            letters = []
        self.letters = None
        for number, kind, value in letters:
            if kind == "output":
                self.send({"output": [number, value.decode(errors="replace")]})
            else:
                self.send({kind: value})
        if self.hung.is_set():
            raise _Hung

    # --- costs

    def _ask_costs(self, gpu: bool, method: str, argument: Any) -> dict[str, Any]:
        """Asks the worker that measures costs; one that is lost is replaced, on a machine of the same kind."""
        told = ""
        for retry in range(LOST_RETRIES + 1):
            if told:
                self.send({"note": f"{told}; it is asked again (retry {retry} of {LOST_RETRIES})"})
            try:
                if self.costs is None:
                    self.costs = self._cost_worker(gpu)
                    if other := self._other_machine():
                        return {"failure": f"{told}, and {other}", "foreseen": True}
                return self._waited(getattr(self.costs, method).remote(argument))
            except WorkerLost as lost:
                _end(self.costs)
                self.costs = None
                told = f"the node that measures costs was lost: {lost}"
        return {"failure": told, "foreseen": True}

    def _waited(self, ticket: Any) -> dict[str, Any]:
        """An answer, while what is posted is passed on. Raises WorkerLost."""
        import ray
        from ray.exceptions import RayError

        while not ray.wait([ticket], timeout=POLL_SECONDS)[0]:
            self._deliver()
        self._deliver(last=True)
        try:
            return ray.get(ticket)
        except RayError as error:
            raise WorkerLost(_lost(error)) from None

    def _other_machine(self) -> str:
        """How the machine that measures costs now differs from the one before; "" if it does not."""
        if self.measured_by is None:
            return ""
        settings, before = self.measured_by
        now = self._waited(self.costs.machine.remote(settings)).get("machine")
        return "" if now == before else f"the node in its place is another machine ({now}; before {before})"

    def _cost_worker(self, gpu: bool) -> Any:
        """A worker that has the whole node, or one GPU of it; always of the node that fits first by name."""
        nodes = sorted(ray_cluster.alive(), key=ray_cluster.name_of)
        if gpu:
            node = next((one for one in nodes if one["Resources"].get("GPU")), None)
            needs = {"GPU": 1.0, "CPU": 1.0}
        else:
            node = next((one for one in nodes if one["Resources"].get("CPU")), None)
            needs = {"CPU": 0.0 if node is None else node["Resources"]["CPU"]}
        if node is None:
            raise EntryError(f"costs need a node with a {'GPU' if gpu else 'CPU'}, and the cluster has none")
        plain = {key: value for key, value in self.environment.items() if key != "OMP_NUM_THREADS"}
        return self.start(CostWorker, needs, plain, scheduling_strategy=ray_cluster.on_node(node))

    def _end_costs(self) -> None:
        """Ends the worker that measures costs: while it lives, a node's processors are taken."""
        import ray
        from ray.exceptions import RayError

        if self.costs is not None:
            with contextlib.suppress(RayError):
                ray.get(self.costs.close.remote(), timeout=END_SECONDS)
            _end(self.costs)
            self.costs = None


class _RayWorkers:
    """`ShardWorkers` of a cluster."""

    def __init__(self, driver: RayDriver, request: dict[str, Any], gpu: bool) -> None:
        import ray

        self.driver, self.gpu = driver, gpu
        self.request = ray.put(request)

    def start(self) -> Any:
        return self.driver.start(ShardWorker, self.driver._needs(self.gpu), self.driver.environment)

    def load(self, worker: Any) -> Any:
        return worker.load.remote(self.request)

    def predict(self, worker: Any, shard: Shard) -> Any:
        return worker.predict.remote(asdict(shard))

    def answered(self, tickets: Sequence[Any], seconds: float) -> Sequence[Any]:
        import ray

        if not tickets:
            time.sleep(seconds)
            return []
        ready, _ = ray.wait(list(tickets), num_returns=1, timeout=seconds)
        more, _ = ray.wait(list(tickets), num_returns=len(tickets), timeout=0)
        return list(dict.fromkeys([*ready, *more]))

    def answer(self, ticket: Any) -> Mapping[str, Any]:
        import ray
        from ray.exceptions import RayError, RayTaskError

        try:
            return ray.get(ticket)
        except RayTaskError as error:  # of Ray's part in it: what the worker itself raises is an answer
            raise ShardFailed(failure(error)) from None
        except RayError as error:
            raise WorkerLost(_lost(error)) from None

    def end(self, worker: Any) -> None:
        _end(worker)


def _end(worker: Any) -> None:
    import ray

    with contextlib.suppress(Exception):
        ray.kill(worker)


def _lost(error: Exception) -> str:
    """How a worker was lost, in a line: of the many that Ray says, the one that tells why."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [
        line for line in lines if any(word in line.lower() for word in ("node", "killed", "died", "exit", "memory"))
    ]
    return f"{type(error).__name__}: {(told or lines or [''])[0][:300]}"


class _Waiting:
    """Notes once that no worker has started for long, which others on the cluster may cause."""

    def __init__(self, send: Callable[[Mapping[str, Any]], object]) -> None:
        self.send, self.since, self.told = send, time.monotonic(), False

    def look(self, dealer: ShardDealer) -> None:
        if self.told or dealer.idle or any(shard is not None for _, shard in dealer.asked.values()):
            self.since = time.monotonic()
        elif time.monotonic() - self.since > WAIT_NOTE_SECONDS:
            self.told = True
            self.send({"note": "waiting for a worker to start and load the network: others may hold the cluster"})
