"""Intervals by the bootstrap over images: whole images are resampled, with all people in them.

If images of one group are similar (scenes of a city), whole groups can be resampled instead.

A resample of I images with replacement is a vector of counts (I,): how often each image occurs. Metrics weight by it
what they have stored of each image, and neither match nor predict again. The interval is the percentile interval
(Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np

LEVEL = 0.95
RESAMPLES = 1000

VERSION = 1
"""Raised by hand when a change can move an interval: it is in the key of every score."""


def resample_counts(images: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """`resamples` vectors (I,) int64 of counts that sum to I; the same for the same seed."""
    generator = np.random.default_rng(seed)
    for _ in range(resamples):
        # counting I uniform random numbers is a multinomial sample, and several times faster than sampling binomials
        yield np.bincount(generator.integers(0, images, images), minlength=images)


def intervals(
    statistic: Callable[[np.ndarray], np.ndarray],
    images: int,
    resamples: int = 1000,
    seed: int = 0,
    groups: np.ndarray | None = None,
    at_once: int = 0,
) -> list[tuple[float, float] | None]:
    """The 95 % interval (low, high) of every number that `statistic` gives for image weights (I,).

    statistic: weights -> (Q,) float64, NaN if a number does not exist for them; such resamples are left out of that
        number's interval.
    images: I.
    resamples: how many; 0 for no intervals.
    seed: of the random numbers.
    groups: (I,) number of each image's group, from 0 without gaps, to resample groups; None to resample images.
    at_once: how many resamples `statistic` takes at once: it is then given weights (B, I), B at most this, and returns
        (B, Q). 0: one, as weights (I,).

    Returns None for a number that no resample has, for all numbers without resamples, and if there are fewer than two
    images or groups.
    """
    units = images if groups is None else int(groups.max(initial=-1)) + 1
    if units < 2 or resamples < 1:
        ones = np.ones((1, images) if at_once else images, np.int64)
        return [None] * statistic(ones).shape[-1]
    counts = resample_counts(units, resamples, seed)
    drawn = counts if groups is None else (weights[groups] for weights in counts)
    if at_once:
        values = np.concatenate([statistic(np.stack(block)) for block in _blocks(drawn, at_once)])
    else:
        values = np.array([statistic(weights) for weights in drawn])
    tails = (50 * (1 - LEVEL), 50 * (1 + LEVEL))
    result: list[tuple[float, float] | None] = []
    for column in values.T:
        column = column[~np.isnan(column)]
        low, high = np.percentile(column, tails).tolist() if len(column) else (0.0, 0.0)
        result.append((low, high) if len(column) else None)
    return result


def _blocks(items: Iterator[np.ndarray], size: int) -> Iterator[list[np.ndarray]]:
    while block := list(islice(items, size)):
        yield block
