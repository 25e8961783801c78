"""IoU of boxes, bit for bit that of pycocotools."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as codec

from hrbench.metrics.coco import box_iou
from hrbench.metrics.coco.box_iou import box_iou as similarity_of

sides = st.floats(0, 1e9) | st.sampled_from([0.0, 1.0, 32.0, 0.1, 1e-7])
boxes = st.lists(
    st.tuples(st.floats(-1e9, 1e9) | st.just(0.0), st.floats(-1e3, 1e3), sides, sides), min_size=1, max_size=6
)


@settings(max_examples=300, deadline=None)
@given(found=boxes, truth=boxes, data=st.data())
def test_iou_is_that_of_the_codec(found, truth, data) -> None:
    d, g = np.array(found, float), np.array(truth + found[:1], float)
    crowd = np.array(data.draw(st.lists(st.booleans(), min_size=len(g), max_size=len(g))))
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
    monkeypatch.setattr(box_iou, "CHUNK", chunk)
    assert similarity_of(g, crowd, d)(i, j).tolist() == whole.tolist() and (whole > 0).sum() > 20
