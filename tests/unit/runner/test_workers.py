"""Samples are prepared in order, errors and dead processes are named."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from hrbench.core.streams import read_ahead
from hrbench.errors import EntryError, InputError
from hrbench.runner.workers import prepare_samples
from hrbench.types import Item, Sample


@dataclass
class Doubling:
    """Prepares one item per sample, holding twice its number; `fault` says what to do at image 7."""

    fault: str = ""

    def prepare(self, sample: Sample) -> list[Item]:
        if sample.id == 7:
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
