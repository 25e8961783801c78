"""The executor on a cluster and the process that speaks to Ray, with a stand-in for the one or the other."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from hrbench.contracts import Executor, Job, MeasuresElsewhere, PredictsShards
from hrbench.errors import EntryError, MissingError, UsageError
from hrbench.runner.executors import ray_actor, ray_executor
from hrbench.runner.executors.job_failed import JobFailed
from hrbench.runner.executors.ray_actor import NodeSide, RayPost
from hrbench.runner.executors.ray_driver import RayDriver, _lost
from hrbench.runner.executors.ray_executor import RayExecutor
from hrbench.runner.executors.ray_probe import described
from hrbench.runner.executors.ray_shards import LOST_RETRIES
from hrbench.runner.jobs import request
from hrbench.runner.settings import Settings
from hrbench.runner.sharded import ShardNetwork
from hrbench.suite.load import load_suite
from hrbench.suite.registry import known
from hrbench.types import Event, Shard

SHARDS = [Shard(0, 64, "a"), Shard(64, 128, "b"), Shard(128, 160, "c")]
REQUEST = {"entry": {"name": "one"}, "settings": Settings(device="cpu").plain(), "path": [], "log": "", "timeout": None}


class ScriptedDriver:
    """In place of the driver's process: answers as it is told, or ends."""

    def __init__(self, answer: Callable[[Mapping[str, Any], Mapping[str, Callable[[Any], object]]], Any]) -> None:
        self.asked: list[Mapping[str, Any]] = []
        self.answer, self.ended = answer, 0

    def ask(self, message: Mapping[str, Any], listening: Mapping[str, Callable[[Any], object]]) -> dict[str, Any]:
        self.asked.append(message)
        found = self.answer(message, listening)
        if isinstance(found, BaseException):
            raise found
        return found

    def end(self) -> str:
        self.ended += 1
        return "was killed by SIGKILL"


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[RayExecutor, ScriptedDriver]]:
    def opened(answer: Callable[..., Any], **settings: Any) -> tuple[RayExecutor, ScriptedDriver]:
        executor, driver = RayExecutor(Settings(cluster="", **settings)), ScriptedDriver(answer)

        def reopen() -> dict[str, Any]:
            executor._driver = driver
            return driver.ask({"do": "open"}, {})

        monkeypatch.setattr(executor, "_open", reopen)
        monkeypatch.setattr(executor.local, "warm", lambda *more: None)
        return executor, driver

    return opened


def test_it_is_all_three():
    executor = RayExecutor(Settings(cluster=""))
    protocol: Executor = executor
    assert isinstance(protocol, PredictsShards) and isinstance(protocol, MeasuresElsewhere)


def test_progress_is_of_all_shards_and_never_goes_back(on: Any, tmp_path: Path):
    def answer(message: Mapping[str, Any], listening: Mapping[str, Callable[[Any], object]]) -> dict[str, Any]:
        if message["do"] == "predict":
            for first, done in ((0, 10), (64, 20), (0, 5), (0, 30)):
                listening["event"]([first, {"kind": "progress", "entry": "one", "phase": "predict", "done": done}])
            listening["done"]([0, 64])
            listening["note"]("lost")
            listening["output"]([1, "printed\n"])
        return {"nodes": [], "gpus": 0}

    told: list[Event] = []
    executor, _ = on(answer)
    executor.predict_shards({**REQUEST, "log": str(tmp_path / "log.txt")}, SHARDS, tmp_path, told.append)
    assert [(one.done, one.total) for one in told if one.kind == "progress"] == [
        (10, 160),
        (30, 160),
        (50, 160),
        (84, 160),
    ]
    notes = [one.text for one in told if one.kind == "note"]
    assert notes == ["Ray: a cluster of this machine, 0 nodes, CPUs", "lost"]
    assert (tmp_path / "log.txt").read_text() == "printed\n"


def test_what_is_left_is_asked_again_of_a_new_process(on: Any, tmp_path: Path):
    def answer(message: Mapping[str, Any], listening: Any) -> Any:
        if message["do"] == "predict" and len(message["shards"]) > 1:
            (tmp_path / SHARDS[3 - len(message["shards"])].file).write_bytes(b"whole")
            return ray_executor._Ended("was killed by SIGKILL")
        return {"nodes": [], "gpus": 0}

    told: list[Event] = []
    executor, driver = on(answer)
    executor.predict_shards(REQUEST, SHARDS, tmp_path, told.append)
    asked = [[one["first"] for one in message["shards"]] for message in driver.asked if message["do"] == "predict"]
    assert asked == [[0, 64, 128], [64, 128], [128]]
    assert told[1].text == (
        "the process that speaks to Ray was killed by SIGKILL; what is left is predicted again (retry 1 of 3)"
    )


