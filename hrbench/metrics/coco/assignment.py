"""Which detection takes which object: the pairs of each group, in turn, at all thresholds and area ranges at once.

The groups are worked through some at a time, so that the memory for their pairs is bounded however large the file is.
Within a part, all groups go together, one pair of each per step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from hrbench.core.native.calls import In, NativeCall, Out
from hrbench.core.native.loader import library
from hrbench.metrics.coco.groups import RowGroups, ranks, starts_of

Similarity = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(detections (P,), truths (P,)) -> similarity (P,) in [0, 1], float64; both are row numbers of the files' columns."""

PART_PAIRS = 1 << 20
"""Pairs that are in memory at a time, unless a single group has more."""

COMPILED_PART = 1 << 15
"""The same for the compiled helper: so many stay in a core's cache."""

_PAIRS = NativeCall("hrb_pairs", *[In(np.int64)] * 5, Out(np.int64), Out(np.int64))
_ASSIGN = NativeCall(
    "hrb_assign",
    In(np.int64),
    In(np.int64),
    In(np.float64),
    In(np.float64),
    int,
    In(np.bool_),
    In(np.uint64),
    Out(np.uint64),
    Out(np.uint16),
    Out(np.uint16),
)


def assigned(
    found: RowGroups,
    objects: RowGroups,
    crowd: np.ndarray,
    ignored: np.ndarray,
    similarity: Similarity,
    thresholds: np.ndarray,
    areas: int,
) -> tuple[np.ndarray, np.ndarray]:
    """(hits, spared), each (N, A) uint16: bit t set if a detection found an object that counts, or an ignored one.

    found: the detections (N), by group and falling score.
    objects: the annotated objects.
    crowd: (G,) bool, of all objects in the file.
    ignored: (G,) uint64, bit a x T + t set if the object does not count in area range a.
    thresholds: (T,) rising.
    areas: A.
    """
    lowest = np.minimum(thresholds, 1 - 1e-10)
    shape = len(found.rows), areas
    hits, spared = np.zeros(shape, np.uint16), np.zeros(shape, np.uint16)
    if library() is not None:
        crowd, ignored = np.ascontiguousarray(crowd), np.ascontiguousarray(ignored)
        free = np.full(len(crowd), ~np.uint64(0))  # bits at which each object is not taken
        for _, position, truth in pairs_in_parts(found, objects, COMPILED_PART):
            alike = similarity(found.rows[position], truth)
            _ASSIGN(position, truth, alike, lowest, areas, crowd, ignored, free, hits, spared)
        return hits, spared
    for start, position, truth in pairs_in_parts(found, objects, PART_PAIRS):
        alike = similarity(found.rows[position], truth)
        near = np.flatnonzero(alike >= lowest[0])
        position, truth, alike = position[near], truth[near], alike[near]
        above = _above(alike, lowest, areas)
        # best first; of equals the later in the file, because the official loop replaces on equality
        order = np.lexsort((-truth, -alike, position))
        position, truth, above = position[order], truth[order], above[order]
        group = np.searchsorted(found.starts, position, side="right")
        end = int(position[-1]) + 1 if len(position) else start
        words = _taken(group, position - start, truth, above, crowd, ignored, end - start)
        for word, bits in zip(words, (hits, spared), strict=True):
            _spread(word, bits[start:end], len(lowest))
    return hits, spared


