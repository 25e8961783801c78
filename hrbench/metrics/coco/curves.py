"""COCO accumulation: from matches to average precision and recall, for any weighting of the images.

With every weight 1 the numbers are those of pycocotools 2.0.11 (`COCOeval.accumulate`, `summarize`) to the last bit.
With integer weights they are those of a data set in which every image occurs that many times, as the bootstrap needs.
In the order of scores, the copies of a detection are adjacent, before other detections of the same score.

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
from typing import Literal

import numpy as np

from hrbench.metrics.coco.matching import Matches, MatchSettings

LOOP_MIN_CATEGORIES = 20  # from so many categories on, a loop over recalls is faster
HITS_PER_RECALL = 10  # up to so many hits per recall, `np.maximum.at` is faster
BLOCK_VALUES, MAX_BLOCK = 1 << 18, 64  # weightings share operations up to so many values; more than 64 gain nothing


@dataclass(frozen=True)
class Number:
    """One figure of the summary: mean precision or recall over `threshold` (None: all) in an area range.

    area, limit: positions in the settings' `areas` and `max_detections`.
    threshold: position in `thresholds`.
    category: position among the categories of the matches; None: the mean over all.
    """

    name: str
    kind: Literal["precision", "recall"]
    threshold: int | None
    area: int
    limit: int = 0
    category: int | None = None


class Recall:
    """Recall of all categories in one area range, prepared for many weightings.

    B weightings at once, T thresholds, I images, C categories, N detections. A segment is one category at one
    threshold. Segments are sorted by threshold, then category; the hits of each by falling score.
    """

    def __init__(
        self, image: np.ndarray, category: np.ndarray, hits: np.ndarray, positives: np.ndarray, thresholds: int
    ) -> None:
        """image, category: (N,) indices, by category and in it by falling score.
        hits: (N,) uint16, bit t at threshold t.
        positives: (I, C).
        """
        self.shape = thresholds, positives.shape[1]
        self.bounds = np.searchsorted(category, np.arange(self.shape[1] + 1))
        some = np.flatnonzero(hits)
        self.places = [some[((hits[some] >> t) & 1).astype(bool)] for t in range(thresholds)]  # rows, by threshold
        self.lengths = np.concatenate([np.diff(np.searchsorted(mine, self.bounds)) for mine in self.places])
        self.starts = np.cumsum(self.lengths) - self.lengths
        self.running = _Running(image[np.concatenate(self.places)])
        by_category, by_image = np.nonzero(positives.T)
        self.objects = _Running(np.repeat(by_image, positives[by_image, by_category]))
        self.objects_at = np.concatenate((np.zeros(1, np.int64), np.cumsum(positives.sum(axis=0))))

    def at(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(recall (B, T, C), objects (B, C)) under `weights` (B, I) int32; recall is 0 if there is no object."""
        objects = np.diff(self.objects.under(weights)[:, self.objects_at])
        running = self.running.under(weights)
        found = (running[:, self.starts + self.lengths] - running[:, self.starts]).reshape(-1, *self.shape)
        return found / np.maximum(objects, 1)[:, None], objects


