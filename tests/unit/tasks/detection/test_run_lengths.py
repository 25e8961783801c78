"""Codes of masks in a part of an image are the codec's of the whole image."""

from __future__ import annotations

import numpy as np
import pytest
from both_ways import both_ways
from pycocotools import mask as codec

from hrbench.tasks.detection import run_lengths
from hrbench.tasks.detection.run_lengths import encoded

pytestmark = pytest.mark.numeric


@both_ways
def test_codes_of_a_part_are_those_of_the_whole(way: str) -> None:
    """At the image's borders, of its whole height, without a pixel, all set, of other numbers than one."""
    rng = np.random.default_rng(3)
    for _ in range(300):
        height, width = rng.integers(1, 40, 2).tolist()
        rows, columns = int(rng.integers(0, height + 1)), int(rng.integers(0, width + 1))
        top, left = int(rng.integers(0, height - rows + 1)), int(rng.integers(0, width - columns + 1))
        pixels = rng.random((rows, columns)) < rng.choice([0, 0.1, 0.5, 0.95, 1])
        whole = np.zeros((height, width), np.uint8, order="F")
        whole[top : top + rows, left : left + columns] = pixels
        for part in (pixels, pixels.astype(np.uint8)):
            runs = encoded(part.T, left, top, (width, height))
            assert runs == {"size": [height, width], "counts": codec.encode(whole)["counts"].decode()}


@both_ways
def test_a_code_longer_than_most(way: str) -> None:
    mask = np.random.default_rng(4).random((300, 300)) < 0.5
    runs = encoded(mask.T, 0, 0, (300, 300))
    assert len(runs["counts"]) > run_lengths.LIKELY_CHARACTERS
    assert runs["counts"] == codec.encode(np.asfortranarray(mask, np.uint8))["counts"].decode()
