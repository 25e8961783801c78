"""Batches are cut in order, of equal shapes, and every image comes out once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrbench.pipeline import predict
from hrbench.types import EntryError, Item, Prediction, Sample


class Recording:
    """A task whose sample id decides how many items it has and of what size; it notes the batches it is given."""

    def __init__(self, items_of, sizes_of=lambda i: 2, fail_at=None):
        self.items_of, self.sizes_of, self.fail_at = items_of, sizes_of, fail_at
        self.batches: list[list[int]] = []

    def prepare(self, sample):
        size = self.sizes_of(sample.id)
        return [
            Item(sample.id, np.full((size, size, 3), abs(sample.id), np.uint8)) for _ in range(self.items_of(sample.id))
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


@settings(deadline=None, max_examples=40)
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
