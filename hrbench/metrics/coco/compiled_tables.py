"""Precision and recall of all categories under many weightings, by the compiled helper: the same bits as `tables`."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from hrbench.core.native.calls import In, NativeCall, Out
from hrbench.metrics.coco.tables import CategoryTables

_EVENTS = NativeCall(
    "hrb_events",
    In(np.int64),
    In(np.int64),
    In(np.int32),
    In(np.uint16),
    In(np.uint16),
    int,
    In(np.int64),
    int,
    In(np.int32),
    Out(np.uint64),
    Out(np.int64),
)
_OBJECTS = NativeCall("hrb_objects", In(np.int32), In(np.int32), In(np.int64), In(np.int32), int, Out(np.int32))
_TABLES = NativeCall(
    "hrb_tables",
    In(np.uint64),
    In(np.int64),
    In(np.int32),
    int,
    In(np.int32),
    In(np.bool_),
    int,
    In(np.float64),
    Out(np.float64),
    Out(np.float64),
)


def events_of(
    order: np.ndarray,
    offsets: np.ndarray,
    category: np.ndarray,
    hits: np.ndarray,
    ignored: np.ndarray,
    keys: np.ndarray,
    thresholds: int,
    place: np.ndarray,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each of K area ranges and limits: the detections that can change its numbers, packed (E,) uint64, and starts.

    order: (N,) int64, rows by category and falling score.
    offsets: (I + 1,) int64.
    category: (N,) int32.
    hits, ignored: (N, A) uint16.
    keys: (K, 3) int64: area range, limit, whether precision is wanted.
    thresholds: T.
    place: (K, C) int32: columns of the categories, rising, or -1.
    """
    events = np.empty((len(keys), len(order)), np.uint64)  # what is not written takes no memory
    starts = np.zeros((len(keys), place.shape[1] + 1), np.int64)
    areas, every = hits.shape[1], (1 << thresholds) - 1
    hits, ignored = np.ascontiguousarray(hits), np.ascontiguousarray(ignored)
    _EVENTS(order, offsets, category, hits, ignored, areas, keys, every, place, events, starts)
    columns = place.max(axis=1, initial=-1) + 2
    parts = [(one, first[:many]) for one, first, many in zip(events, starts, columns.tolist(), strict=True)]
    return [(one[: first[-1]].copy(), first.copy()) for one, first in parts]


class CompiledObjects:
    """As `tables.ObjectCounts`."""

    def __init__(self, image: np.ndarray, number: np.ndarray, starts: np.ndarray) -> None:
        """By category: `image` (P,) indices and `number` (P,) of objects. starts: (C + 1,), where a category begins."""
        self.image, self.number = image.astype(np.int32), number.astype(np.int32)
        self.starts = starts.astype(np.int64)

    def under(self, weights: np.ndarray) -> np.ndarray:
        """(B, C) int32 under `weights` (B, I) int32."""
        found = np.empty((len(weights), len(self.starts) - 1), np.int32)
        _OBJECTS(self.image, self.number, self.starts, weights, weights.shape[1], found)
        return found


class CompiledCurves:
    """As `tables.Curves`, or with no recalls as `tables.Recall`."""

    def __init__(self, events: np.ndarray, starts: np.ndarray, thresholds: int, recalls: Sequence[float]) -> None:
        """Of what `events_of` gives.

        events: (E,) uint64.
        starts: (C + 1,) int64.
        thresholds: T.
        recalls: (R,), rising.
        """
        self.events, self.starts, self.thresholds = events, starts, thresholds
        self.recalls = np.asarray(recalls, np.float64)

    @property
    def size(self) -> int:
        """Values of the largest array that one weighting needs."""
        return max(self.thresholds * len(self.recalls) * (len(self.starts) - 1), self.thresholds * len(self.events))

    def tables(
        self, weights: np.ndarray, objects: np.ndarray, keep: np.ndarray
    ) -> tuple[CategoryTables | None, CategoryTables]:
        """(precision, recall) of what each weighting keeps (B, C); without precision if there are no recalls."""
        cells = self.thresholds, len(self.recalls)
        categories = len(self.starts) - 1
        precision = np.empty((len(weights), cells[0] * cells[1] * categories))
        recall = np.empty((len(weights), cells[0] * categories))
        _TABLES(
            self.events,
            self.starts,
            weights,
            weights.shape[1],
            np.ascontiguousarray(objects, np.int32),
            keep,
            self.thresholds,
            self.recalls,
            precision,
            recall,
        )
        found = _tables_in(recall, cells[:1], keep)
        return (_tables_in(precision, cells, keep) if len(self.recalls) else None), found


def _tables_in(values: np.ndarray, lead: tuple[int, ...], keep: np.ndarray) -> CategoryTables:
    """The table of each row of values (B, ...), lead x K, which lies in the row's first places."""
    if keep.all():
        together = values.reshape(len(values), *lead, keep.shape[1])
        return CategoryTables(list(together), keep, together)
    size, many = math.prod(lead), np.count_nonzero(keep, axis=1).tolist()
    rows = [row[: size * kept].reshape(*lead, kept) for row, kept in zip(values, many, strict=True)]
    return CategoryTables(rows, keep)