class Curves:
    """Precision and recall of all categories in one area range, prepared for many weightings; sizes as in `Recall`."""

    def __init__(
        self,
        image: np.ndarray,
        category: np.ndarray,
        hits: np.ndarray,
        counted: np.ndarray,
        positives: np.ndarray,
        settings: MatchSettings,
    ) -> None:
        """As in `Recall`; R recalls. counted: (N,) uint16, bit t set unless the detection is ignored at threshold t."""
        self.finds = Recall(image, category, hits, positives, len(settings.thresholds))
        self.recalls = np.asarray(settings.recalls)
        bounds, every = self.finds.bounds, np.uint16((1 << len(settings.thresholds)) - 1)
        # detections after the last hit of a category cannot change a number
        hit = np.flatnonzero(hits)
        last = np.full(positives.shape[1], -1)
        last[category[hit]] = hit  # for repeated categories the last assignment stays
        counted = np.where(np.arange(len(hits)) <= last[category], counted, np.uint16(0))
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
            extras.append(image[mixed])
            extra += len(mixed)
        self.base, self.extra = _Running(image[always]), _Running(np.concatenate(extras))
        self.base_at, self.base_from = np.concatenate(base_at), np.concatenate(base_from)
        self.extra_at, self.extra_from = np.concatenate(extra_at), np.concatenate(extra_from)
        sizes = [len(mine) for mine in self.finds.places]
        self.table = np.repeat(np.arange(len(sizes)) * (len(self.recalls) + 1) * positives.shape[1], sizes)

    @property
    def size(self) -> int:
        """Values of the largest array that one weighting needs."""
        thresholds, categories = self.finds.shape
        sums = (self.finds.running, self.finds.objects, self.base, self.extra)
        return max(thresholds * (len(self.recalls) + 1) * categories, *(len(each.images) for each in sums))

    def at(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(precision (B, T, R, C), recall (B, T, C), objects (B, C)) under `weights` (B, I) int32; 0: no objects."""
        recall, objects = self.finds.at(weights)
        (thresholds, categories), lengths, running = self.finds.shape, self.finds.lengths, self.finds.running.sums
        found = running[:, 1:] - np.repeat(running[:, self.finds.starts], lengths, axis=1)
        base, extra = self.base.under(weights), self.extra.under(weights)
        counted = base.take(self.base_at, axis=1, mode="clip")
        counted += extra.take(self.extra_at, axis=1, mode="clip")
        counted -= np.repeat(base[:, self.base_from] + extra[:, self.extra_from], lengths, axis=1)
        precision = counted + np.spacing(1)  # the official denominator: fp + tp + spacing(1)
        np.divide(found, precision, out=precision)

        best = np.zeros((len(weights), thresholds, len(self.recalls) + 1, categories))
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
        return _envelope(best)[:, :, 1:], recall, objects

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
    if best.shape[3] < LOOP_MIN_CATEGORIES:
        return np.maximum.accumulate(best[:, :, ::-1], axis=2)[:, :, ::-1]
    for at in range(best.shape[2] - 2, -1, -1):
        np.maximum(best[:, :, at], best[:, :, at + 1], out=best[:, :, at])
    return best


class _Running:
    """The running sum of the weights of `images`, with a leading zero."""

    def __init__(self, images: np.ndarray) -> None:
        self.images = images.astype(np.intp)
        self.sums = np.zeros((1, len(images) + 1), np.int32)

    def under(self, weights: np.ndarray) -> np.ndarray:
        """(B, len(images) + 1) int32 under `weights` (B, I), valid until the next call."""
        if len(self.sums) != len(weights):
            self.sums = np.zeros((len(weights), len(self.images) + 1), np.int32)
        np.cumsum(weights.take(self.images, axis=1, mode="clip"), axis=1, out=self.sums[:, 1:])
        return self.sums


Tables = tuple[np.ndarray | None, np.ndarray, np.ndarray]


class Accumulator:
    """The figures of a summary as a function of image weights."""

    def __init__(self, matches: Matches, settings: MatchSettings, numbers: Sequence[Number]) -> None:
        self.numbers, self.images = tuple(numbers), len(matches.images)
        self.curves: dict[tuple[int, int], Curves | Recall] = {}
        image = np.repeat(np.arange(len(matches.images)), np.diff(matches.offsets))
        order = np.lexsort((-matches.score, matches.category))
        rank = _rank(image * len(matches.categories) + matches.category)
        every = np.uint16((1 << len(settings.thresholds)) - 1)
        precise = {(number.area, number.limit) for number in numbers if number.kind == "precision"}
        for area, limit in sorted({(number.area, number.limit) for number in numbers}):
            rows = order[rank[order] < settings.max_detections[limit]]
            hits, positives = matches.hits[rows, area], matches.positives[:, :, area]
            if (area, limit) in precise:
                counted = ~matches.ignored[rows, area] & every
                curves = Curves(image[rows], matches.category[rows], hits, counted, positives, settings)
            else:
                curves = Recall(image[rows], matches.category[rows], hits, positives, len(settings.thresholds))
            self.curves[area, limit] = curves

        self.held: tuple[bytes, dict[tuple[int, int], Tables]] = b"", {}
        sizes = [curves.size for curves in self.curves.values() if isinstance(curves, Curves)]
        self.block = min(max(BLOCK_VALUES // max([1, *sizes]), 1), MAX_BLOCK)
        """How many weightings `at_each` is best given at once."""

    def at(self, weights: np.ndarray | None = None) -> np.ndarray:
        """(len(numbers),) float64; -1 if nothing counts, as pycocotools has it.

        weights: (I,) whole numbers of times each image occurs; None: once each.
        """
        return self.at_each(np.ones((1, self.images), np.int32) if weights is None else weights[None])[0]

    def at_each(self, weights: np.ndarray, once: np.ndarray | None = None) -> np.ndarray:
        """(B, len(numbers)) float64: what `at` gives for each of several `weights` (B, I).

        once: (I,) the weights of the images of which `weights` are resamples; a category that has objects in them, and
            none in a resample, then keeps its own in a mean over categories. None if they are no resamples.
        """
        tables = self._tables(weights.astype(np.int32))
        held = self._held(once) if once is not None else {}
        some = {key: objects > 0 for key, (_, _, objects) in tables.items()}
        in_means = {key: _keep(tables[key], some[key], held[key]) if held else some[key] for key in tables}
        values = np.empty((len(weights), len(self.numbers)))
        for column, number in enumerate(self.numbers):
            key = number.area, number.limit
            precision, recall, _ = tables[key]
            table = precision if number.kind == "precision" else recall
            assert table is not None
            values[:, column] = _means(table, in_means[key] if number.category is None else some[key], number)
        return values

    def _tables(self, times: np.ndarray) -> dict[tuple[int, int], Tables]:
        return {
            key: curves.at(times) if isinstance(curves, Curves) else (None, *curves.at(times))
            for key, curves in self.curves.items()
        }

    def _held(self, once: np.ndarray) -> dict[tuple[int, int], Tables]:
        """The tables of all images that are resampled, computed once for all their resamples."""
        name = once.astype(np.int32).tobytes()
        if self.held[0] != name:
            self.held = name, self._tables(once[None].astype(np.int32))
        return self.held[1]


def _keep(tables: Tables, some: np.ndarray, held: Tables) -> np.ndarray:
    """(B, C) bool, which categories count in means; those without objects in a resample get their table of all images.

    tables: of resamples; changed.
    some: (B, C) bool, whether a category has objects in a resample.
    held: tables of all images, of one weighting.
    """
    lacking = (held[2] > 0) & ~some
    rows = np.flatnonzero(lacking.any(axis=1))
    for table, whole in zip(tables[:2], held[:2], strict=True):
        if table is not None and whole is not None:
            for row in rows.tolist():
                table[row][..., lacking[row]] = whole[0][..., lacking[row]]
    return some | lacking


def _means(table: np.ndarray, some: np.ndarray, number: Number) -> np.ndarray:
    """(B,) means over all categories with objects, summed in the official order; -1 without any.

    table: (B, T, R, C) precision or (B, T, C) recall.
    some: (B, C) bool, whether a category has objects.
    """
    if number.threshold is not None:
        table = table[:, number.threshold]
    if number.category is not None:
        return np.where(some[:, number.category], _row_means(table[..., number.category]), -1.0)
    whole = some.all(axis=1)
    if whole.all():
        return _row_means(table)
    values = np.empty(len(table))
    values[whole] = _row_means(table[whole])
    for row in np.flatnonzero(~whole).tolist():
        values[row] = _row_means(table[row : row + 1, ..., some[row]])[0]
    return values


def _row_means(table: np.ndarray) -> np.ndarray:
    """(B,) means of each table of (B, ...); -1 where they are empty."""
    # one row after the other, each in one run of memory: NumPy then adds as it adds the flat array of one table
    rows = np.ascontiguousarray(table).reshape(len(table), math.prod(table.shape[1:]))
    return rows.sum(axis=1) / rows.shape[1] if rows.shape[1] else np.full(len(rows), -1.0)


def _rank(group: np.ndarray) -> np.ndarray:
    """(P,) position within a run of equal values."""
    starts = np.flatnonzero(np.concatenate(([True], group[1:] != group[:-1]))) if len(group) else np.zeros(0, np.intp)
    return np.arange(len(group)) - np.repeat(starts, np.diff(np.append(starts, len(group))))
