"""IoU of boxes, bit for bit that of pycocotools."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pycocotools import mask as codec

from hrbench.metrics.coco import box_iou
from hrbench.metrics.coco.box_iou import box_iou as similarity_of

sides = st.floats(0, 1e9) | st.sampled_from([0.0, 1.0, 32.0, 0.1, 1e-7])
boxes = st.lists(
    st.tuples(st.floats(-1e9, 1e9) | st.just(0.0), st.floats(-1e3, 1e3), sides, sides), min_size=1, max_size=6
)


@settings(max_examples=300)
@given(found=boxes, truth=boxes, crowds=st.lists(st.booleans(), min_size=7, max_size=7))
@example(found=[(0.0, 0.0, 5e-324, 0.5)], truth=[(0.0, 0.0, 10.0, 10.0)], crowds=[False] * 7)  # areas of 0: NaN
@example(found=[(0.0, 0.0, 1e-200, 1e-200)], truth=[(0.0, 0.0, 10.0, 10.0)], crowds=[True] * 7)
def test_iou_is_that_of_the_codec(found, truth, crowds) -> None:
    d, g = np.array(found, float), np.array(truth + found[:1], float)
    crowd = np.array(crowds[: len(g)])
    expected = np.asarray(codec.iou(d, g, crowd.astype(int).tolist()))
    i, j = np.divmod(np.arange(len(d) * len(g)), len(g))
    ours = similarity_of(g, crowd, d)(i, j)
    assert ours.tobytes() == expected[i, j].tobytes()


@pytest.mark.parametrize("chunk", [1, 7, 10_000])
def test_chunks_change_nothing(chunk: int, monkeypatch) -> None:
    rng = np.random.default_rng(0)
    d, g = rng.uniform(0, 100, (2, 30, 4))
    i, j = rng.integers(0, 30, (2, 100))
    crowd = rng.random(30) < 0.3
    whole = similarity_of(g, crowd, d)(i, j)
    monkeypatch.setattr(box_iou, "CHUNK_PAIRS", chunk)
    assert similarity_of(g, crowd, d)(i, j).tolist() == whole.tolist() and (whole > 0).sum() > 20
