"""COCO accumulation: from matches to average precision and recall, for any weighting of the images.

With every weight 1 the numbers are those of pycocotools 2.0.11 (`COCOeval.accumulate`, `summarize`) to the last bit.
With integer weights they are those of a data set in which every image occurs that many times, as the bootstrap needs.
In the order of scores, the copies of a detection are adjacent, before other detections of the same score.

Only categories that have objects in an area range take part in its numbers: others cost nothing, however many they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hrbench.core.native.loader import library
from hrbench.metrics.coco.compiled_tables import CompiledCurves, CompiledObjects, events_of
from hrbench.metrics.coco.groups import order_of, positions, ranks, starts_of
from hrbench.metrics.coco.matching import Matches, MatchSettings
from hrbench.metrics.coco.tables import CategoryTables, Curves, ObjectCounts, RankedRows, Recall

BLOCK_VALUES, MAX_BLOCK = 1 << 18, 64  # weightings share operations up to so many values; more than 64 gain nothing
Key = tuple[int, int]
"""Area range and limit of detections, as positions in the settings."""
Read = tuple[Literal["precision", "recall"], int | None]
"""Which table, and at which threshold; None: all."""


@dataclass(frozen=True)
class Number:
    """One figure of the summary: mean precision or recall over `threshold` (None: all) in an area range.

    area, limit: positions in the settings' `areas` and `max_detections`.
    threshold: position in `thresholds`.
    category: position among the categories of the matches; None: the mean over all.
    among: positions of categories, rising; the mean over these alone. None: over all.
    """

    name: str
    kind: Literal["precision", "recall"]
    threshold: int | None
    area: int
    limit: int = 0
    category: int | None = None
    among: tuple[int, ...] | None = None


@dataclass(frozen=True)
class _HeldTables:
    """The tables of all images of which weightings are resamples, and the objects (C,) of each category."""

    objects: np.ndarray
    precision: CategoryTables | None
    recall: CategoryTables


class Accumulator:
    """The figures of a summary as a function of image weights."""

    def __init__(self, matches: Matches, settings: MatchSettings, numbers: Sequence[Number]) -> None:
        self.numbers, self.images = tuple(numbers), len(matches.images)
        self.keys = sorted({(number.area, number.limit) for number in numbers})
        self.annotated: dict[int, np.ndarray] = {}
        """Area range -> indices of the categories that have objects in it, rising; C is their number below."""
        self.objects: dict[int, ObjectCounts | CompiledObjects] = {}
        image = np.repeat(np.arange(self.images), np.diff(matches.object_offsets))
        for area in sorted({area for area, _ in self.keys}):
            some = np.flatnonzero(matches.positives[:, area])
            own, number = matches.object_category[some], matches.positives[some, area]
            here = np.flatnonzero(np.bincount(own, minlength=len(matches.categories)))
            self.annotated[area] = here
            self.objects[area] = _counts(image[some], positions(own.astype(np.int64), here), number, len(here))
        precise = {(number.area, number.limit) for number in numbers if number.kind == "precision"}
        self.curves = _prepared(matches, settings, {key: key in precise for key in self.keys}, self.annotated)

        self.shares: dict[tuple[Key, str, int | None], list[tuple[int, np.ndarray]]] = {}
        """Where means over some categories are read -> columns of values, and which annotated categories (C,) bool."""
        self.columns = {key: self._columns(key) for key in self.keys}

        self.held: tuple[bytes, dict[Key, _HeldTables]] = b"", {}
        sizes = [self.curves[key].size for key in sorted(precise)]
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
        times = np.ascontiguousarray(weights, np.int32)
        held = self._held(once) if once is not None else {}
        objects = {area: counts.under(times) for area, counts in self.objects.items()}
        values = np.empty((len(weights), len(self.numbers)))
        for key in self.keys:  # one after the other: only its tables are in memory
            some = objects[key[0]] > 0
            lacking = (held[key].objects > 0) & ~some if held else np.zeros_like(some)
            tables = self.curves[key].tables(times, objects[key[0]], some | lacking)
            if held:
                _fill(tables, held[key], lacking)
            self._read(values, key, tables, some)
        return values

    def _read(
        self, values: np.ndarray, key: Key, tables: tuple[CategoryTables | None, CategoryTables], some: np.ndarray
    ) -> None:
        """Writes the numbers of one area range and limit to `values`. some: (B, C), which categories have objects."""
        for (kind, threshold), (overall, single, places) in self.columns[key].items():
            table = tables[0] if kind == "precision" else tables[1]
            assert table is not None
            if len(overall):
                values[:, overall] = table.means(threshold)[:, None]
            for column, members in self.shares[key, kind, threshold]:
                values[:, column] = table.means(threshold, members)
            if len(single):
                # a category without objects in a resample has no number of its own, though means keep it
                found = np.where(some, table.singles(threshold), -1.0)
                values[:, single] = np.where(places >= 0, found[:, places] if found.shape[1] else -1.0, -1.0)

    def _columns(self, key: Key) -> dict[Read, tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """What is read from the tables of a key -> columns of values over all categories, of single ones, their places.

        A place is that of the category among those that have objects in the area range, or -1.
        """
        chosen: dict[Read, list[int]] = {}
        for column, number in enumerate(self.numbers):
            if (number.area, number.limit) == key:
                chosen.setdefault((number.kind, number.threshold), []).append(column)
        columns = {}
        for read, mine in chosen.items():
            self.shares[(key, *read)] = [
                (column, np.isin(self.annotated[key[0]], np.array(among, np.int64)))
                for column in mine
                if (among := self.numbers[column].among) is not None
            ]
            whole = [column for column in mine if self.numbers[column].among is None]
            categories = [(column, self.numbers[column].category) for column in whole]
            overall = np.array([column for column, category in categories if category is None], np.int64)
            single = np.array([column for column, category in categories if category is not None], np.int64)
            wanted = np.array([category for _, category in categories if category is not None], np.int64)
            columns[read] = overall, single, positions(wanted, self.annotated[key[0]])
        return columns

    def _held(self, once: np.ndarray) -> dict[Key, _HeldTables]:
        """The tables of all images that are resampled, computed once for all their resamples."""
        times = np.ascontiguousarray(once[None], np.int32)
        name = times.tobytes()
        if self.held[0] != name:
            found = {}
            for key in self.keys:
                objects = self.objects[key[0]].under(times)
                found[key] = _HeldTables(
                    objects[0], *self.curves[key].tables(times, objects, np.ones_like(objects, bool))
                )
            self.held = name, found
        return self.held[1]


def _fill(tables: tuple[CategoryTables | None, CategoryTables], held: _HeldTables, lacking: np.ndarray) -> None:
    """Gives the categories without objects in a resample, lacking (B, C), their tables of all images."""
    for row in np.flatnonzero(lacking.any(axis=1)).tolist():
        for table, whole in zip(tables, (held.precision, held.recall), strict=True):
            if table is not None and whole is not None:
                table.put(row, lacking[row], whole.rows[0][..., lacking[row]])


def _counts(
    image: np.ndarray, category: np.ndarray, number: np.ndarray, categories: int
) -> ObjectCounts | CompiledObjects:
    """The objects of each of C categories. image, category, number: (P,)."""
    order = order_of(category)
    image, number = image[order], number[order]
    starts = np.searchsorted(category[order], np.arange(categories + 1))
    return (ObjectCounts if library() is None else CompiledObjects)(image, number, starts)


def _prepared(
    matches: Matches, settings: MatchSettings, keys: dict[Key, bool], annotated: dict[int, np.ndarray]
) -> dict[Key, Curves | Recall | CompiledCurves]:
    """What is computed once for all weightings. keys: whether precision is wanted at each."""
    category = matches.category.astype(np.int64)
    order, t = order_of(category, matches.score), len(settings.thresholds)
    place = np.full((len(keys), len(matches.categories)), -1, np.int32)
    for row, (area, _) in zip(place, keys, strict=True):
        row[annotated[area]] = np.arange(len(annotated[area]))
    if library() is not None:
        wanted = [(area, settings.max_detections[limit], precise) for (area, limit), precise in keys.items()]
        rows = events_of(
            order,
            matches.offsets,
            category.astype(np.int32),
            matches.hits,
            matches.ignored,
            np.array(wanted, np.int64),
            t,
            place,
        )
        recalls = [settings.recalls if precise else () for precise in keys.values()]
        compiled = zip(keys, rows, recalls, strict=True)
        return {key: CompiledCurves(events, starts, t, some) for key, (events, starts), some in compiled}
    image = np.repeat(np.arange(len(matches.images)), np.diff(matches.offsets))
    rank = ranks(starts_of(image * len(matches.categories) + category)).astype(np.int32)[order]
    # as small as they can be: of a large set, these and what is chosen of them are most of the memory
    image, category = image.astype(np.int32)[order], category.astype(np.int32)[order]
    every = np.uint16((1 << t) - 1)
    curves: dict[Key, Curves | Recall | CompiledCurves] = {}
    for ((area, limit), precise), columns in zip(keys.items(), place, strict=True):
        some = np.flatnonzero((rank < settings.max_detections[limit]) & (columns[category] >= 0))
        chosen, many = order[some], len(annotated[area])
        counted = ~matches.ignored[chosen, area] & every
        rows = RankedRows(image[some], columns[category[some]], matches.hits[chosen, area], counted)
        del some, chosen, counted
        curves[area, limit] = Curves(rows, many, t, settings.recalls) if precise else Recall(rows, many, t)
    return curves
