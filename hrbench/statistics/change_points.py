"""Where a series of numbers changed, all measured on the same images: a fit of constant pieces.

Releases of one network share most of what the choice of images does to them, and a release that was made from the one
before shares more. So the noise is not one variance: it is the joint distribution of all releases under replicates of
the bootstrap with common multiplicities, column b of which belongs to the same images in every release.

A piece [s, e) of a window has the contrast "its mean minus the mean of the rest", with the standard error that the
replicates have for it. The piece with the largest |contrast| / error is split off if its square is above the penalty,
which is the square of the largest |contrast| / error that replicates without any change give in `LEVEL` of all cases;
then each part is a window of its own (circular binary segmentation: Olshen et al., Biostatistics 5, 2004, 557-572; the
maximum over all contrasts as in Westfall and Young, Resampling-Based Multiple Testing, 1993).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hrbench.statistics import paired

LEVEL = 0.025
"""How often a series without a change shows one."""

WINDOW = 32
"""Pieces with values on both sides are looked for up to this length; those at an end of a window at any length."""

_ONE_BORDER = 1.96**2
"""Both ends of a piece are borders, though its rest may go on beyond one of them."""

_NOTHING = 1e-12
"""Differences and errors below are rounding."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change between value `at` - 1 and value `at`.

    difference: mean of the piece from there on minus that of the piece before.
    interval: 95 %, of the difference; None if it is exact.
    """

    at: int
    difference: float
    interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Fit:
    """A fit of constant pieces.

    changes: in order of the series.
    levels: (N,) the fitted value of each.
    noise: (N - 1,) standard errors of each difference between neighbours, paired.
    penalty: that a piece's squared standardised contrast must exceed; 0 without noise.
    """

    changes: tuple[Change, ...]
    levels: tuple[float, ...]
    noise: tuple[float, ...]
    penalty: float


def fit(values: Sequence[float], replicates: np.ndarray, level: float = LEVEL) -> Fit:
    """The fit of a series. Neighbours with the same value and replicates are one thing seen twice, and count once.

    values: N numbers in order of time, at least one.
    replicates: (N, B) float64, the numbers under B common weightings of the images; (N, 0) for exact numbers, of which
        every change is one. Replicates in which a number does not exist (NaN) are left out.
    level: how often a series without a change may show one.
    """
    y = np.asarray(values, float)
    centred = replicates[:, ~np.isnan(replicates).any(axis=0)]
    if centred.shape[1] > 1:
        centred = centred - centred.mean(axis=1, keepdims=True)
    if centred.shape[1] > 1:
        new = [0, *(at for at in range(1, len(y)) if y[at] != y[at - 1] or (centred[at] != centred[at - 1]).any())]
        borders, penalty = _borders(y[new], centred[new], level)
        borders = [new[at] for at in borders]
    else:
        borders, penalty = [at for at in range(1, len(y)) if abs(y[at] - y[at - 1]) > _NOTHING], 0.0
    edges = [0, *borders, len(y)]
    levels = np.concatenate([np.full(e - s, y[s:e].mean()) for s, e in pairwise(edges)])
    changes = tuple(_change(y, centred, edges, place) for place in range(1, len(edges) - 1))
    return Fit(changes, tuple(levels.tolist()), _neighbours(centred), penalty)


def _borders(y: np.ndarray, centred: np.ndarray, level: float) -> tuple[list[int], float]:
    """Where pieces meet, and the penalty of the whole series."""
    found: set[int] = set()
    windows, penalty = [(0, len(y))], 0.0
    while windows:
        low, high = windows.pop()
        if high - low < 2:
            continue
        piece, bound = _split(y[low:high], centred[low:high], level)
        if high - low == len(y):
            penalty = bound
        if piece is not None:
            edges = [low, *(low + edge for edge in piece if 0 < edge < high - low), high]
            found.update(edges[1:-1])
            windows += pairwise(edges)
    return _pruned(y, centred, sorted(found)), penalty


def _neighbours(centred: np.ndarray) -> tuple[float, ...]:
    if centred.shape[1] < 2:
        return (0.0,) * (len(centred) - 1)
    return tuple(np.diff(centred, axis=0).std(axis=1, ddof=1).tolist())


def _split(y: np.ndarray, centred: np.ndarray, level: float) -> tuple[tuple[int, int] | None, float]:
    """The piece (start, end) of a window that differs most from its rest, None if chance gives as much; the penalty."""
    largest, piece = 0.0, None
    by_chance = np.zeros(centred.shape[1])
    for pieces in _pieces(len(y)):
        contrast = _contrasts(y[:, None], pieces)[:, 0]
        drawn = _contrasts(centred, pieces)
        error = drawn.std(axis=1, ddof=1)
        some = error > _NOTHING
        score = np.where(np.abs(contrast) > _NOTHING, math.inf, 0.0)
        score[some] = np.abs(contrast[some]) / error[some]
        if some.any():
            by_chance = np.maximum(by_chance, (np.abs(drawn[some]) / error[some, None]).max(axis=0))
        best = int(score.argmax())
        if score[best] > largest:
            largest, piece = float(score[best]), (int(pieces[best, 0]), int(pieces[best, 1]))
    bound = float(np.quantile(by_chance, 1 - level))
    return (piece if largest > bound else None), bound**2


def _pieces(length: int, at_once: int = 2048) -> Iterator[np.ndarray]:
    """(at most `at_once`, 2) int64 each: start and end of the pieces of a window, one of each pair of complements."""
    ends = np.arange(1, length)
    pairs = [np.stack([np.zeros_like(ends), ends], axis=1)]
    for size in range(1, min(WINDOW, length - 2) + 1):
        starts = np.arange(1, length - size)
        pairs.append(np.stack([starts, starts + size], axis=1))
    every = np.concatenate(pairs)
    for start in range(0, len(every), at_once):
        yield every[start : start + at_once]


def _contrasts(series: np.ndarray, pieces: np.ndarray) -> np.ndarray:
    """(P, B): mean of each piece minus the mean of the rest, of series (N, B)."""
    sums = np.concatenate([np.zeros((1, series.shape[1])), np.cumsum(series, axis=0)])
    inside, size = sums[pieces[:, 1]] - sums[pieces[:, 0]], (pieces[:, 1] - pieces[:, 0])[:, None]
    return inside / size - (sums[-1] - inside) / (len(series) - size)


def _pruned(y: np.ndarray, centred: np.ndarray, borders: list[int]) -> list[int]:
    """The borders without those whose two pieces do not differ by themselves at 5 %, the weakest taken out first."""
    kept = list(borders)
    while kept:
        edges = [0, *kept, len(y)]
        scores = []
        for place in range(1, len(edges) - 1):
            start, at, end = edges[place - 1 : place + 2]
            contrast, drawn = _step(y[:, None], start, at, end)[0], _step(centred, start, at, end)
            error = float(drawn.std(ddof=1))
            exact = 0.0 if abs(float(contrast)) <= _NOTHING else math.inf
            scores.append((float(contrast) / error) ** 2 if error > _NOTHING else exact)
        weakest = int(np.argmin(scores))
        if scores[weakest] > _ONE_BORDER:
            break
        del kept[weakest]
    return kept


def _step(series: np.ndarray, start: int, at: int, end: int) -> np.ndarray:
    """(B,) mean over [at, end) minus mean over [start, at), of series (N, B)."""
    return series[at:end].mean(axis=0) - series[start:at].mean(axis=0)


def _change(y: np.ndarray, centred: np.ndarray, edges: Sequence[int], place: int) -> Change:
    start, at, end = edges[place - 1 : place + 2]
    difference = float(_step(y[:, None], start, at, end)[0])
    drawn = difference + _step(centred, start, at, end)
    return Change(at, difference, paired.interval(drawn) if len(drawn) > 1 else None)