def test_a_process_that_ends_again_and_again_fails_the_entry(on: Any, tmp_path: Path):
    def answer(message: Mapping[str, Any], listening: Any) -> Any:
        return ray_executor._Ended("was killed by SIGKILL") if message["do"] == "predict" else {"gpus": 0, "nodes": []}

    executor, driver = on(answer)
    with pytest.raises(JobFailed, match="the process that speaks to Ray was killed by SIGKILL"):
        executor.predict_shards(REQUEST, SHARDS, tmp_path, lambda event: None)
    assert sum(message["do"] == "predict" for message in driver.asked) == LOST_RETRIES + 1


@pytest.mark.parametrize("error", ["EntryError", "ValueError", "UnavailableError"])
def test_a_failure_arrives_as_it_was(on: Any, tmp_path: Path, error: str):
    foreseen = error != "ValueError"
    failed = {"failure": "on node b: no", "error": error, "foreseen": foreseen, "traceback": "Traceback"}
    executor, driver = on(lambda message, listening: failed if message["do"] == "predict" else {})
    with pytest.raises(JobFailed, match=r"^on node b: no$") as raised:
        executor.predict_shards(REQUEST, SHARDS, tmp_path, lambda event: None)
    assert raised.value.trace == ("" if foreseen else "Traceback")
    assert raised.value.unavailable == (error == "UnavailableError")
    assert len(driver.asked) == 2


def test_an_interruption_ends_the_process(on: Any, tmp_path: Path):
    executor, driver = on(lambda message, listening: KeyboardInterrupt() if message["do"] == "predict" else {})
    with pytest.raises(KeyboardInterrupt):
        executor.predict_shards(REQUEST, SHARDS, tmp_path, lambda event: None)
    assert driver.ended == 1 and executor._driver is None


@pytest.mark.parametrize(
    ("device", "gpus", "used"), [("auto", 0, False), ("auto", 2, True), ("cpu", 2, False), ("cuda", 2, True)]
)
def test_the_device_is_that_of_the_cluster(on: Any, device: str, gpus: int, used: bool):
    executor, driver = on(lambda message, listening: {"nodes": [], "gpus": gpus, "workers": 3}, device=device)
    executor.open()
    assert driver.asked[-1] == {"do": "room", "gpu": used}
    assert executor.usual_shards(REQUEST) == 12


def test_what_the_cluster_never_has_ends_the_run_at_once(on: Any):
    def answer(message: Mapping[str, Any], listening: Any) -> dict[str, Any]:
        return {"failure": "a worker needs 1 GPU"} if message["do"] == "room" else {"nodes": [], "gpus": 0}

    with pytest.raises(UsageError, match="a worker needs 1 GPU") as raised:
        on(answer, device="cuda")[0].open()
    assert raised.value.exit_code == 2
    with pytest.raises(UsageError, match="Ray chooses which GPU"):
        on(answer, device="cuda:1")[0].open()


def test_ray_that_is_not_installed_is_asked_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ray_executor.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingError, match=r"pip install 'hrbench\[ray\]'"):
        RayExecutor(Settings(cluster="")).open()


def test_a_job_that_measures_goes_to_a_node_and_others_stay(on: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    outcome = {"value": 3, "changes": ["a"], "seconds": 1.0}

    def answer(message: Mapping[str, Any], listening: Mapping[str, Callable[[Any], object]]) -> dict[str, Any]:
        if message["do"] != "run":
            return {}
        listening["job"]({"kind": "note"})
        return {"outcome": outcome, "log": "printed"}

    executor, driver = on(answer)
    heard: list[Any] = []
    arguments = {"entry": {"name": "one"}, "settings": REQUEST["settings"]}
    job = Job("a:b", arguments, quiet=True, log=str(tmp_path / "log.txt"), path=("/here",), folder="/here")
    found = executor.submit(job, heard.append)
    assert (found.value, found.changes, heard) == (3, ("a",), [{"kind": "note"}])
    assert (tmp_path / "log.txt").read_text() == "printed"
    sent = driver.asked[-1]["job"]
    assert not {"path", "folder", "environment"} & set(sent) and sent["arguments"]["settings"]["data"].startswith("/")
    monkeypatch.setattr(executor.local, "submit", lambda job, listen: "here")
    assert executor.submit(Job("a:b", arguments)) == "here"


# --- on a node


@pytest.fixture
def side(monkeypatch: pytest.MonkeyPatch) -> Callable[..., NodeSide]:
    monkeypatch.setattr(ray_actor, "node_name", lambda: "far (10.0.0.2)")
    facts = {
        "versions": described()["versions"],
        "beside": "",
        "copied": False,
        "folder": "",
        "threads": "",
        "places": ["/data"],
    }
    return lambda put=lambda letters: None, **more: NodeSide(1, put, {**facts, **more})


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            MissingError("there is no /data/coco"),
            "there is no /data/coco: each node needs the files of the driver under the same paths (--data, --weights)",
        ),
        (MissingError("no such part"), "no such part"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "full/a"), "No space left on device: full/a"),
        (ValueError("x\ny"), "ValueError: x"),
        (SystemExit(3), "its code called sys.exit(3)"),
    ],
)  # fmt: skip
def test_what_goes_wrong_on_a_node_names_it(side: Callable[..., NodeSide], error: BaseException, told: str):
    assert side().failed(error)["failure"] == f"on node far (10.0.0.2): {told}"


