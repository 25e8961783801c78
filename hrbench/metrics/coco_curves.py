"""COCO accumulation: from matches to average precision and recall, for any weighting of the images.

With every weight 1 the numbers are those of pycocotools 2.0.11 (`COCOeval.accumulate`, `summarize`) to the last bit.
With whole weights they are those of a data set in which every image occurs that many times: what the bootstrap needs.
The copies of a detection then stand together in the order of scores, before those that tie with it.

Why only the detections that hit are looked at: recall rises at hits alone, and between two hits precision never
rises, so that both the place where a recall is reached and the maximum of precision from there on lie at hits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .coco import Matches, Settings


@dataclass(frozen=True)
class Number:
    """One figure of the summary: mean precision or recall over `threshold` (None: all), in an area range.

    area, most: positions in the settings' `areas` and `most`. threshold: position in `thresholds`.
    """

    name: str
    kind: Literal["precision", "recall"]
    threshold: int | None
    area: int
    most: int = 0


class Curves:
    """Precision and recall of one category, area range and number of detections, prepared for many weightings.

    T thresholds, R recalls, I images. Detections come sorted by falling score.
    """

    def __init__(
        self, image: np.ndarray, hits: np.ndarray, counted: np.ndarray, positives: np.ndarray, settings: Settings
    ) -> None:
        """image: (N,) index of the image; hits, counted: (N,) uint16, bit t at threshold t; positives: (I,)."""
        self.recalls = np.asarray(settings.recalls)
        self.positives = positives.astype(np.int64)
        thresholds = len(settings.thresholds)
        always = counted == (1 << thresholds) - 1
        upto = np.cumsum(always)  # detections counted at all thresholds, up to and including each position

        images, base_at, extra_at, extras, lengths, extra_starts = [], [], [], [], [], []
        extra = 0
        sentinel = np.zeros(1, np.int64)
        for t in range(thresholds):
            places = np.flatnonzero((hits >> t) & 1)
            # the few that count at this threshold and not at another are summed on their own
            own = np.flatnonzero(((counted >> t) & 1).astype(bool) & ~always)
            images += [image[places], sentinel + len(positives)]
            base_at += [upto[places], sentinel]
            extra_at += [extra + np.searchsorted(own, places, side="right"), sentinel]
            lengths.append(len(places) + 1)
            extra_starts.append(extra)
            extras.append(image[own])
            extra += len(own)
        self.ends = np.cumsum(lengths) - 1  # a sentinel of weight and precision zero closes every threshold
        self.starts = self.ends + 1 - np.asarray(lengths)
        self.images = np.concatenate(images).astype(np.intp)
        self.base_at = np.concatenate(base_at).astype(np.intp)
        self.extra_at = np.concatenate(extra_at).astype(np.intp)
        self.extra_starts = np.asarray(extra_starts, np.intp)
        # what comes after the last hit cannot change a number
        self.base = image[always][: self.base_at.max()].astype(np.intp)
        self.extras = np.concatenate(extras)[: self.extra_at.max()].astype(np.intp)
        self.running_base = np.zeros(len(self.base) + 1, np.int32)
        self.running_extra = np.zeros(extra + 1, np.int32)

    def at(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """(precision (T, R), recall (T,)) with `weights` (I + 1,) int32, the last 0; None where nothing counts."""
        total = int(self.positives @ weights[:-1])
        if total == 0:
            return None
        base = _running(weights, self.base, self.running_base)
        extra = _running(weights, self.extras, self.running_extra)
        found = np.cumsum(weights.take(self.images, mode="clip"), dtype=np.int32)
        before = np.concatenate((np.zeros(1, np.int32), found[self.ends[:-1]]))
        found_at, recall = self._reached(found, before, total)

        counted = base.take(self.base_at, mode="clip")
        counted += extra.take(self.extra_at, mode="clip")
        for start, end, hits, others in zip(
            self.starts.tolist(), self.ends.tolist(), before, extra[self.extra_starts], strict=True
        ):
            found[start:end] -= hits
            counted[start:end] -= others
        precision = found / (counted + np.spacing(1))  # the official denominator: fp + tp + spacing(1)
        precision[self.ends] = 0.0
        # the maximum up to the next recall, then from the right: the envelope where it is read
        best = np.maximum.reduceat(precision, found_at.ravel()).reshape(found_at.shape)
        return np.maximum.accumulate(best[:, ::-1], axis=1)[:, ::-1], recall

    def _reached(self, found: np.ndarray, before: np.ndarray, total: int) -> tuple[np.ndarray, np.ndarray]:
        """(T, R) positions at which each recall is first reached (the sentinel where it never is), and recall (T,)."""
        # fewest hits n with n / total >= recall in floating point, which is what the official search compares
        fewest = np.ceil(self.recalls * total)
        fewest -= (fewest - 1) / total >= self.recalls
        fewest += fewest / total < self.recalls
        need = fewest.astype(np.int32)
        at = np.searchsorted(found, (before[:, None] + need).ravel()).reshape(len(before), len(need))
        at = np.minimum(at, self.ends[:, None])
        at[:, need <= 0] = self.starts[:, None]
        return at, (found[self.ends] - before) / total


def _running(weights: np.ndarray, images: np.ndarray, into: np.ndarray) -> np.ndarray:
    """Running sum of the weights of `images` with a leading zero, written to `into`."""
    np.cumsum(weights.take(images, mode="clip"), out=into[1 : len(images) + 1])
    return into


class Accumulator:
    """The figures of a summary as a function of image weights."""

    def __init__(self, matches: Matches, settings: Settings, numbers: Sequence[Number]) -> None:
        self.numbers, self.settings = tuple(numbers), settings
        self.curves: dict[tuple[int, int], list[Curves]] = {}
        image = np.repeat(np.arange(len(matches.images)), np.diff(matches.offsets))
        order = np.argsort(-matches.score, kind="stable")
        rank = _rank(image * len(matches.categories) + matches.category)
        full = np.uint16((1 << len(settings.thresholds)) - 1)
        for key in sorted({(number.area, number.most) for number in numbers}):
            area, most = key
            chosen = order[rank[order] < settings.most[most]]
            self.curves[key] = []
            for category in range(len(matches.categories)):
                rows = chosen[matches.category[chosen] == category]
                counted = ~matches.ignored[rows, area] & full
                self.curves[key].append(
                    Curves(
                        image[rows],
                        matches.hits[rows, area],
                        counted,
                        matches.positives[:, category, area],
                        settings,
                    )
                )

    def at(self, weights: np.ndarray | None = None) -> np.ndarray:
        """(len(numbers),) float64; -1 where nothing counts, as pycocotools has it.

        weights: (I,) whole numbers of times each image occurs; None: once each.
        """
        tables = {key: self._tables(curves, weights) for key, curves in self.curves.items()}
        result = np.empty(len(self.numbers))
        for n, number in enumerate(self.numbers):
            precision, recall = tables[number.area, number.most]
            table = precision if number.kind == "precision" else recall
            if number.threshold is not None:
                table = table[number.threshold]
            flat = table[table > -1]
            result[n] = flat.sum() / flat.size if flat.size else -1.0
        return result

    def _tables(self, curves: list[Curves], weights: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Precision (T, R, C) and recall (T, C), -1 for a category of which nothing counts."""
        shape = (len(self.settings.thresholds), len(self.settings.recalls), len(curves))
        precision, recall = np.full(shape, -1.0), np.full(shape[::2], -1.0)
        for c, curve in enumerate(curves):
            padded = np.ones(len(curve.positives) + 1, np.int32)
            if weights is not None:
                padded[:-1] = weights
            padded[-1] = 0  # the sentinels' image
            both = curve.at(padded)
            if both is not None:
                precision[:, :, c], recall[:, c] = both
        return precision, recall


def _rank(group: np.ndarray) -> np.ndarray:
    """(P,) position within a run of equal values."""
    starts = np.flatnonzero(np.concatenate(([True], group[1:] != group[:-1]))) if len(group) else np.zeros(0, np.intp)
    return np.arange(len(group)) - np.repeat(starts, np.diff(np.append(starts, len(group))))
