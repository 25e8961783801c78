"""The difference of two things measured on the same images, by the bootstrap over images with common multiplicities.

Each replicate draws images with replacement and weighs both sides with the same multiplicities, so what the images have
in common drops out of the difference. The interval is the percentile interval, and the p of a hypothesis is what
inverts it: the share of replicates that agree with the hypothesis, (1 + k) / (1 + B), never 0 (Davison and Hinkley,
Bootstrap Methods and their Application, 1997, section 4.4).

Replicates come in blocks. Block b of a seed has the same multiplicities whatever is judged by them, and however many
blocks are asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

BLOCK = 2000
"""Replicates in a block."""

MOST = 50_000
"""No row is judged by more replicates: then its Monte Carlo error is what prevents a verdict."""

TAIL = 0.025
"""On each side of a 95 % interval; also the level of a one-sided test."""

MONTE_CARLO_ERRORS = 3.0
"""How far, in its own Monte Carlo errors, a p must be from a threshold that decides about it."""

ImageStatistic = Callable[[np.ndarray], np.ndarray]
"""Weights (B, I) int64, how often each image occurs -> (B, Q) float64, NaN for a number that does not exist."""


@dataclass(frozen=True)
class PairedStatistics:
    """Two sides, judged on the same images.

    first, second: the numbers of each side under weights; both of the same Q quantities.
    images: I, the length of weights.
    used: (U,) indices of the images that count; all others have weight 0.
    groups: (U,) number of the group of each of these, from 0 without gaps, to draw whole groups; None to draw images.
    at_once: how many weightings the sides take at once.
    """

    first: ImageStatistic
    second: ImageStatistic
    images: int
    used: np.ndarray
    groups: np.ndarray | None = None
    at_once: int = 1

    @property
    def units(self) -> int:
        """How many images, or groups, are drawn."""
        return len(self.used) if self.groups is None else int(self.groups.max(initial=-1)) + 1

    def values(self) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of the first and of the second side, each (Q,), with every image once."""
        once = np.zeros((1, self.images), np.int64)
        once[0, self.used] = 1
        return self.first(once)[0], self.second(once)[0]

    def block(
        self,
        number: int,
        seed: int,
        replicates: int = BLOCK,
        on_replicates: Callable[[int], object] = lambda done: None,
    ) -> np.ndarray:
        """(replicates, Q) float64: second minus first under the multiplicities of block `number`.

        on_replicates: called with how many are done.
        """
        parts, done = [], 0
        for weights in self._weights(number, seed, replicates):
            on_replicates(done)
            parts.append(self.second(weights) - self.first(weights))
            done += len(weights)
        return np.concatenate(parts)

    def _weights(self, number: int, seed: int, replicates: int) -> Iterator[np.ndarray]:
        for counts in multiplicities(self.units, number, seed, replicates, self.at_once):
            weights = np.zeros((len(counts), self.images), np.int64)
            weights[:, self.used] = counts if self.groups is None else counts[:, self.groups]
            yield weights


def multiplicities(
    units: int, number: int, seed: int, replicates: int = BLOCK, at_once: int = 1
) -> Iterator[np.ndarray]:
    """(at most `at_once`, units) int64 each, `replicates` rows in all: how often each unit is drawn in a replicate.

    The same rows for the same seed and block number, however they are portioned.
    """
    generator = np.random.default_rng([seed, number])
    for start in range(0, replicates, at_once):
        rows = range(min(at_once, replicates - start))
        yield np.stack([np.bincount(generator.integers(0, units, units), minlength=units) for _ in rows])


def interval(differences: np.ndarray, tail: float = TAIL) -> tuple[float, float] | None:
    """The percentile interval of replicates (B,); those without the number are left out, None if none has it."""
    existing = differences[~np.isnan(differences)]
    if not len(existing):
        return None
    low, high = np.percentile(existing, (100 * tail, 100 * (1 - tail))).tolist()
    return low, high


def p_not_below(differences: np.ndarray, bound: float) -> float:
    """One-sided p of the hypothesis that the difference is at least `bound`, by replicates (B,); 1.0 without any."""
    existing = differences[~np.isnan(differences)]
    return (1 + int((existing >= bound).sum())) / (1 + len(existing))


def standard_error(differences: np.ndarray) -> float:
    """The standard deviation of replicates (B,), those without the number left out; NaN if fewer than two have it."""
    existing = differences[~np.isnan(differences)]
    return float(existing.std(ddof=1)) if len(existing) > 1 else math.nan


def settled(p: float, replicates: int, thresholds: Sequence[float]) -> bool:
    """Whether more replicates are not expected to move p across one of the thresholds.

    The Monte Carlo error is that of a share near the threshold, sqrt(t (1 - t) / B), so that a p of few hits has one.
    """
    return all(
        abs(p - bound) > MONTE_CARLO_ERRORS * math.sqrt(bound * (1 - bound) / replicates) for bound in thresholds
    )


def needed(units: int, error: float, distance: float, z: float) -> float:
    """How many images, or groups, would give a verdict at 95 % power: units ((z + 1.645) error / distance)^2.

    units: how many there are now.
    error: the standard error with these.
    distance: |difference + margin|, from the border between regressed and not.
    z: of the one-sided level at which the verdict is reached (1.96 for 2.5 %).

    Returns infinity if the difference is at the border.
    """
    return math.inf if distance == 0 else units * ((z + 1.645) * error / distance) ** 2
