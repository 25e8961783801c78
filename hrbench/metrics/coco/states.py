"""States of the COCO metrics: `Matches` as named arrays, and the scores computed from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hrbench.errors import InputError
from hrbench.formats.coco.columns import Truths
from hrbench.formats.coco.forms import CocoForm
from hrbench.metrics.coco.curves import Accumulator, Number
from hrbench.metrics.coco.groups import order_of, positions
from hrbench.metrics.coco.matching import ONE_CLASS, Matches, MatchSettings
from hrbench.metrics.states import TRUTH, StateForm, arrays_of, truth_digests
from hrbench.statistics.bootstrap import intervals
from hrbench.types import ByImage, Measurement, Quantity, Reason, State

BLOCK_IMAGES = 2048
"""Whose annotations are put together at a time."""


def state_of(matches: Matches, metric: str, version: int, params: Mapping[str, Any], truth: np.ndarray) -> State:
    """The state that holds these matches, of the categories params["categories"].

    truth: (I,) uint64 digests of what is annotated in each image (`truth_of`).
    """
    arrays = {
        "image": matches.images,
        "offsets": matches.offsets,
        "score": matches.score,
        "category": matches.category,
        "hits": matches.hits,
        "ignored": matches.ignored,
        "object_offsets": matches.object_offsets,
        "object_category": matches.object_category,
        "positives": matches.positives,
        TRUTH: truth,
    }
    return State(metric, version, params, arrays)


def truth_of(
    truths: Truths, images: np.ndarray, columns: np.ndarray, codes: Sequence[bytes] | None = None
) -> np.ndarray:
    """(I,) uint64: a digest of what is annotated in each of `images`, objects in the order of the file.

    columns: (G, K) float64, further numbers of each object, such as its box.
    codes: a code of each object, such as its mask.
    """
    order = order_of(positions(truths.image, images))
    ordered = truths.image[order]
    bounds = np.stack([np.searchsorted(ordered, images, side) for side in ("left", "right")], axis=1)
    blocks = (bounds[start : start + BLOCK_IMAGES] for start in range(0, len(bounds), BLOCK_IMAGES))
    return truth_digests(row for block in blocks for row in _annotated(truths, order, block, columns, codes))


def _annotated(
    truths: Truths, order: np.ndarray, bounds: np.ndarray, columns: np.ndarray, codes: Sequence[bytes] | None
) -> Iterator[bytes | memoryview]:
    """What is annotated in each of some images, as bytes.

    order: the objects by image.
    bounds: (i, 2) where the images' objects lie in it.
    columns, codes: as in `truth_of`.
    """
    first = int(bounds[0, 0])
    some = order[first : int(bounds[-1, 1])]
    facts = np.empty((len(some), 4 + columns.shape[1]), "<f8")
    for place, column in enumerate((truths.category, truths.area, truths.crowd, truths.ignore)):
        facts[:, place] = column[some]
    facts[:, 4:] = columns[some]
    rows, width = facts.reshape(-1).view(np.uint8).data, 8 * facts.shape[1]
    for start, end in (bounds - first).tolist():
        row = rows[width * start : width * end]
        yield row if codes is None else bytes(row) + b"".join(codes[one] for one in some[start:end].tolist())


def form_params(form: CocoForm) -> dict[str, Any]:
    """The parameter of a state that says how its files deviated from COCO's form; none if they did not."""
    return {"form": form.stated()} if form.stated() else {}


def form_of(metric: str, version: int) -> StateForm:
    """Rows by image; each image has a block of detections and one of its categories that have objects."""
    blocks = {
        "offsets": ("score", "category", "hits", "ignored"),
        "object_offsets": ("object_category", "positives"),
    }
    return StateForm(metric, version, "image", (), blocks, offsets=True)


def matches_of(state: State, metric: str, version: int) -> Matches:
    """The matches that a state holds, images by rising id. Raises InputError if it is of another metric or version."""
    arrays = arrays_of(state, form_of(metric, version))
    agnostic = state.params.get("class_agnostic", False)
    return Matches(
        arrays["image"],
        ONE_CLASS if agnostic else np.asarray(state.params["categories"], np.int64),
        arrays["offsets"],
        arrays["score"],
        arrays["category"],
        arrays["hits"],
        arrays["ignored"],
        arrays["object_offsets"],
        arrays["object_category"],
        arrays["positives"],
    )


