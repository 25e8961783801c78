"""Batches are cut in order, of equal shapes, and every image comes out once."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrbench.contracts import Deferred
from hrbench.core.streams import fan_out
from hrbench.errors import EntryError
from hrbench.runner.batching import Batcher
from hrbench.runner.pipeline import _Forwarding, predict
from hrbench.runner.shards import block_of
from hrbench.types import Item, Prediction, Sample

pytestmark = pytest.mark.numeric


def two_pixels(number: int) -> int:
    return 2


class Recording:
    """A task whose sample id decides how many items it has and of what size; it notes the batches it is given."""

    def __init__(self, items_of, sizes_of=two_pixels, fail_at=None):
        self.items_of, self.sizes_of, self.fail_at = items_of, sizes_of, fail_at
        self.batches: list[list[int]] = []

    def prepare(self, sample):
        size = self.sizes_of(sample.id)
        return [
            Item(sample.id, np.full((size, size, 3), abs(sample.id) % 256, np.uint8))
            for _ in range(self.items_of(sample.id))
        ]

    def forward(self, net, items):
        if self.fail_at is not None and any(item.sample == self.fail_at for item in items):
            raise RuntimeError("out of cheese\nand more")
        assert len({item.image.shape for item in items}) == 1
        self.batches.append([item.sample for item in items])
        return [net * item.image.astype(float).mean() for item in items]

    def finish(self, sample, pairs):
        if sample.id == -1:
            raise ValueError("no such image")
        return Prediction(sample.id, [float(raw) for _, raw in pairs])


def samples(ids):
    return [Sample(id=i, path=Path(f"{i}.png")) for i in ids]


def test_batches_are_full_and_in_order():
    task = Recording(lambda i: 3)
    predictions = list(predict(task, 10.0, samples(range(5)), batch=4, workers=0))
    assert task.batches == [[0, 0, 0, 1], [1, 1, 2, 2], [2, 3, 3, 3], [4, 4, 4]]
    assert predictions == [Prediction(i, [10.0 * i] * 3) for i in range(5)]


def test_only_equal_shapes_share_a_batch():
    task = Recording(lambda i: 1, sizes_of=lambda i: 2 if i < 2 else 3)
    list(predict(task, 1.0, samples(range(4)), batch=8, workers=0))
    assert task.batches == [[0, 1], [2, 3]]


def test_images_without_items_come_out_empty_and_in_place():
    task = Recording(lambda i: i % 2)
    assert list(predict(task, 1.0, samples(range(4)), batch=2, workers=0)) == [
        Prediction(0, []),
        Prediction(1, [1.0]),
        Prediction(2, []),
        Prediction(3, [3.0]),
    ]


@settings(max_examples=40)
@given(counts=st.lists(st.integers(0, 5), max_size=30), batch=st.integers(1, 9))
def test_every_image_once_whatever_the_batch(counts, batch):
    seen = []
    task = Recording(lambda i: counts[i])
    predictions = list(
        predict(
            task, 1.0, samples(range(len(counts))), batch=batch, workers=0, progress=lambda d, t: seen.append((d, t))
        )
    )
    assert predictions == [Prediction(i, [float(i)] * counts[i]) for i in range(len(counts))]
    assert seen == [(i + 1, len(counts)) for i in range(len(counts))]


def test_a_failing_network_is_named_with_its_batch():
    task = Recording(lambda i: 1, fail_at=2)
    with pytest.raises(
        EntryError, match=r"^the network failed on a batch of 2 \(2\.png to 3\.png\): RuntimeError: out of cheese$"
    ):
        list(predict(task, 1.0, samples(range(4)), batch=2, workers=0))


def test_a_failing_finish_is_named_with_its_image():
    task = Recording(lambda i: 1)
    with pytest.raises(EntryError, match=r"^finishing image -1\.png failed: ValueError: no such image$"):
        list(predict(task, 1.0, samples([-1]), batch=2, workers=0))


def test_shapes_that_alternate_still_share_batches():
    task = Recording(lambda i: 1, sizes_of=lambda i: 2 + i % 2)
    predictions = list(predict(task, 1.0, samples(range(8)), batch=2, workers=0))
    assert task.batches == [[0, 2], [1, 3], [4, 6], [5, 7]]
    assert [prediction.sample for prediction in predictions] == list(range(8))


def test_an_image_whose_items_differ_in_shape_gets_its_outputs_in_order():
    class Pyramid(Recording):
        def prepare(self, sample):
            return [Item(sample.id, np.full((size, size, 3), size, np.uint8)) for size in (2, 3, 2)]

    predictions = list(predict(Pyramid(lambda i: 3), 1.0, samples(range(5)), batch=4, workers=0))
    assert all(prediction.value == [2.0, 3.0, 2.0] for prediction in predictions)


def test_an_odd_shape_does_not_hold_back_ever_more_images():
    """The first image is alone of its shape: it goes through by itself long before the set ends."""
    task = Recording(lambda i: 1, sizes_of=lambda i: 5 if i == 0 else 2)
    out = []
    waiting = 0
    for prediction in predict(task, 1.0, samples(range(1000)), batch=2, workers=0):
        out.append(prediction.sample)
        waiting = max(waiting, sum(map(len, task.batches)) - len(out))
    assert out == list(range(1000)) and waiting < 200


@settings(max_examples=60)
@given(
    sizes=st.lists(st.lists(st.integers(1, 4), max_size=4), max_size=40),
    batch=st.one_of(st.integers(1, 7), st.just("auto")),
    fits=st.integers(1, 5),
)
def test_every_item_once_whatever_shapes_batch_and_memory(monkeypatch, sizes, batch, fits):
    monkeypatch.setattr("hrbench.runner.batching._free", lambda: None)  # of all that the other tests have made

    class Task(Recording):
        def prepare(self, sample):
            return [Item(sample.id, np.full((size, size, 3), size, np.uint8)) for size in sizes[sample.id]]

        def forward(self, net, items):
            if len(items) > fits:
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 12 bytes")
            return super().forward(net, items)

    notes = []
    task = Task(len)
    predictions = list(predict(task, 1.0, samples(range(len(sizes))), batch=batch, workers=0, note=notes.append))
    assert predictions == [Prediction(i, [float(size) for size in some]) for i, some in enumerate(sizes)]
    assert sum(map(len, task.batches)) == sum(map(len, sizes)) and all(len(one) <= fits for one in task.batches)


# --- a device that computes while it is sent more ---------------------------------------------------------------------


class Ahead(Recording):
    """A task on a stand-in device: `log` says when batches are sent and waited for; `room` is of the device."""

    def __init__(self, items_of, room=10**6, **more):
        super().__init__(items_of, **more)
        self.log: list[tuple[str, int]] = []
        self.room, self.there = room, 0

    def launch(self, net, items):
        first = items[0].sample
        if self.there + len(items) > self.room:
            raise MemoryError
        self.there += len(items)
        self.log.append(("sent", first))
        raws = self.forward(net, items)

        def wait():
            self.there -= len(items)
            self.log.append(("waited", first))
            return raws

        return wait


@pytest.fixture
def gpu(monkeypatch):
    """A stand-in for page-locked memory, which this machine has no device for."""
    monkeypatch.setattr("hrbench.runner.pipeline.page_locks", lambda device: None)
    return "cuda"


def test_two_batches_are_in_flight_on_a_gpu(gpu):
    task = Ahead(lambda i: 1)
    predictions = list(predict(task, 1.0, samples(range(7)), batch=2, workers=0, device=gpu))
    assert predictions == [Prediction(i, [float(i)]) for i in range(7)]
    sent = [("sent", 0), ("sent", 2), ("waited", 0), ("sent", 4), ("waited", 2), ("sent", 6), ("waited", 4)]
    assert task.log == [*sent, ("waited", 6)] and task.batches == [[0, 1], [2, 3], [4, 5], [6]]


def test_a_processor_has_one_batch_at_a_time():
    task = Ahead(lambda i: 1)
    list(predict(task, 1.0, samples(range(4)), batch=2, workers=0))
    assert [what for what, _ in task.log] == ["sent", "waited"] * 2


def test_a_batch_without_room_beside_another_goes_after_it(gpu, monkeypatch):
    monkeypatch.setattr("hrbench.runner.batching._free", lambda: None)
    notes = []
    task = Ahead(lambda i: 1, room=3)
    predictions = list(predict(task, 1.0, samples(range(6)), batch=2, workers=0, device=gpu, note=notes.append))
    assert predictions == [Prediction(i, [float(i)]) for i in range(6)] and notes == []
    assert sorted(item for batch in task.batches for item in batch) == list(range(6))


def test_a_network_that_fails_in_flight_is_named_with_its_own_batch(gpu):
    task = Ahead(lambda i: 1, fail_at=2)
    with pytest.raises(EntryError, match=r"^the network failed on a batch of 2 \(2\.png to 3\.png\): RuntimeError"):
        list(predict(task, 1.0, samples(range(6)), batch=2, workers=0, device=gpu))


# --- postprocessing beside --------------------------------------------------------------------------------------------


def heavy(values: np.ndarray, fault: str) -> tuple[float, int]:
    if fault == "bug":
        raise ValueError("no such image")
    if fault == "ours":
        raise EntryError("this image is odd")
    if fault == "death":
        os._exit(3)
    return float(values.sum()), os.getpid()


def one(number: int) -> int:
    return 1


class Deferring(Recording):
    """A task whose `finish` has a heavy part; `fault` is what happens in it at image 30, or when it is completed."""

    def __init__(self, fault=""):
        super().__init__(one)
        self.fault = fault

    def begin_finish(self, sample, pairs):
        if sample.id % 3 == 0 and sample.id != 30:
            return self.finish(sample, pairs)
        ((_, raw),) = pairs
        fault = self.fault if sample.id == 30 else ""

        def complete(made):
            assert fault != "complete"
            return Prediction(sample.id, list(made))

        return Deferred(heavy, (np.full(2000, raw), fault), complete)


@pytest.mark.parametrize("workers", [0, 2])
def test_the_heavy_part_runs_beside_and_predictions_stay_in_order(workers):
    seen = []
    found = predict(
        Deferring(), 1.0, samples(range(60)), batch=4, workers=workers, progress=lambda done, _: seen.append(done)
    )
    predictions = list(found)
    assert [each.sample for each in predictions] == list(range(60)) and seen == list(range(1, 61))
    assert [each.value[0] for each in predictions] == [
        float(i) if i % 3 == 0 and i != 30 else 2000.0 * i for i in range(60)
    ]
    processes = {each.value[1] for each in predictions if len(each.value) == 2}
    assert (os.getpid() in processes) == (workers == 0)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("bug", r"^finishing image 30\.png failed: ValueError: no such image$"),
        ("ours", r"^this image is odd$"),
        ("complete", r"^finishing image 30\.png failed: AssertionError"),
    ],
)
def test_what_fails_in_the_heavy_part_is_named_with_its_image(workers, fault, message):
    came = []
    with pytest.raises(EntryError, match=message):
        for prediction in predict(Deferring(fault), 1.0, samples(range(60)), batch=4, workers=workers):
            came.append(prediction.sample)
    assert came == list(range(30))


def test_a_worker_that_dies_in_the_heavy_part_ends_the_run():
    with pytest.raises(EntryError, match=r"^a worker process ended with status 3 while it finished an image"):
        list(predict(Deferring("death"), 1.0, samples(range(60)), batch=4, workers=1))


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_no_process_is_left_when_results_cannot_be_written_or_the_run_is_interrupted(error):
    def written(predictions):
        next(predictions)
        raise error

    with pytest.raises(type(error)):
        fan_out(predict(Deferring(), 1.0, samples(range(300)), batch=4, workers=2), [written])
    gc.collect()
    assert not psutil.Process().children()


class TwoAtOnce(Recording):
    """Waits for the outputs of a batch only when it is asked for them (contracts.ForwardsAhead)."""

    def launch(self, net, items):
        outputs = self.forward(net, items)
        return lambda: outputs


@settings(max_examples=60)
@given(
    counts=st.lists(st.integers(0, 4), min_size=1, max_size=40),
    batch=st.integers(1, 5),
    in_flight=st.integers(1, 3),
    random=st.randoms(use_true_random=False),
)
def test_what_a_batch_holds_depends_on_its_block_alone(counts, batch, in_flight, random):
    sizes = [random.choice([2, 2, 2, 3, 4]) for _ in counts]
    block = block_of(batch)
    assert block is not None

    def batches(ids):
        task = TwoAtOnce(lambda i: counts[i], lambda i: sizes[i])
        prepared = ((sample, task.prepare(sample)) for sample in samples(ids))
        images = list(_Forwarding(Batcher(task, 1.0, batch), in_flight, block).over(prepared))
        assert [image.sample.id for image in images] == list(ids) and all(image.done for image in images)
        return task.batches

    blocks = [range(first, min(first + block, len(counts))) for first in range(0, len(counts), block)]
    apart = [one for each in blocks for one in batches(each)]
    assert batches(range(len(counts))) == apart
    if set(counts) == {1} and len(set(sizes)) == 1:
        assert all(len(one) == batch for one in apart[:-1])


def test_with_one_item_an_image_no_batch_is_smaller_than_without_blocks():
    task = Recording(lambda i: 1)
    list(predict(task, 1.0, samples(range(70)), batch=16, workers=0))
    assert list(map(len, task.batches)) == [16, 16, 16, 16, 6]