def test_a_node_with_other_versions_says_so(side: Callable[..., NodeSide]):
    side().check_versions()
    versions = {**described()["versions"], "torch": "1.0"}
    with pytest.raises(EntryError, match=r"node far \(10.0.0.2\) runs other versions .*: torch is .* 1\.0\)"):
        side(versions=versions).check_versions()


def test_the_path_of_a_node_is_without_what_ray_brings(side: Callable[..., NodeSide], monkeypatch: pytest.MonkeyPatch):
    brought = ["/a/site-packages/ray/thirdparty_files", "/a/site-packages/ray/_private/workers"]
    monkeypatch.setattr(sys, "path", [*brought, "/a/site-packages", str(Path.cwd())])
    assert side(beside="/suite", copied=True).path() == ["/a/site-packages", str(Path.cwd())]
    assert side(beside="/suite").path() == ["/a/site-packages", str(Path.cwd()), "/suite"]


def test_the_post_is_bounded():
    post = RayPost()
    post.put([(1, "event", number) for number in range(2 * ray_actor.MOST_LETTERS)])
    letters = post.take()
    assert len(letters) == ray_actor.MOST_LETTERS and letters[-1][2] == 2 * ray_actor.MOST_LETTERS - 1
    assert post.take() == []


def test_a_node_without_the_data_says_so(side: Callable[..., NodeSide], tmp_path: Path):
    suite = tmp_path / "suite.yaml"
    suite.write_text("suite: a\nentries: [{model: pose_hrnet_w32_coco_256x192, dataset: coco-keypoints-val2017}]\n")
    (entry,) = load_suite(suite, known(fetch=False)).entries
    settings = Settings(data=tmp_path / "data", weights=tmp_path / "weights", device="cpu", offline=True)
    with pytest.raises(EntryError) as raised:
        ShardNetwork.load({**request(entry, settings), "prediction_key": "a"})
    told = side(places=[str(settings.data), str(settings.weights)]).failed(raised.value)
    assert told["foreseen"] and "\n" not in told["failure"]
    assert told["failure"].startswith("on node far (10.0.0.2): ") and str(tmp_path / "data") in told["failure"]
    assert told["failure"].endswith("each node needs the files of the driver under the same paths (--data, --weights)")


# --- the process that speaks to Ray


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Iterator[RayDriver]:
    monkeypatch.setattr(RayDriver, "_listen", lambda self: None)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        made = RayDriver(theirs)
        made.environment = {"OMP_NUM_THREADS": "3"}
        yield made


def test_a_worker_without_a_gpu_sees_none(driver: RayDriver):
    cpu = driver._options(driver._needs(False), driver.environment)
    assert (cpu["num_cpus"], cpu["num_gpus"]) == (3, 0)
    assert cpu["runtime_env"]["env_vars"] == {"OMP_NUM_THREADS": "3", "CUDA_VISIBLE_DEVICES": ""}
    gpu = driver._options(driver._needs(True), driver.environment)
    assert gpu["num_gpus"] == 1 and "CUDA_VISIBLE_DEVICES" not in gpu["runtime_env"]["env_vars"]
    assert "memory" not in cpu and (cpu["max_restarts"], cpu["max_task_retries"]) == (0, 0)
    driver.memory = 1 << 30
    assert driver._options(driver._needs(False), {})["memory"] == 1 << 30


def test_how_a_worker_was_lost_is_told_in_a_line():
    error = RuntimeError("The actor is unavailable\nactor_id: ab\nThe node was terminated unexpectedly: killed\n")
    assert _lost(error) == "RuntimeError: The node was terminated unexpectedly: killed"
    assert _lost(RuntimeError("")) == "RuntimeError: "


def test_a_cluster_that_never_answers_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_executor, "JOIN_SECONDS", 0.05)
    monkeypatch.setattr(ray_executor, "_threads_of_a_pass", lambda local: 1)
    waits = [
        sys.executable,
        "-c",
        "import time; time.sleep(60)",
    ]  # in place of the process that speaks to Ray, and waits in it
    monkeypatch.setattr(ray_executor, "python_command", lambda code: waits)
    executor = RayExecutor(Settings(cluster="127.0.0.1:6379"))
    monkeypatch.setattr(executor.local, "warm", lambda *more: None)
    with pytest.raises(UsageError, match=r"no Ray cluster answers at 127.0.0.1:6379 \(nothing that Ray understands"):
        executor.open()
