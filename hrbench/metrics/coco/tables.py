"""Precision and recall of all categories under many weightings of the images, computed with NumPy.

Why only hits (detections that find an object) are considered: recall rises only at hits, and between two hits precision
never rises. So a recall is reached at a hit, and the maximum of precision from there on is at a hit.

Why it is fast: all categories and thresholds are concatenated in a few flat arrays, so that a weighting takes about
twenty array operations for any number of classes. How many recalls a number of hits reaches is looked up in a table.
On a small set, where calling NumPy would take longer than its work, several weightings share these operations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LOOP_MIN_CATEGORIES, LOOP_MIN_VALUES = 8, 900  # from so many at a recall on, a loop over recalls is faster
KEPT_VALUES = 1 << 18
HITS_PER_RECALL = 10  # up to so many hits per recall, `np.maximum.at` is faster


@dataclass(frozen=True)
class RankedRows:
    """Detections of one area range, by category and in it by falling score.

    image: (N,) index.
    category: (N,) index among those that have objects in the range, rising.
    hits: (N,) uint16, bit t at threshold t.
    counted: (N,) uint16, bit t set unless the detection is ignored at threshold t.
    """

    image: np.ndarray
    category: np.ndarray
    hits: np.ndarray
    counted: np.ndarray


class ObjectCounts:
    """How many objects each of C categories has under a weighting."""

    def __init__(self, image: np.ndarray, number: np.ndarray, starts: np.ndarray) -> None:
        """By category: `image` (P,) indices and `number` (P,) of objects. starts: (C + 1,), where a category begins."""
        self.running, self.starts = RunningSums(image, number.astype(np.int32)), starts

    def under(self, weights: np.ndarray) -> np.ndarray:
        """(B, C) under `weights` (B, I) int32."""
        return np.diff(self.running.under(weights)[:, self.starts])


class CategoryTables:
    """A table for each of B weightings, of the categories that it keeps.

    rows: for each weighting its table (T, R, K) or (T, K), C-contiguous, of the K categories that it keeps.
    keep: (B, C) bool.
    together: the tables of all weightings as one array, if each keeps all categories and they lie so.
    """

    def __init__(self, rows: Sequence[np.ndarray], keep: np.ndarray, together: np.ndarray | None = None) -> None:
        self.rows, self.keep, self.together = rows, keep, together

    @classmethod
    def of(cls, table: np.ndarray, keep: np.ndarray) -> CategoryTables:
        """Of the tables of all categories (B, ..., C)."""
        if keep.all():
            together = np.ascontiguousarray(table)
            return cls(list(together), keep, together)
        whole = [bool(some.all()) for some in keep]
        pairs = zip(table, keep, whole, strict=True)
        return cls([np.ascontiguousarray(row) if all_ else row.compress(some, -1) for row, some, all_ in pairs], keep)

    def put(self, row: int, categories: np.ndarray, columns: np.ndarray) -> None:
        """Replaces the columns of some categories (C,) bool, which this weighting keeps, by others (..., k)."""
        self.rows[row][..., categories[self.keep[row]]] = columns

    def means(self, threshold: int | None, among: np.ndarray | None = None) -> np.ndarray:
        """(B,) means over all that is kept, at one threshold or all, summed in the official order; -1 without any.

        among: (C,) bool, only over these categories; None for all.
        """
        if among is not None:
            chosen = (row if threshold is None else row[threshold] for row in self.rows)
            pairs = zip(chosen, self.keep, strict=True)
            return np.array([_row_means(row.compress(among[kept], -1)[None])[0] for row, kept in pairs])
        if self.together is not None:
            return _row_means(self.together if threshold is None else self.together[:, threshold])
        chosen = self.rows if threshold is None else [row[threshold] for row in self.rows]
        return np.array([_row_means(row[None])[0] for row in chosen])

    def singles(self, threshold: int | None) -> np.ndarray:
        """(B, C) means of each category, at one threshold or all; -1 where it is not kept."""
        values = np.full(self.keep.shape, -1.0)
        for row, table in enumerate(self.rows):
            table = table if threshold is None else table[threshold]
            values[row, self.keep[row]] = _row_means(np.moveaxis(table, -1, 0))
        return values


def _row_means(table: np.ndarray) -> np.ndarray:
    """(B,) means of each table of (B, ...); -1 where they are empty."""
    # one row after the other, each in one run of memory: NumPy then adds as it adds the flat array of one table
    rows = np.ascontiguousarray(table).reshape(len(table), math.prod(table.shape[1:]))
    return rows.sum(axis=1) / rows.shape[1] if rows.shape[1] else np.full(len(rows), -1.0)


class Recall:
    """Recall of all categories in one area range, prepared for many weightings.

    B weightings at once, T thresholds, I images, C categories, N detections. A segment is one category at one
    threshold. Segments are sorted by threshold, then category; the hits of each by falling score.
    """

    def __init__(self, rows: RankedRows, categories: int, thresholds: int) -> None:
        self.shape = thresholds, categories
        self.bounds = np.searchsorted(rows.category, np.arange(categories + 1))
        some = np.flatnonzero(rows.hits)
        self.places = [some[((rows.hits[some] >> t) & 1).astype(bool)] for t in range(thresholds)]  # by threshold
        self.lengths = np.concatenate([np.diff(np.searchsorted(mine, self.bounds)) for mine in self.places])
        self.starts = np.cumsum(self.lengths) - self.lengths
        self.running = RunningSums(rows.image[np.concatenate(self.places)])

    @property
    def size(self) -> int:
        """Values of the largest array that one weighting needs."""
        return len(self.running.images)

    def at(self, weights: np.ndarray, objects: np.ndarray) -> np.ndarray:
        """(B, T, C) under `weights` (B, I) int32, where there are `objects` (B, C); 0 if there is no object."""
        running = self.running.under(weights)
        found = running[:, self.starts + self.lengths] - running[:, self.starts]
        found = found.reshape(len(weights), *self.shape)
        return found / np.maximum(objects, 1)[:, None]

    def tables(
        self, weights: np.ndarray, objects: np.ndarray, keep: np.ndarray
    ) -> tuple[CategoryTables | None, CategoryTables]:
        """(precision, recall) of what each weighting keeps (B, C); here without precision."""
        return None, CategoryTables.of(self.at(weights, objects), keep)


class Curves:
    """Precision and recall of all categories in one area range, prepared for many weightings; sizes as in `Recall`."""

    def __init__(self, rows: RankedRows, categories: int, thresholds: int, recalls: tuple[float, ...]) -> None:
        """recalls: (R,)."""
        self.finds = Recall(rows, categories, thresholds)
        self.recalls, self.room = np.asarray(recalls), np.zeros(0)
        bounds, every = self.finds.bounds, np.uint16((1 << thresholds) - 1)
        # detections after the last hit of a category cannot change a number
        hit = np.flatnonzero(rows.hits)
        last = np.full(categories, -1)
        last[rows.category[hit]] = hit  # for repeated categories the last assignment stays
        counted = np.where(np.arange(len(rows.hits)) <= last[rows.category], rows.counted, np.uint16(0))
        always = counted == every
        upto = np.concatenate((np.zeros(1, np.intp), np.cumsum(always)))  # counted at all thresholds, before each row
        partly = np.flatnonzero((counted != every) & (counted != 0))

        base_at, base_from, extra_at, extra_from, extras, extra = [], [], [], [], [], 0
        for t, mine in enumerate(self.finds.places):
            # the few that count at this threshold but not at all of them are summed separately
            mixed = partly[((counted[partly] >> t) & 1).astype(bool)]
            base_at.append(upto[mine + 1])
            base_from.append(upto[bounds[:-1]])
            extra_at.append(extra + np.searchsorted(mixed, mine, side="right"))
            extra_from.append(extra + np.searchsorted(mixed, bounds[:-1]))
            extras.append(rows.image[mixed])
            extra += len(mixed)
        self.base, self.extra = RunningSums(rows.image[always]), RunningSums(np.concatenate(extras))
        self.base_at, self.base_from = np.concatenate(base_at), np.concatenate(base_from)
        self.extra_at, self.extra_from = np.concatenate(extra_at), np.concatenate(extra_from)
        sizes = [len(mine) for mine in self.finds.places]
        self.table = np.repeat(np.arange(len(sizes)) * (len(self.recalls) + 1) * categories, sizes)

    @property
    def size(self) -> int:
        """Values of the largest array that one weighting needs."""
        thresholds, categories = self.finds.shape
        sums = (self.finds.running, self.base, self.extra)
        return max(thresholds * (len(self.recalls) + 1) * categories, *(len(each.images) for each in sums))

    def at(self, weights: np.ndarray, objects: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(precision (B, T, R, C), recall (B, T, C)) under `weights` (B, I) int32, where there are `objects` (B, C)."""
        recall = self.finds.at(weights, objects)
        (thresholds, categories), lengths, running = self.finds.shape, self.finds.lengths, self.finds.running.sums
        if not categories:
            return np.zeros((len(weights), thresholds, len(self.recalls), 0)), recall
        found = running[:, 1:] - np.repeat(running[:, self.finds.starts], lengths, axis=1)
        base, extra = self.base.under(weights), self.extra.under(weights)
        counted = base.take(self.base_at, axis=1, mode="clip")
        counted += extra.take(self.extra_at, axis=1, mode="clip")
        counted -= np.repeat(base[:, self.base_from] + extra[:, self.extra_from], lengths, axis=1)
        precision = counted + np.spacing(1)  # the official denominator: fp + tp + spacing(1)
        np.divide(found, precision, out=precision)

        best = self._zeros((len(weights), thresholds, len(self.recalls) + 1, categories))
        reached, offsets = self._reached(objects)
        if offsets.size > 1:
            found += np.repeat(np.tile(offsets, thresholds), lengths, axis=1)
        places = reached.take(found, mode="clip")
        places += self.table
        if len(weights) > 1:
            places += np.arange(0, best.size, best[0].size)[:, None]
        places, precision = places.ravel(), precision.ravel()
        if len(places) < HITS_PER_RECALL * best.size:
            np.maximum.at(best.ravel(), places, precision)
        else:  # equal places are adjacent
            starts = np.flatnonzero(np.concatenate((np.ones(1, bool), places[1:] != places[:-1])))
            best.ravel()[places[starts]] = np.maximum.reduceat(precision, starts)
        return np.array(_envelope(best)[:, :, 1:], order="C"), recall

    def _zeros(self, shape: tuple[int, ...]) -> np.ndarray:
        """Zeros, valid until the next call: small ones are kept, since new memory would take longer than their use."""
        if self.room.shape == shape:
            self.room[:] = 0
            return self.room
        zeros = np.zeros(shape)
        if zeros.size <= KEPT_VALUES:
            self.room = zeros
        return zeros

    def tables(
        self, weights: np.ndarray, objects: np.ndarray, keep: np.ndarray
    ) -> tuple[CategoryTables | None, CategoryTables]:
        """(precision, recall) of what each weighting keeps (B, C)."""
        precision, recall = self.at(weights, objects)
        return CategoryTables.of(precision, keep), CategoryTables.of(recall, keep)

    def _reached(self, objects: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A table, and where each category starts in it (B, C). Entry n: recalls that n hits reach x C + category."""
        recalls, (_, categories) = len(self.recalls), objects.shape
        room = objects.ravel() + 2
        total = np.maximum(objects.reshape(-1, 1), 1)
        # fewest hits n with n / total >= recall in floating point, which is what the official search compares
        fewest = np.ceil(self.recalls * total)
        fewest -= (fewest - 1) / total >= self.recalls
        fewest += fewest / total < self.recalls
        offsets = (np.cumsum(room) - room).astype(np.int32)
        need = np.minimum(fewest, objects.reshape(-1, 1) + 1).astype(np.intp) + offsets[:, None]
        reached = np.cumsum(np.bincount(need.ravel(), minlength=int(room.sum())))
        which = np.arange(objects.size)
        reached = (reached - np.repeat(which * recalls, room)) * categories + np.repeat(which % categories, room)
        return reached, offsets.reshape(objects.shape)


def _envelope(best: np.ndarray) -> np.ndarray:
    """(B, T, R, C): the maximum from each recall on."""
    if best.shape[3] < LOOP_MIN_CATEGORIES or best[:, :, 0].size < LOOP_MIN_VALUES:
        return np.maximum.accumulate(best[:, :, ::-1], axis=2)[:, :, ::-1]
    for at in range(best.shape[2] - 2, -1, -1):
        np.maximum(best[:, :, at], best[:, :, at + 1], out=best[:, :, at])
    return best


class RunningSums:
    """The running sum of the weights of `images`, each so many times, with a leading zero."""

    def __init__(self, images: np.ndarray, times: np.ndarray | None = None) -> None:
        self.images, self.times = images.astype(np.intp), times
        self.sums = np.zeros((1, len(images) + 1), np.int32)

    def under(self, weights: np.ndarray) -> np.ndarray:
        """(B, len(images) + 1) int32 under `weights` (B, I), valid until the next call."""
        if len(self.sums) != len(weights):
            self.sums = np.zeros((len(weights), len(self.images) + 1), np.int32)
        values = weights.take(self.images, axis=1, mode="clip")
        if self.times is not None:
            values *= self.times
        np.cumsum(values, axis=1, out=self.sums[:, 1:])
        return self.sums
