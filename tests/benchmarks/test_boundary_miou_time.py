"""Boundary counts of label maps against erosion by OpenCV, class by class, as the paper's code does it for each mask.

CPU time of one interleaved run, OpenCV on one thread.
"""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest

from hrbench.metrics.labels.boundary_iou import boundary_counts
from hrbench.metrics.labels.boundary_reference import counts_by_opencv


@pytest.mark.parametrize(("size", "classes", "least"), [((512, 683), 21, 1.3), ((1024, 2048), 19, 1.6)])
def test_it_takes_less_than_eroding_each_mask(size: tuple[int, int], classes: int, least: float) -> None:
    blocks = np.random.default_rng(0).integers(0, classes, (size[0] // 48 + 1, size[1] // 48 + 1))
    truth = np.kron(blocks, np.ones((48, 48), np.int64))[: size[0], : size[1]].astype(np.uint16)
    guess, before, spent = np.roll(truth, 3, (0, 1)), cv2.getNumThreads(), [0.0, 0.0]
    cv2.setNumThreads(1)
    try:
        for _ in range(6):
            for place, counted in enumerate((boundary_counts, counts_by_opencv)):
                started = time.process_time()
                counted(truth, guess, classes, 0.02)
                spent[place] += time.process_time() - started
    finally:
        cv2.setNumThreads(before)
    print(f"{size}: {spent[1] / spent[0]:.2f} times cheaper than OpenCV")
    assert spent[1] >= least * spent[0]
