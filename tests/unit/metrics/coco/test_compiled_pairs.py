"""Similarities of pairs, compiled and by NumPy and the codec: the same bits."""

from __future__ import annotations

import numpy as np
import pytest
from both_ways import take

from hrbench.formats.coco.columns import Truths
from hrbench.formats.coco.masks import MaskColumns, RowMasks
from hrbench.formats.coco.rle import Masks
from hrbench.metrics.coco.box_iou import box_iou
from hrbench.metrics.coco.mask_iou import mask_iou

pytestmark = pytest.mark.parametrize("way", ["compiled"], indirect=True)


def both(monkeypatch: pytest.MonkeyPatch, work) -> tuple[np.ndarray, np.ndarray]:
    found = []
    for way in ("compiled", "numpy"):
        take(way, monkeypatch)
        found.append(work())
    take("compiled", monkeypatch)
    return tuple(found)


def all_pairs(many: int, others: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    rows = np.repeat(np.arange(many), others), np.tile(np.arange(others), many)
    some = np.flatnonzero(rng.random(many * others) < 0.7)
    return rows[0][some], rows[1][some]


@pytest.mark.parametrize("seed", range(20))
def test_boxes(way, monkeypatch, seed):
    rng = np.random.default_rng(seed)
    sizes = [(30, 40), (1, 1), (0, 5), (7, 0)]
    truth, found = (
        np.round(rng.uniform(-5, 30, (many, 4)).clip(None, 30) * 4) / rng.choice([4.0, 3.0, 7.1])
        for many in sizes[seed % 4]
    )
    for box in (truth, found):
        box[:, 2:] = np.abs(box[:, 2:])
    if len(truth) and seed % 5 == 0:
        truth[0] = found[:1] = [3, 4, 1e-200, 1e-200]  # areas below the smallest double: 0 / 0
    crowd = rng.random(len(truth)) < 0.3
    pairs = all_pairs(len(found), len(truth), rng)
    one, other = both(monkeypatch, lambda: box_iou(truth, crowd, found)(*pairs))
    assert np.array_equal(one, other, equal_nan=True)
    assert np.array_equal(np.signbit(one), np.signbit(other))


def drawn(rng: np.random.Generator, many: int, height: int, width: int, odd: float) -> Masks:
    """Random masks, some without a pixel; `odd` of them with an empty run within."""
    runs: list[list[int]] = []
    for _ in range(many):
        left, right = np.sort(rng.integers(0, width + 1, 2))
        pixels = np.zeros((height, width), bool, order="F")
        pixels[:, left:right] = rng.random((height, right - left)) < rng.choice([0.05, 0.5, 0.95, 1])
        flat = pixels.ravel(order="F").astype(int)
        mine = np.diff(np.flatnonzero(np.diff(np.concatenate(([0], flat, [2])))), prepend=0).tolist()
        if rng.random() < odd and len(mine) > 1:
            at = int(rng.integers(1, len(mine)))
            mine[at:at] = [0, 0]
        runs.append(mine)
    size = np.full((many, 2), [height, width], np.int64)
    none, kind = np.zeros(0, np.int64), np.full(many, 2, np.uint8)
    run = np.array([length for mine in runs for length in mine], np.int64)
    columns = MaskColumns()
    columns.add_rows(
        RowMasks(kind, size, np.array([*map(len, runs)], np.int64), np.zeros(0), none, run, np.zeros(0, np.uint8)), size
    )
    return columns.joined()


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("odd", [0.0, 0.3])
def test_masks(way, monkeypatch, seed, odd):
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 40, 2).tolist()
    truth, found = drawn(rng, 9, height, width, odd), drawn(rng, 15, height, width, odd)
    crowd = rng.random(9) < 0.3
    truths = Truths(np.zeros(9, np.int64), np.zeros(9, np.int64), truth.area, crowd, crowd)
    pairs = all_pairs(15, 9, rng)
    one, other = both(monkeypatch, lambda: mask_iou(truths, truth, found, 0.5)(*pairs))
    assert one.tobytes() == other.tobytes()
    assert (one >= 0.5).any() or seed not in (0, 1, 2)


def test_many_truths_are_decoded_again_where_memory_ends(way, monkeypatch):
    """More runs than are held at a time, of masks that all meet."""
    rng = np.random.default_rng(0)
    truth, found = drawn(rng, 200, 200, 400, 0.0), drawn(rng, 3, 200, 400, 0.0)
    assert len(truth.text) > 1 << 18
    crowd = np.zeros(200, bool)
    truths = Truths(np.zeros(200, np.int64), np.zeros(200, np.int64), truth.area, crowd, crowd)
    pairs = np.repeat(np.arange(3), 200), np.tile(np.arange(200), 3)
    one, other = both(monkeypatch, lambda: mask_iou(truths, truth, found, 0.01)(*pairs))
    assert one.tobytes() == other.tobytes() and (one > 0).sum() > 200


def test_rows_beyond_the_columns_are_refused(way):
    box = np.zeros((2, 4))
    for detection, truth in ((2, 0), (-1, 0), (0, 2), (0, -1)):
        with pytest.raises(IndexError):
            box_iou(box, np.zeros(2, bool), box)(np.array([detection]), np.array([truth]))
    masks = drawn(np.random.default_rng(0), 2, 5, 5, 0.0)
    truths = Truths(np.zeros(2, np.int64), np.zeros(2, np.int64), masks.area, *[np.zeros(2, bool)] * 2)
    for detection, truth in ((2, 0), (-1, 0), (0, 2), (0, -1)):
        with pytest.raises(IndexError):
            mask_iou(truths, masks, masks, 0.5)(np.array([detection]), np.array([truth]))
