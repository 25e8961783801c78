"""Matches of detections with objects, without any geometry behind them."""

from __future__ import annotations

import numpy as np

from hrbench.metrics.coco.matching import Matches
from hrbench.store.state_format_2 import occupied


def random_matches(seed: int, images: int, categories: int, areas: int) -> Matches:
    """Matches without any geometry behind them: some detections hit, some are ignored, scores are often equal."""
    rng = np.random.default_rng(seed)
    lengths = rng.poisson(4, images)
    number = int(lengths.sum())
    category, image = rng.integers(0, categories, number), np.repeat(np.arange(images), lengths)
    positives = rng.poisson(0.5, (images, categories, areas))
    hits = rng.integers(0, 1024, (number, areas)).astype(np.uint16)
    ignored = rng.integers(0, 1024, (number, areas)).astype(np.uint16) & ~hits
    np.add.at(positives, (image, category), 1)  # no category has more hits than objects
    if categories > 2:  # one without any object
        positives[:, 1], hits[category == 1] = 0, 0
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    score = np.round(rng.random(number), 1)
    return Matches(
        np.arange(images), np.arange(categories), offsets, score, category, hits, ignored, *occupied(positives)
    )
