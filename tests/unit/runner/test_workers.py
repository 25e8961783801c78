"""Samples are prepared in order, errors and dead processes are named."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from hrbench.core.shared_blocks import SharedBlocks
from hrbench.core.streams import read_ahead
from hrbench.errors import EntryError, InputError
from hrbench.runner import workers as workers_module
from hrbench.runner.worker_pool import NO_BLOCKS, WorkerPool
from hrbench.runner.workers import crew_of, prepare_samples, usual_workers
from hrbench.types import Item, Sample


@dataclass
class Doubling:
    """Prepares one item per sample, holding twice its number; `fault` says what to do at image `at`."""

    fault: str = ""
    at: int = 7

    def prepare(self, sample: Sample) -> list[Item]:
        if sample.id == self.at:
            if self.fault == "input":
                raise InputError(f"{sample.path} is truncated")
            if self.fault == "bug":
                raise ZeroDivisionError("by nothing")
            if self.fault == "death":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.fault == "exit":
                os._exit(4)
        if self.fault == "large":
            return [Item(sample.id, np.zeros((1000, 1000, 3), np.uint8))]
        return [Item(sample.id, np.full((2, 2, 3), 2 * int(sample.id) % 256, np.uint8))]

    def forward(self, net, items):
        raise AssertionError("workers never run a network")

    def finish(self, sample, pairs):
        raise AssertionError("workers never finish")


def samples(count: int) -> list[Sample]:
    return [Sample(id=i, path=Path(f"image-{i}.png")) for i in range(count)]


@pytest.mark.parametrize("workers", [0, 1, 2, None])
def test_order_and_content(workers):
    given = samples(40)
    came = list(prepare_samples(Doubling(), given, workers))
    assert [sample for sample, _ in came] == given
    assert [int(items[0].image[0, 0, 0]) for _, items in came] == [2 * i for i in range(40)]


@pytest.mark.parametrize("workers", [0, 2])
def test_no_samples(workers):
    assert list(prepare_samples(Doubling(), [], workers)) == []


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_of_ours_comes_as_it_is(workers):
    with pytest.raises(InputError, match=r"^image-7\.png is truncated$"):
        list(prepare_samples(Doubling("input"), samples(20), workers))


@pytest.mark.parametrize("workers", [0, 2])
def test_an_unforeseen_error_names_the_image(workers):
    with pytest.raises(EntryError, match=r"^preparing image image-7\.png failed: ZeroDivisionError: by nothing$"):
        list(prepare_samples(Doubling("bug"), samples(20), workers))


@pytest.mark.parametrize(("fault", "how"), [("death", "was killed by SIGKILL"), ("exit", "ended with status 4")])
def test_a_dead_worker_is_named_with_its_image(fault, how):
    with pytest.raises(EntryError, match=rf"^a worker process {how} while it prepared image image-7\.png"):
        list(prepare_samples(Doubling(fault), samples(20), 2))


@pytest.mark.parametrize("at", [0, 1, 61, 150, 199])
def test_the_image_is_named_whatever_else_its_worker_was_asked_for(at):
    with pytest.raises(
        EntryError, match=rf"^a worker process was killed by SIGKILL while it prepared image image-{at}\."
    ):
        list(prepare_samples(Doubling("death", at), samples(200), 2))


@pytest.mark.parametrize(("fault", "error"), [("death", EntryError), ("bug", EntryError), ("input", InputError)])
def test_samples_before_a_fault_come_in_order(fault, error):
    came = []
    with pytest.raises(error, match=r"image-150\.png"):
        for sample, _ in prepare_samples(Doubling(fault, 150), samples(200), 2):
            came.append(sample.id)
    assert came == list(range(len(came))) and (fault == "death" or came[-1] == 149)


@pytest.mark.parametrize("budget", [None, 0])
def test_without_shared_memory_all_comes_through_pipes_and_that_is_said_once(monkeypatch, budget):
    made = SharedBlocks.create
    monkeypatch.setattr(SharedBlocks, "create", lambda: None if budget is None else made(budget))
    notes = []
    crew = crew_of(Doubling("large"), samples(20), 2, notes.append)
    came = [(sample.id, items[0].image.shape) for sample, items in crew.prepared()]
    crew.close()
    assert came == [(number, (1000, 1000, 3)) for number in range(20)] and notes == [NO_BLOCKS]
    with pytest.raises(EntryError, match=r"was killed by SIGKILL while it prepared image image-7\.png"):
        list(prepare_samples(Doubling("death"), samples(20), 2))


def test_memory_is_that_of_the_images_under_way():
    blocks = SharedBlocks.create()
    with WorkerPool(Doubling("large"), 2, blocks) as pool:
        for number in range(60):
            ((items,),) = [pool.prepare([(number, samples(60)[number])]).result()]
            assert items[0].image.nbytes == 3_000_000
            del items
        assert 3_000_000 <= blocks.bytes_held() <= 2 * 3_000_064


def doubled(numbers: np.ndarray, fault: str = "") -> tuple[np.ndarray, int]:
    if fault == "bug":
        raise ZeroDivisionError("by nothing")
    if fault == "death":
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * numbers, os.getpid()


@pytest.mark.parametrize("workers", [0, 2])
def test_functions_are_called_beside(workers):
    crew = crew_of(Doubling(), samples(30), workers)
    futures = [crew.call(doubled, (np.full(50_000, number),)) for number in range(20)]
    assert len(list(crew.prepared())) == 30
    found = [future.result() for future in futures]
    assert all((numbers == 2 * place).all() for place, (numbers, _) in enumerate(found))
    assert (os.getpid() in {process for _, process in found}) == (workers == 0)
    with pytest.raises(ZeroDivisionError, match="by nothing"):
        crew.call(doubled, (np.zeros(3), "bug")).result()
    crew.close()


def test_a_worker_that_dies_in_a_function_is_no_image_that_could_not_be_prepared():
    crew = crew_of(Doubling(), samples(30), 1)
    with pytest.raises(EntryError, match=r"^a worker process was killed by SIGKILL while it finished an image"):
        crew.call(doubled, (np.zeros(3), "death")).result()
    with pytest.raises(EntryError, match="was killed by SIGKILL"):
        crew.call(doubled, (np.zeros(3),)).result()
    crew.close()


def test_what_is_asked_for_raises_when_the_crew_is_closed():
    crew = crew_of(Doubling(), samples(30), 1)
    crew.close()
    with pytest.raises(EntryError, match="have ended"):
        crew.call(doubled, (np.zeros(3),)).result()


def test_workers_end_with_a_parent_that_is_killed(tmp_path):
    """No memory, no process: the parent cannot clean up."""
    code = (
        "import sys, test_workers as t\n"
        "from hrbench.runner.workers import crew_of\n"
        "crew = crew_of(t.Doubling('large'), t.samples(200), 2)\n"
        "next(crew.prepared())\n"
        "print(*(worker.process.pid for worker in crew._pool._workers), flush=True)\n"
        "sys.stdin.read()\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    processes = [int(word) for word in parent.stdout.readline().split()]
    assert len(processes) == 2 and all(psutil.pid_exists(process) for process in processes)
    parent.kill()
    parent.communicate()
    _, alive = psutil.wait_procs([psutil.Process(each) for each in processes if psutil.pid_exists(each)], timeout=30)
    assert not [each for each in alive if each.status() != psutil.STATUS_ZOMBIE]


def test_the_number_of_workers_follows_cores_and_memory(monkeypatch):
    def found(count: int, cores: int, gigabytes: float) -> int:
        monkeypatch.setattr(workers_module, "_cores", lambda: cores)
        memory = SimpleNamespace(available=int(gigabytes * 2**30))
        monkeypatch.setattr(workers_module.psutil, "virtual_memory", lambda: memory)
        return usual_workers(count)

    assert [found(255, 64, 500), found(256, 2, 8), found(256, 1, 8)] == [0, 1, 1]
    assert [found(5000, 16, 64), found(5000, 128, 500), found(5000, 128, 16)] == [15, 127, 32]
    assert found(256, 64, 500) == 8 and found(5000, 8, 0.1) == 1  # 32 images for each at least


def test_large_samples_and_large_items_do_not_lock_each_other():
    given = [Sample(id=i, path=Path(f"image-{i}.png"), content=bytes(2_000_000)) for i in range(12)]
    came = list(prepare_samples(Doubling("large"), given, 1))
    assert [sample.id for sample, _ in came] == list(range(12))
    assert came[0][1][0].image.nbytes == 3_000_000


def test_leaving_early_ends_the_processes():
    source = prepare_samples(Doubling(), samples(200), 2)
    assert next(source)[0].id == 0
    source.close()
    with pytest.raises(ChildProcessError):
        while True:  # every child has been waited for, so there is none to wait for
            os.waitpid(-1, os.WNOHANG)


def test_beside_hands_over_elements_and_errors():
    def source():
        yield 1
        yield 2
        raise InputError("three is missing")

    came = []
    with pytest.raises(InputError, match="three is missing"):
        for element in read_ahead(source(), ahead=1):
            came.append(element)
    assert came == [1, 2]


def test_beside_stays_within_its_bound():
    taken = []

    def source():
        for i in range(100):
            taken.append(i)
            yield i

    elements = read_ahead(source(), ahead=3)
    assert next(elements) == 0
    elements.close()
    assert len(taken) <= 6