def truth_in(state: State, metric: str, version: int) -> np.ndarray | None:
    """(I,) digests of what is annotated, images by rising id, or None if the state does not tell."""
    return arrays_of(state, form_of(metric, version)).get(TRUTH)


def chosen(images: Sequence[int | str] | None, known: np.ndarray, path: Path) -> np.ndarray:
    """Ids to evaluate, rising; None: all that are known (I,). Raises InputError for another, naming the file `path`."""
    if images is None:
        return known
    among = set(known.tolist())
    for image in images:
        if image not in among:
            raise InputError(f"{path}: image {image!r}, asked for, is not among its {len(among)} images")
    return np.array(sorted({int(image) for image in images}), np.int64)


def scored(
    metric: str,
    matches: Matches,
    settings: MatchSettings,
    numbers: Sequence[Number],
    quantities: Sequence[Quantity],
    absent: Callable[[Number], str],
    resamples: int,
    seed: int,
) -> list[Measurement]:
    """All numbers with their 95 % intervals over images; n is the objects that count.

    absent: number -> what is not annotated if it has no value, in words.
    """
    accumulator = Accumulator(matches, settings, numbers)
    values = accumulator.at()

    def statistic(weights: np.ndarray) -> np.ndarray:
        values = accumulator.at_each(weights)
        return np.where(values > -1, values, np.nan)

    ends = intervals(statistic, len(matches.images), resamples, seed, at_once=accumulator.block)
    sums = [np.bincount(matches.object_category, many, len(matches.categories)) for many in matches.positives.T]
    objects = np.stack(sums, axis=1).astype(np.int64)  # (C, A)
    scores = []
    for number, quantity, value, interval in zip(numbers, quantities, values.tolist(), ends, strict=True):
        if value > -1:
            several = objects[list(number.among)] if number.among is not None else objects
            several = several.sum(axis=0) if number.category is None else objects[number.category]
            scores.append(Measurement(quantity, value, metric, interval, int(several[number.area])))
        else:
            reason = f"no annotated {absent(number)} in {len(matches.images)} images"
            scores.append(Measurement(quantity, None, metric, reason=Reason(reason)))
    return scores


def by_image(matches: Matches, settings: MatchSettings, numbers: Sequence[Number], truth: np.ndarray | None) -> ByImage:
    """The numbers as a function of image weights, NaN if pycocotools has -1. truth: (I,) digests, or None."""
    accumulator = Accumulator(matches, settings, numbers)

    def at(weights: np.ndarray, once: np.ndarray | None = None) -> np.ndarray:
        values = accumulator.at_each(weights, once)
        return np.where(values > -1, values, np.nan)

    def qualities() -> dict[int | str, float]:
        return image_scores(matches, settings)

    overall = sum(number.category is None for number in numbers)
    names = tuple(number.name for number in numbers)
    return ByImage(matches.images, names, overall, at, qualities, accumulator.block, truth, resampled=at)


def image_scores(matches: Matches, settings: MatchSettings) -> dict[int | str, float]:
    """Image id -> how well its objects were found, in [0, 1]; images without objects that count are absent.

    It is the average precision within the image, not interpolated, mean over thresholds: an object that is found after
    confident false detections counts less, and false detections after all hits do not matter.
    """
    sums = np.concatenate(([0], np.cumsum(matches.positives[:, 0], dtype=np.int64)))
    objects = np.diff(sums[matches.object_offsets])
    precision = _image_precision(matches, objects, len(settings.thresholds))
    found = zip(matches.images.tolist(), precision.tolist(), objects.tolist(), strict=True)
    return {image: value for image, value, number in found if number}


def _image_precision(matches: Matches, objects: np.ndarray, thresholds: int) -> np.ndarray:
    """(I,) float64: average precision within each image over area range 0, mean over thresholds; 0 without objects."""
    image = np.repeat(np.arange(len(matches.images)), np.diff(matches.offsets))
    order = np.lexsort((-matches.score, image))
    start = matches.offsets[image]
    total = np.zeros(len(matches.images))
    for t in range(thresholds):
        hit = (matches.hits[order, 0] >> t) & 1
        counted = 1 - ((matches.ignored[order, 0] >> t) & 1)
        hits, seen = (np.concatenate(([0], np.cumsum(part, dtype=np.int64))) for part in (hit, counted))
        precision = (hits[1:] - hits[start]) / np.maximum(seen[1:] - seen[start], 1)
        total += np.bincount(image, precision * hit, minlength=len(matches.images))
    return total / np.maximum(objects, 1) / thresholds
