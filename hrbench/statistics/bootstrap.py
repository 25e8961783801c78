"""Intervals by the bootstrap over images: whole images are drawn again, with all people in them.

Where images of one group resemble each other (scenes of a city), whole groups may be drawn in their place.

A draw of I images with replacement is a vector of counts (I,), how often each image occurs; metrics weight what they
have kept of each image by it, and neither match nor predict again. The interval is the percentile interval
(Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

LEVEL = 0.95
RESAMPLES = 1000

VERSION = 1
"""Raised by hand when a change can move an interval: it is in the key of every score."""


def resample_counts(images: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """`resamples` vectors (I,) int64 of counts that sum to I; the same for the same seed."""
    generator = np.random.default_rng(seed)
    for _ in range(resamples):
        # counting I uniform draws is a multinomial draw, and several times quicker than drawing binomials
        yield np.bincount(generator.integers(0, images, images), minlength=images)


def intervals(
    statistic: Callable[[np.ndarray], np.ndarray],
    images: int,
    resamples: int = 1000,
    seed: int = 0,
    groups: np.ndarray | None = None,
) -> list[tuple[float, float] | None]:
    """The 95 % interval (low, high) of every number that `statistic` gives for image weights (I,).

    groups: (I,) number of each image's group, from 0 without gaps, where groups are drawn; None: images are.

    statistic: weights -> (Q,) float64, NaN where a number does not exist under them; such draws are left out of that
    number's interval. None where no draw has the number, where nothing is drawn, or with fewer than two to draw from.
    """
    units = images if groups is None else int(groups.max(initial=-1)) + 1
    if units < 2 or resamples < 1:
        return [None] * len(statistic(np.ones(images, np.int64)))
    drawn = resample_counts(units, resamples, seed)
    values = np.array([statistic(weights if groups is None else weights[groups]) for weights in drawn])
    tails = (50 * (1 - LEVEL), 50 * (1 + LEVEL))
    result: list[tuple[float, float] | None] = []
    for column in values.T:
        column = column[~np.isnan(column)]
        low, high = np.percentile(column, tails).tolist() if len(column) else (0.0, 0.0)
        result.append((low, high) if len(column) else None)
    return result