def pairs_in_parts(found: RowGroups, objects: RowGroups, size: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """All pairs (position among the detections, truth) of the same group, (P,) int64, by detection, then truth.

    Yields whole groups, of `size` pairs together unless one has more, with the position of the first detection.
    """
    first, each = objects.find(found.keys)
    some = np.flatnonzero(each)
    first, each, start, number = first[some], each[some], found.starts[some], np.diff(found.starts)[some]
    pairs, at = np.append(0, np.cumsum(each * number)), 0
    while at < len(some):
        end = max(at + 1, int(np.searchsorted(pairs, pairs[at] + size, side="right")) - 1)
        part = slice(at, end)
        position, truth = _pairs(
            first[part], each[part], start[part], number[part], objects.rows, pairs[end] - pairs[at]
        )
        yield int(start[at]), position, truth
        at = end


def _pairs(
    first: np.ndarray, each: np.ndarray, start: np.ndarray, number: np.ndarray, rows: np.ndarray, pairs: int
) -> tuple[np.ndarray, np.ndarray]:
    """The pairs of some groups (U), (P,) int64 each.

    first, each: where the objects of a group begin among `rows`, and how many there are.
    start, number: where its detections begin, and how many there are.
    rows: of all objects.
    pairs: P.
    """
    if library() is not None:
        position, truth = np.empty(pairs, np.int64), np.empty(pairs, np.int64)
        _PAIRS(first, each, start, number, rows, position, truth)
        return position, truth
    many = np.repeat(each, number)  # truths of each detection
    position = np.repeat(start, number) + ranks(np.append(0, np.cumsum(number)))
    inner = ranks(np.append(0, np.cumsum(many)))
    return np.repeat(position, many), rows[np.repeat(np.repeat(first, number), many) + inner]


def _spread(words: np.ndarray, bits: np.ndarray, thresholds: int) -> None:
    """Writes words (n,) uint64, with bit a x T + t, to bits (n, A) uint16, with bit t."""
    every = np.uint64((1 << thresholds) - 1)
    for a in range(bits.shape[1]):
        bits[:, a] = (words >> np.uint64(a * thresholds)) & every


def _above(alike: np.ndarray, lowest: np.ndarray, areas: int) -> np.ndarray:
    """(P,) uint64: bit a x T + t set, for every range a, if the similarity reaches threshold t."""
    reached = np.searchsorted(lowest, alike, side="right")
    words = [sum(((1 << n) - 1) << (a * len(lowest)) for a in range(areas)) for n in range(len(lowest) + 1)]
    return np.array(words, np.uint64)[reached]


def _taken(
    group: np.ndarray,
    position: np.ndarray,
    truth: np.ndarray,
    above: np.ndarray,
    crowd: np.ndarray,
    ignored: np.ndarray,
    detections: int,
) -> tuple[np.ndarray, np.ndarray]:
    """(hits, spared), each (n,) uint64: bits at which each of n detections found a counting, or an ignored object.

    group, position, truth, above: (P,) of the pairs that are near, by detection, best first.
    """
    # every pair is tried twice: for the area ranges in which the object counts, then for those in which it is ignored
    position, truth, group = (np.concatenate((each, each)) for each in (position, truth, group))
    wanted = np.concatenate((above & ~ignored[truth[: len(above)]], above & ignored[truth[: len(above)]]))
    second = np.repeat([False, True], len(above))
    tried = np.flatnonzero(wanted)
    order = tried[np.lexsort((second[tried], position[tried]))]
    position, truth, group, wanted, second = (each[order] for each in (position, truth, group, wanted, second))

    taken = take_in_turn(group, position, truth, wanted, crowd, detections)
    hits, spared = np.zeros(detections, np.uint64), np.zeros(detections, np.uint64)
    np.bitwise_or.at(hits, position[~second], taken[~second])
    np.bitwise_or.at(spared, position[second], taken[second])
    return hits, spared


def take_in_turn(
    group: np.ndarray,
    position: np.ndarray,
    truth: np.ndarray,
    wanted: np.ndarray,
    crowd: np.ndarray,
    detections: int,
) -> np.ndarray:
    """(P,) uint64: the bits at which each pair is matched. Rows are in the order in which pairs are tried.

    One step tries the next pair of every group at once: within a step all detections and all objects differ, so
    indexed reads and writes are safe.
    """
    taken = np.zeros(len(group), np.uint64)
    if not len(group):
        return taken
    step = ranks(starts_of(group))
    order = np.argsort(step, kind="stable")
    bounds = np.concatenate(([0], np.cumsum(np.bincount(step))))
    position, truth, wanted = position[order], truth[order], wanted[order]
    low = int(truth.min())
    free = np.full(int(truth.max()) - low + 1, ~np.uint64(0))  # bits at which the object is not taken
    open_ = np.full(detections, ~np.uint64(0))  # bits at which the detection has found nothing yet
    used_up = np.where(crowd[truth], np.uint64(0), ~np.uint64(0))
    truth = truth - low
    for start, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        d, g = position[start:end], truth[start:end]
        take = wanted[start:end] & open_[d] & free[g]
        open_[d] &= ~take
        free[g] &= ~(take & used_up[start:end])
        taken[order[start:end]] = take
    return taken
